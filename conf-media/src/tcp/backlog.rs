//! What waits to be written to one connection.
//!
//! A reader that is slower than its media would make a queue grow without end, and show pictures of
//! long ago. So what has waited for [`MAX_AGE`] goes, and what no longer fits is left out, in both
//! cases with the whole picture that it belongs to: the reader asks for a keyframe as after any
//! loss. Only packets are left out, never a part of one: the stream of frames stays whole.
//!
//! Time comes in as an argument. Sealed packets still show source and timestamp (RFC 3711, section
//! 3.1), which is what a picture is told by.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::{Duration, Instant};

use super::framing::{HEADER, frame};
use crate::rtp::{Class, classify};

/// The most that waits, in bytes: one second at 2 Mbit/s.
pub const MAX_BYTES: usize = 256 << 10;
/// Kept free for what is no media (checks, handshakes, reports).
const SPARE: usize = 32 << 10;
/// How long media may wait.
pub const MAX_AGE: Duration = Duration::from_millis(800);
/// Pictures that are remembered as broken, one a source; a participant is sent some dozen sources.
const BROKEN: usize = 64;
/// Pieces of one system call.
const PIECES: usize = 64;

/// Frames that wait, in order.
#[derive(Debug, Default)]
pub struct Backlog {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// So much of the first frame is written already.
    written: usize,
    broken: VecDeque<Picture>,
}

#[derive(Debug)]
struct Waiting {
    frame: Vec<u8>,
    picture: Option<Picture>,
    since: Instant,
}

/// A source and the timestamp that all packets of one picture share; of sound: one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Picture {
    ssrc: u32,
    timestamp: u32,
}

impl Picture {
    fn of(datagram: &[u8]) -> Option<Self> {
        if classify(datagram) != Class::Rtp {
            return None;
        }
        let number = |at| datagram.get(at..)?.first_chunk().map(|it| u32::from_be_bytes(*it));
        Some(Self { timestamp: number(4)?, ssrc: number(8)? })
    }
}

impl Backlog {
    /// Takes a datagram; returns how many were left out for it, itself included.
    pub fn push(&mut self, now: Instant, datagram: &[u8]) -> usize {
        let mut lost = self.drop_old(now);
        let picture = Picture::of(datagram);
        let Some(frame) = frame(datagram) else { return lost + 1 };
        if picture.is_some_and(|picture| self.broken.contains(&picture)) {
            return lost + 1;
        }
        let most = if picture.is_some() { MAX_BYTES - SPARE } else { MAX_BYTES };
        if self.bytes + frame.len() > most {
            lost += picture.map_or(0, |picture| self.give_up(picture));
            return lost + 1;
        }
        self.bytes += frame.len();
        self.waiting.push_back(Waiting { frame, picture, since: now });
        lost
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that wait.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes - self.written
    }

    /// What to write next, some frames.
    #[must_use]
    pub fn pieces(&self) -> Vec<IoSlice<'_>> {
        let from = std::iter::once(self.written).chain(std::iter::repeat(0));
        let all = self.waiting.iter().zip(from).take(PIECES);
        all.filter_map(|(it, from)| it.frame.get(from..)).map(IoSlice::new).collect()
    }

    /// So many bytes of the pieces were written.
    pub fn wrote(&mut self, count: usize) {
        self.written += count;
        while let Some(first) = self.waiting.front()
            && first.frame.len() <= self.written
        {
            self.written -= first.frame.len();
            self.bytes -= first.frame.len();
            self.waiting.pop_front();
        }
    }

    /// Media that waited too long goes, and the rest of its pictures. A frame that is partly written
    /// stays: what follows would not be understood otherwise.
    fn drop_old(&mut self, now: Instant) -> usize {
        let mut lost = 0;
        let is_old = |it: &&Waiting| now.saturating_duration_since(it.since) >= MAX_AGE;
        loop {
            let whole = self.waiting.iter().skip(usize::from(self.written > 0));
            let Some(picture) = whole.take_while(is_old).find_map(|it| it.picture) else { break };
            lost += self.give_up(picture);
        }
        lost
    }

    /// Drops what waits of a picture, and remembers to leave out what follows of it.
    fn give_up(&mut self, picture: Picture) -> usize {
        self.broken.retain(|broken| broken.ssrc != picture.ssrc);
        if self.broken.len() >= BROKEN {
            self.broken.pop_front();
        }
        self.broken.push_back(picture);
        let begun = if self.written > 0 { self.waiting.pop_front() } else { None };
        let (before, mut bytes) = (self.waiting.len(), 0);
        self.waiting.retain(|it| {
            let stays = it.picture != Some(picture);
            bytes += if stays { 0 } else { it.frame.len() };
            stays
        });
        self.bytes -= bytes;
        let lost = before - self.waiting.len();
        if let Some(begun) = begun {
            self.waiting.push_front(begun);
        }
        lost
    }
}

const _: () = assert!(super::MAX_DATAGRAM + HEADER < SPARE);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    /// A packet of video.
    fn packet(timestamp: u32, byte: u8) -> Vec<u8> {
        let mut packet = vec![0x80, 96, 0, byte];
        packet.extend_from_slice(&timestamp.to_be_bytes());
        packet.extend_from_slice(&7u32.to_be_bytes());
        packet.resize(1_200, byte);
        packet
    }

    /// Timestamps of what comes out, and that frames are whole.
    fn drain(backlog: &mut Backlog) -> Vec<u32> {
        let (mut deframer, mut all) = (super::super::framing::Deframer::default(), Vec::new());
        while !backlog.is_empty() {
            let first = backlog.pieces()[0].to_vec();
            let part = &first[..first.len().min(700)];
            deframer
                .feed(part, |it| all.push(u32::from_be_bytes(it[4..8].try_into().unwrap())))
                .unwrap();
            backlog.wrote(part.len());
        }
        assert_eq!((backlog.bytes(), deframer.kept()), (0, 0));
        all
    }

    #[test]
    fn what_does_not_fit_is_left_out_as_whole_pictures() {
        let (mut backlog, now) = (Backlog::default(), test_clock().mono);
        let mut lost = 0;
        for picture in 0..50u32 {
            lost += (0..10).map(|byte| backlog.push(now, &packet(picture, byte))).sum::<usize>();
            assert!(backlog.bytes() <= MAX_BYTES);
        }
        assert_eq!(backlog.push(now, b"\x16 a handshake"), 0, "there is room for what is no media");
        let stays = drain(&mut backlog);
        let pictures = stays.chunk_by(|a, b| a == b).filter(|it| it[0] < 50);
        assert!(pictures.clone().all(|it| it.len() == 10), "{stays:?}");
        assert_eq!(pictures.flatten().count() + lost, 500);
    }

    #[test]
    fn what_waited_too_long_goes_but_never_the_rest_of_a_frame() {
        let (mut backlog, now) = (Backlog::default(), test_clock().mono);
        for byte in 0..4 {
            assert_eq!(backlog.push(now, &packet(1, byte)), 0);
        }
        backlog.wrote(500);
        let later = now + MAX_AGE;
        assert_eq!(backlog.push(later, &packet(2, 0)), 3);
        assert_eq!(backlog.push(later, &packet(1, 4)), 1, "the rest of a picture that is gone");
        let rest = backlog.pieces()[0].to_vec();
        assert_eq!(rest.len(), HEADER + 1_200 - 500);
        backlog.wrote(rest.len());
        assert_eq!(drain(&mut backlog), [2]);
    }
}
