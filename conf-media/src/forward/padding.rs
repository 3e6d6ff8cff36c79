//! One byte that keeps the packets of a picture equally long.
//!
//! A browser cuts a picture into packets that differ by at most one byte, small ones first (1030,
//! 1030, 1031, 1031). The kernel segments a message into equal parts, of which only the last may be
//! shorter, so that most pictures would need two messages a subscriber. One byte of RTP padding on
//! the small ones makes it one.
//!
//! Whether longer packets follow is not known when the first one leaves. So an [`Evener`] learns
//! from pictures before: while their later packets are one byte longer, each picture is taken to
//! grow. If it does not, all its packets get one byte and are equally long all the same. What is
//! decided here is kept with the packet in the ring: a packet that is sent again under its number
//! must be the same, bit by bit.
//!
//! Source: RFC 3550, section 5.1 (padding).

use crate::rtp::View;

/// Decides which packets of one encoding get a byte of padding.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evener {
    /// The present picture.
    timestamp: Option<u32>,
    /// Bytes of its first packet, or of the first after much longer ones.
    first: usize,
    /// What its packets are to measure.
    target: usize,
    /// A packet one byte longer than the first came.
    grew: bool,
    /// For so many more pictures the first packet is taken to be a small one.
    ascending: u8,
}

impl Evener {
    /// A packet of `len` bytes without padding; whether it gets one byte.
    pub(crate) fn handle(&mut self, view: &View, len: usize) -> bool {
        let ahead = self.timestamp.map_or(1, |now| view.timestamp.wrapping_sub(now).cast_signed());
        if ahead < 0 || len > LONGEST {
            return false; // late, and alone
        }
        if ahead > 0 {
            self.end();
            self.timestamp = Some(view.timestamp);
            self.begin(view.marker, len);
        } else if len > self.target {
            self.grew |= len == self.first + 1;
            self.target = len;
        } else if len == self.first + 1 {
            self.grew = true;
        } else if len + 1 < self.target && !view.marker {
            self.end();
            self.begin(view.marker, len); // another layer of the picture
        }
        // The last one may be shorter.
        len + 1 == self.target && !view.marker
    }

    fn begin(&mut self, alone: bool, len: usize) {
        self.first = len;
        self.target = if alone { len } else { len + usize::from(self.ascending > 0) };
    }

    fn end(&mut self) {
        let grew = std::mem::take(&mut self.grew);
        self.ascending = if grew { MEMORY } else { self.ascending.saturating_sub(1) };
    }
}

/// Pictures; about one in five comes out even by chance.
const MEMORY: u8 = 30;
/// Longer packets might not fit the path with one byte more.
const LONGEST: usize = 1_300;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::{self, Header};

    /// Sends a picture; gives the lengths of its packets as they leave.
    fn picture(evener: &mut Evener, timestamp: u32, lengths: &[usize]) -> Vec<usize> {
        let last = lengths.len() - 1;
        let packet = |(index, &len): (usize, &usize)| {
            let marker = index == last;
            let header = Header { marker, payload_type: 96, sequence: 0, timestamp, ssrc: 1 };
            let mut bytes = vec![0; len];
            header.write(&[], &mut bytes).unwrap();
            len + usize::from(evener.handle(&rtp::parse(&bytes).unwrap(), len))
        };
        lengths.iter().enumerate().map(packet).collect()
    }

    /// How many messages a picture takes where only the last part may be shorter.
    fn messages(lengths: &[usize]) -> usize {
        let mut count = 0;
        let mut run: Option<(usize, bool)> = None;
        for &len in lengths {
            run = match run {
                Some((size, false)) if len <= size => Some((size, len < size)),
                _ => {
                    count += 1;
                    Some((len, false))
                }
            };
        }
        count
    }

    /// As libwebrtc cuts: equal parts, the rest spread over the last ones.
    fn cut(bytes: usize, packets: usize) -> Vec<usize> {
        let grown = bytes % packets;
        (0..packets).map(|n| bytes / packets + usize::from(n + grown >= packets)).collect()
    }

    #[test]
    fn a_picture_of_two_sizes_is_one_run_from_the_second_on() {
        let mut evener = Evener::default();
        assert_eq!(picture(&mut evener, 1, &[1030, 1031, 1031, 1031]), [1030, 1031, 1031, 1031]);
        assert_eq!(picture(&mut evener, 2, &[1030, 1030, 1031, 1031]), [1031; 4]);
        assert_eq!(picture(&mut evener, 3, &[900, 900, 900, 900]), [901, 901, 901, 900]);
        assert_eq!(picture(&mut evener, 4, &[700]), [700], "alone it needs nothing");
    }

    #[test]
    fn packets_that_are_even_anyway_are_left_alone() {
        let mut evener = Evener::default();
        for timestamp in 0..100 {
            assert_eq!(picture(&mut evener, timestamp, &[1200, 1200, 1200]), [1200; 3]);
        }
        assert_eq!(picture(&mut evener, 100, &[1200, 1200, 300]), [1200, 1200, 300]);
    }

    #[test]
    fn pictures_of_a_browser_leave_in_one_message_each() {
        let (mut before, mut after, mut packets, mut bytes) = (0, 0, 0, 0);
        let mut evener = Evener::default();
        let mut random = 1u32;
        for timestamp in 0..1_000 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let size = 3_000 + usize::try_from(random >> 20).unwrap();
            let lengths = cut(size, size.div_ceil(1_150));
            let out = picture(&mut evener, timestamp, &lengths);
            before += messages(&lengths);
            after += messages(&out);
            packets += lengths.len();
            bytes += out.iter().sum::<usize>() - size;
        }
        let segments = |messages: usize| packets * 10 / messages;
        assert!(segments(before) < 30 && after <= 1_001, "{before} and {after} of {packets}");
        assert!(bytes <= packets, "{bytes} bytes for {packets} packets");
    }

    #[test]
    fn the_layers_of_one_picture_are_evened_out_each_for_itself() {
        let mut evener = Evener::default();
        picture(&mut evener, 1, &[500, 501, 900, 901, 901]);
        let out = picture(&mut evener, 2, &[900, 900, 901, 500, 501, 501]);
        assert_eq!(out, [901, 901, 901, 501, 501, 501]);
    }

    #[test]
    fn a_late_packet_changes_nothing() {
        let mut evener = Evener::default();
        picture(&mut evener, 10, &[500, 501]);
        picture(&mut evener, 11, &[600]);
        assert_eq!(picture(&mut evener, 9, &[499, 500]), [499, 500]);
        assert_eq!(picture(&mut evener, 12, &[500, 501]), [501, 501]);
    }
}
