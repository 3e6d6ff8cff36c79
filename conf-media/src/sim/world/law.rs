//! What must hold of everything that the engine sends, whatever the networks do.
//!
//! Nothing leaves that is not sealed for its receiver; no number is sealed twice with other bytes;
//! the numbers of a stream have gaps only for packets that did not come to the engine; VP8 picture ids
//! go up; a frame leaves only if all that it needs left before, as far as it came to the engine.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::truth::Truth;
use crate::rtp::{self, Class};
use crate::srtp::{Keys, Opener};
use crate::test_util::Remote;

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Since the beginning.
    pub at: Duration,
    /// In words, with the numbers.
    pub what: String,
}

/// Looks at all that comes and leaves.
#[derive(Debug, Default)]
pub struct Law {
    broken: Vec<Broken>,
    /// Opens what leaves for each peer, whatever its link loses.
    openers: HashMap<usize, Opener>,
    listeners: HashMap<usize, Opener>,
    /// Frames of which something came: track, encoding, frame.
    came: BTreeSet<(u32, u8, u32)>,
    /// And which packets: track, encoding, number.
    packets: HashSet<(u32, u8, u32)>,
    streams: HashMap<(usize, u32), Stream>,
}

/// One source at one subscriber.
#[derive(Debug, Default)]
struct Stream {
    highest: Option<u64>,
    /// The tag of what was sealed under each number: it tells the bytes apart.
    sealed: HashMap<u64, [u8; TAG]>,
    /// What left under the highest number.
    last: Option<Truth>,
    picture: Option<(u32, u16)>,
    frames: BTreeSet<(u8, u32)>,
}

impl Law {
    /// The laws that were broken, at most [`MOST`].
    #[must_use]
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// The engine took a datagram.
    pub(super) fn arrives(&mut self, from: usize, datagram: &[u8]) {
        if rtp::classify(datagram) != Class::Rtp {
            return;
        }
        let opener = self.listeners.entry(from).or_insert_with(|| opener(from, |it| it.remote));
        let mut bytes = datagram.to_vec();
        let Ok(len) = opener.open_rtp(&mut bytes) else { return };
        let packet = bytes.get(..len).unwrap_or_default();
        let Ok(view) = rtp::parse(packet) else { return };
        if let Some(truth) = Truth::read(view.payload(packet)) {
            self.came.insert((truth.track, truth.encoding, truth.frame));
            self.packets.insert((truth.track, truth.encoding, truth.number));
        }
    }

    /// A datagram leaves for a peer.
    pub(super) fn leaves(&mut self, at: Duration, to: usize, datagram: &[u8]) {
        if rtp::classify(datagram) != Class::Rtp {
            return;
        }
        let Some(&sealed) = datagram.last_chunk() else { return };
        let opener = self.openers.entry(to).or_insert_with(|| opener(to, |it| it.local));
        let mut bytes = datagram.to_vec();
        let Ok(len) = opener.open_rtp(&mut bytes) else {
            self.again(at, to, datagram, sealed);
            return;
        };
        let packet = bytes.get(..len).unwrap_or_default();
        let Ok(view) = rtp::parse(packet) else {
            self.note(at, "what left is no packet".to_owned());
            return;
        };
        let stream = self.streams.entry((to, view.ssrc)).or_default();
        let number = stream.number(view.sequence);
        let mut faults = Vec::new();
        if stream.sealed.insert(number, sealed).is_some_and(|other| other != sealed) {
            faults.push(format!("{number} of {} was sealed twice", view.ssrc));
        }
        // Sources of retransmissions are odd here, and carry two bytes more.
        if view.ssrc % 2 == 0
            && let Some(truth) = Truth::read(view.payload(packet))
        {
            stream.frame(&truth, &self.came, &mut faults);
            stream.picture(view.timestamp, view.payload(packet), &mut faults);
            stream.gap(number, truth, &self.packets, &mut faults);
        }
        let stream = self.streams.entry((to, view.ssrc)).or_default();
        stream.highest = stream.highest.max(Some(number));
        faults.into_iter().for_each(|what| self.note(at, what));
    }

