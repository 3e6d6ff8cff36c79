//! Packets of one stream that came together leave together.
//!
//! A picture comes in several packets, mostly in one batch. They are gathered and then sent edge by
//! edge: what is kept of an edge, its subscriber and its keys is fetched into the processor's cache
//! once for all of them, not once for each.
//!
//! Only packets that follow each other without anything else between them are gathered: whatever
//! else is handled first sends what was gathered, so the order of events is that of the datagrams.

use crate::forward::BURST;
use crate::peer::Peer;
use crate::slab::Key;
use crate::stats::DropReason;
use crate::time::Now;
use crate::track::Track;

use super::Shard;

/// What was gathered; empty most of the time.
#[derive(Debug, Default)]
pub(super) struct Burst {
    stream: Option<Stream>,
    sequences: [u64; BURST],
    len: usize,
}

/// Whose packets are gathered.
#[derive(Clone, Copy, Debug)]
struct Stream {
    track: Key<Track>,
    encoding: usize,
    /// Whose input it is: a panic belongs to them.
    publisher: Option<Key<Peer>>,
}

impl Burst {
    /// Whether another packet of this encoding may be gathered.
    fn takes(&self, track: Key<Track>, encoding: usize) -> bool {
        let same = |stream: Stream| stream.track == track && stream.encoding == encoding;
        self.len < BURST && self.stream.is_none_or(same)
    }

    fn is_empty(&self) -> bool {
        self.stream.is_none()
    }
}

impl Shard {
    /// A packet of an encoding comes next: what was gathered of another one goes first.
    pub(super) fn make_way(&mut self, now: Now, track: Key<Track>, encoding: usize) {
        if !self.burst.takes(track, encoding) {
            self.send_burst(now);
        }
    }

    /// Gathers a packet that is in the ring of its encoding, after [`Shard::make_way`].
    pub(super) fn gather(&mut self, track: Key<Track>, encoding: usize, sequence: u64) {
        let burst = &mut self.burst;
        if let Some(place) = burst.sequences.get_mut(burst.len) {
            *place = sequence;
            burst.len += 1;
            burst.stream = Some(Stream { track, encoding, publisher: self.in_work });
        }
    }

    /// Sends what was gathered.
    pub(super) fn send_burst(&mut self, now: Now) {
        if self.burst.is_empty() {
            return;
        }
        let Burst { stream, sequences, len } = std::mem::take(&mut self.burst);
        let Some(Stream { track, encoding, publisher }) = stream else { return };
        let in_work = std::mem::replace(&mut self.in_work, publisher);
        let (tracks, mut downstream) = self.downstream(now);
        match tracks.get_mut(track) {
            Some(track) => {
                downstream.fan_out(track, encoding, sequences.get(..len).unwrap_or_default());
            }
            None => self.out.counters.drop_one(DropReason::UnknownSource),
        }
        self.in_work = in_work;
    }
}
