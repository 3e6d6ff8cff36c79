//! Which packets of a source were left out, so that those around them close up.
//!
//! Layers that a subscriber is not sent are left out picture by picture. A packet that comes late,
//! from between two of them, needs the number that it had; so the last [`KEPT`] runs are remembered,
//! and what is older than these is not sent any more: a number must never be used twice.

use std::collections::VecDeque;

/// Runs of packets that were left out since the last splice.
#[derive(Clone, Debug, Default)]
pub(super) struct LeftOut {
    /// Newest last; without memory until something is left out.
    runs: VecDeque<Run>,
    /// Of all runs, also those that were forgotten.
    pictures: u16,
    forgot: bool,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    last: u64,
    /// Timestamp of the picture that is left out; `None` for what is no whole picture.
    picture: Option<u32>,
    /// No run before is of the same picture.
    counts: bool,
}

impl LeftOut {
    pub(super) fn clear(&mut self) {
        self.runs.clear();
        self.pictures = 0;
        self.forgot = false;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// How many packets behind `sequence`, and how many pictures before it, were left out. `None`
    /// if it was left out itself, or is older than what is remembered.
    pub(super) fn around(&self, sequence: u64) -> Option<(u64, u16)> {
        let (mut packets, mut pictures) = (0, self.pictures);
        for run in self.runs.iter().rev() {
            if sequence > run.last {
                return Some((packets, pictures));
            }
            if sequence >= run.first {
                return None;
            }
            packets += run.last - run.first + 1;
            pictures = pictures.wrapping_sub(u16::from(run.counts));
        }
        (!self.forgot).then_some((packets, pictures))
    }

    /// A packet is left out behind which nothing was sent; others may have been left out.
    pub(super) fn push(&mut self, sequence: u64, picture: Option<u32>) {
        let behind = self.runs.iter().rev().take_while(|run| run.first > sequence).count();
        let at = self.runs.len().saturating_sub(behind);
        if let Some(run) = at.checked_sub(1).and_then(|before| self.runs.get_mut(before))
            && run.last + 1 == sequence
            && run.picture == picture
        {
            run.last = sequence;
            return;
        }
        let counts = picture.is_some_and(|timestamp| !self.contains(timestamp));
        let mut at = at;
        if self.runs.len() >= KEPT {
            self.runs.pop_front();
            at = at.saturating_sub(1);
            self.forgot = true;
        } else if self.runs.capacity() == 0 {
            self.runs.reserve_exact(KEPT);
        }
        self.pictures = self.pictures.wrapping_add(u16::from(counts));
        self.runs.insert(at, Run { first: sequence, last: sequence, picture, counts });
    }

    /// Whether the picture with this timestamp was left out.
    pub(super) fn contains(&self, timestamp: u32) -> bool {
        self.runs.iter().any(|run| run.picture == Some(timestamp))
    }
}

/// Two seconds of a stream of which every other picture is left out.
const KEPT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_around_what_was_left_out_keep_their_distance() {
        let mut left_out = LeftOut::default();
        left_out.push(10, Some(1));
        left_out.push(11, Some(1));
        left_out.push(14, Some(2));
        assert_eq!(left_out.around(15), Some((0, 2)));
        assert_eq!(left_out.around(12), Some((1, 1)));
        assert_eq!(left_out.around(9), Some((3, 0)));
        assert_eq!([10, 11, 14].map(|sequence| left_out.around(sequence)), [None; 3]);
    }

    #[test]
    fn what_comes_late_between_others_that_were_left_out_finds_its_place() {
        let mut left_out = LeftOut::default();
        left_out.push(10, Some(1));
        left_out.push(13, Some(2));
        left_out.push(12, Some(2));
        left_out.push(11, Some(1));
        assert_eq!(left_out.around(14), Some((0, 2)));
        assert_eq!([10, 11, 12, 13].map(|sequence| left_out.around(sequence)), [None; 4]);
        assert_eq!(left_out.around(9), Some((4, 0)));
    }

    #[test]
    fn one_picture_in_two_parts_counts_once_and_padding_never() {
        let mut left_out = LeftOut::default();
        left_out.push(10, Some(1));
        left_out.push(12, Some(1));
        left_out.push(13, None);
        assert_eq!(left_out.around(14), Some((0, 1)));
        assert!(left_out.contains(1) && !left_out.contains(2));
    }

    #[test]
    fn what_is_older_than_the_oldest_that_is_remembered_has_no_place_any_more() {
        let mut left_out = LeftOut::default();
        for run in 0..40u32 {
            left_out.push(u64::from(run) * 2, Some(run));
        }
        assert_eq!(left_out.around(79), Some((0, 40)));
        assert_eq!(left_out.around(17), Some((31, 9)));
        assert_eq!(left_out.around(13), None);
    }
}
