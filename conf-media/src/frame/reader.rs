//! A copy of a published track, as frames.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::Frame;
use super::assemble::Assembler;
use super::order::Packet;
use crate::command::{Kind, Publication};
use crate::shard::link::{self, LONGEST, Note, Relayed};

/// The writing end, which a shard gets ([`crate::command::Command::Tap`]).
pub struct Tap(pub(crate) link::Outgoing);

/// Frames of one track. Ask it every few milliseconds: nothing wakes its owner.
pub struct Reader {
    incoming: link::Incoming,
    publication: Publication,
    encodings: BTreeMap<u8, Encoding>,
    /// Of which encoding frames are handed out.
    current: Option<u8>,
    scratch: Box<[u8; LONGEST]>,
    ended: bool,
}

struct Encoding {
    assembler: Assembler,
    epoch: Option<u16>,
    /// When its last packet was read.
    seen: Option<Instant>,
    asked: Option<Instant>,
}

impl Encoding {
    fn new(kind: Kind) -> Self {
        Self { assembler: Assembler::new(kind), epoch: None, seen: None, asked: None }
    }
}

/// What a reader hands out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A frame of the best encoding that comes.
    Frame(Frame),
    /// The publisher must be asked for a keyframe ([`crate::command::Command::AskKeyframe`]).
    AskKeyframe {
        /// Of which encoding.
        encoding: u8,
    },
    /// The track has ended, or the reader fell out; nothing more comes.
    Ended,
}

/// Both ends of a tap on a track that is published like this.
#[must_use]
pub fn tap(publication: &Publication) -> (Tap, Reader) {
    let bytes = match publication.kind {
        Kind::Audio => AUDIO_BYTES,
        Kind::Video => VIDEO_BYTES,
    };
    let (out, incoming) = link::pair(bytes);
    let reader = Reader {
        incoming,
        publication: publication.clone(),
        encodings: BTreeMap::new(),
        current: None,
        scratch: Box::new([0; LONGEST]),
        ended: false,
    };
    (Tap(out), reader)
}

impl Reader {
    /// What comes next; call until `None`.
    pub fn poll(&mut self, now: Instant) -> Option<Output> {
        self.take(now);
        while let Some(frame) = self.next_frame(now) {
            if self.is_wanted(now, &frame) {
                self.current = Some(frame.encoding);
                return Some(Output::Frame(frame));
            }
        }
        if let Some(encoding) = self.keyframe_needed(now) {
            return Some(Output::AskKeyframe { encoding });
        }
        let over = self.incoming.is_over() && !std::mem::replace(&mut self.ended, true);
        over.then_some(Output::Ended)
    }

    /// Empties the ring.
    fn take(&mut self, now: Instant) {
        self.incoming.look();
        let Self { incoming, publication, encodings, scratch, .. } = self;
        let kind = publication.kind;
        let mut note = |note, bytes: &mut [u8]| match note {
            Note::Packet(relayed) => {
                let new = || Encoding::new(kind);
                let encoding = encodings.entry(relayed.encoding).or_insert_with(new);
                let before = encoding.epoch.replace(relayed.epoch);
                if before.is_some_and(|before| before != relayed.epoch) {
                    encoding.assembler = Assembler::new(kind);
                }
                encoding.seen = Some(now);
                if let Some(packet) = packet(publication, &relayed, bytes) {
                    encoding.assembler.push(relayed.sequence, packet, relayed.resumes);
                }
            }
            Note::Clock { encoding, clock, .. } => {
                let new = || Encoding::new(kind);
                encodings.entry(encoding).or_insert_with(new).assembler.clock = Some(clock);
            }
            Note::KeyframeWanted { .. } | Note::Datagram { .. } | Note::Path { .. } => {}
        };
        while incoming.next(scratch, &mut note).is_some() {}
    }

    fn next_frame(&mut self, now: Instant) -> Option<Frame> {
        self.encodings
            .iter_mut()
            .find_map(|(&number, encoding)| encoding.assembler.poll(now, number))
    }

    /// The frames of one encoding, of the best that comes; a change begins with a keyframe.
    fn is_wanted(&self, now: Instant, frame: &Frame) -> bool {
        match self.current {
            None => true,
            Some(current) if current == frame.encoding => true,
            Some(current) => {
                frame.keyframe && (frame.encoding > current || !self.is_alive(now, current))
            }
        }
    }

    fn is_alive(&self, now: Instant, encoding: u8) -> bool {
        let encoding = self.encodings.get(&encoding);
        let seen = encoding.and_then(|encoding| encoding.seen);
        seen.is_some_and(|seen| now.saturating_duration_since(seen) < SILENCE)
    }

    /// The best encoding that comes has nothing to begin with.
    fn keyframe_needed(&mut self, now: Instant) -> Option<u8> {
        if self.publication.kind == Kind::Audio {
            return None;
        }
        let alive = self.encodings.keys().copied().filter(|&it| self.is_alive(now, it));
        let best = alive.max()?;
        let is_current = self.current == Some(best);
        let encoding = self.encodings.get_mut(&best)?;
        if is_current && !encoding.assembler.is_broken() {
            return None;
        }
        if encoding.asked.is_some_and(|at| now.saturating_duration_since(at) < ASK_AGAIN) {
            return None;
        }
        encoding.asked = Some(now);
        Some(best)
    }
}

/// `None` for what is not of the track.
fn packet(publication: &Publication, relayed: &Relayed, bytes: &[u8]) -> Option<Packet> {
    let view = &relayed.entry.view;
    let payload = publication.codecs.iter().find(|it| it.payload_type == view.payload_type)?;
    Some(Packet {
        codec: payload.codec,
        timestamp: view.timestamp,
        marker: view.marker,
        keyframe: relayed.entry.picture.keyframe && relayed.entry.picture.start,
        payload: view.payload(bytes).to_vec(),
    })
}

impl fmt::Debug for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tap(…)")
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("current", &self.current).finish_non_exhaustive()
    }
}

/// What waits for a reader: 3 s of 2.5 Mbit/s.
const VIDEO_BYTES: usize = 1 << 20;
/// Ten seconds of speech.
const AUDIO_BYTES: usize = 64 << 10;
/// An encoding that sends nothing for so long has stopped.
const SILENCE: Duration = Duration::from_secs(1);
const ASK_AGAIN: Duration = Duration::from_secs(1);