    /// It could not be opened: the same packet once more, or something is wrong.
    fn again(&mut self, at: Duration, to: usize, datagram: &[u8], sealed: [u8; TAG]) {
        let Ok(view) = rtp::parse(datagram) else {
            self.note(at, "something left that is no packet".to_owned());
            return;
        };
        let stream = self.streams.entry((to, view.ssrc)).or_default();
        let number = stream.number(view.sequence);
        if stream.sealed.get(&number) != Some(&sealed) {
            let what =
                format!("{number} of {} left, not sealed for its receiver or anew", view.ssrc);
            self.note(at, what);
        }
    }

    fn note(&mut self, at: Duration, what: String) {
        if self.broken.len() < MOST {
            self.broken.push(Broken { at, what });
        }
    }
}

impl Stream {
    fn number(&self, sequence: u16) -> u64 {
        let Some(highest) = self.highest else { return (1 << 32) | u64::from(sequence) };
        let low = u16::try_from(highest & 0xffff).unwrap_or_default();
        highest.saturating_add_signed(i64::from(sequence.wrapping_sub(low).cast_signed()))
    }

    /// Numbers are left out only for packets that did not come, which may still.
    fn gap(
        &mut self,
        number: u64,
        truth: Truth,
        came: &HashSet<(u32, u8, u32)>,
        faults: &mut Vec<String>,
    ) {
        if self.highest.is_some_and(|highest| number <= highest) {
            return; // late
        }
        let last = self.last.replace(truth);
        let (Some(highest), Some(last)) = (self.highest, last) else { return };
        let Truth { track, encoding, .. } = truth;
        let between = last.number + 1..truth.number;
        let missing = between.filter(|it| !came.contains(&(track, encoding, *it)));
        let missing = if last.encoding == encoding { missing.count() } else { 0 };
        let gap = usize::try_from(number - highest - 1).unwrap_or(usize::MAX);
        if gap > missing {
            faults.push(format!(
                "{gap} numbers left out before {number}, {missing} missing: after packet {} of \
                 encoding {} came {} of {}",
                last.number, last.encoding, truth.number, truth.encoding
            ));
        }
    }

    fn frame(&mut self, truth: &Truth, came: &BTreeSet<(u32, u8, u32)>, faults: &mut Vec<String>) {
        let Truth { track, encoding, frame, needs, .. } = *truth;
        if self.frames.insert((encoding, frame)) {
            for needed in needs.into_iter().filter(|&needed| needed > 0) {
                let sent = self.frames.contains(&(encoding, needed));
                if !sent && came.contains(&(track, encoding, needed)) {
                    faults.push(format!("frame {frame} of {encoding} left without {needed}"));
                }
            }
        }
    }

    fn picture(&mut self, timestamp: u32, payload: &[u8], faults: &mut Vec<String>) {
        let &[_, _, high, low, ..] = payload else { return };
        let id = u16::from_be_bytes([high, low]) & 0x7fff;
        match self.picture {
            Some((before, last)) if before != timestamp => {
                let ahead = timestamp.wrapping_sub(before).cast_signed();
                let step = id.wrapping_sub(last) & 0x7fff;
                if ahead < 0 {
                    return; // late
                }
                if step == 0 || step > 0x4000 {
                    faults.push(format!("picture {id} after {last}, later in time"));
                }
                self.picture = Some((timestamp, id));
            }
            Some((_, last)) if last != id => {
                faults.push(format!("pictures {last} and {id} at one time"));
            }
            Some(_) => {}
            None => self.picture = Some((timestamp, id)),
        }
    }
}

fn opener(peer: usize, side: fn(Keys) -> crate::srtp::MasterKey) -> Opener {
    let keys = Remote::keys_of(u16::try_from(peer).unwrap_or_default());
    Opener::new(keys.profile, &side(keys)).expect("usable keys")
}

/// What is noted; the first one tells most.
const MOST: usize = 20;
/// Bytes of an AES-GCM tag.
const TAG: usize = 16;
