//! What leaves a shard: datagrams in the arena, outputs in a queue, numbers in the counters; and what
//! will have to, in the timing wheel.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::command::Event;
use crate::egress::{Destination, TxBatch};
use crate::peer::Peer;
use crate::stats::{Counters, DropReason};

use super::Output;
use super::timers::Due;
use super::wheel::Wheel;

/// Everything on its way out, now or later.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// What never waits: answers, reports, handshakes, packets sent again.
    pub(crate) egress: TxBatch,
    /// What waits a moment for others that leave with it.
    pub(crate) media: Held,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) counters: Counters,
    /// When peers, tracks and edges have something to send.
    pub(crate) timers: Wheel<Due>,
    /// Reports are put together here, and answers to checks.
    scratch: Vec<u8>,
}

/// Media on its way out: a picture comes in several batches, and leaves in one run.
#[derive(Debug)]
pub(crate) struct Held {
    batch: TxBatch,
    /// Since when the oldest datagram waits.
    since: Option<Instant>,
    hold: Duration,
    /// What is sent now has its arena.
    lent: bool,
}

impl Held {
    /// Writes one datagram; its run waits for others if `more` of it follow soon.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        (to, more): (Destination, bool),
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let written = self.batch.write_open(to, room, more, write);
        if written && self.since.is_none() {
            self.since = Some(now);
        }
        written
    }

    /// When the oldest datagram has waited long enough.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.since.map(|since| since + self.hold)
    }

    fn is_due(&self, now: Instant) -> bool {
        !self.batch.is_open()
            || self.batch.bytes_used() >= FULL
            || self.timeout().is_none_or(|at| now >= at)
    }
}

impl Outbox {
    pub(crate) fn new(hold: Duration) -> Self {
        Self {
            egress: TxBatch::new(),
            media: Held { batch: TxBatch::new(), since: None, hold, lent: false },
            outputs: VecDeque::with_capacity(64),
            counters: Counters::default(),
            timers: Wheel::new(),
            scratch: Vec::with_capacity(2048),
        }
    }

    /// Exchanges `batch` with what is to be sent now. What never waits goes first: the end of a
    /// handshake before the first picture, which nobody can open otherwise.
    pub(crate) fn flush(&mut self, now: Instant, batch: &mut TxBatch) {
        batch.clear();
        if !self.media.batch.is_empty() && self.media.is_due(now) {
            std::mem::swap(&mut self.media.batch, batch);
            (self.media.since, self.media.lent) = (None, true);
        }
        if !self.egress.is_empty() {
            let lost = batch.put_first(&self.egress);
            (0..lost).for_each(|_| self.counters.drop_one(DropReason::ArenaFull));
            self.egress.clear();
        }
        self.counters.bytes_out += batch.bytes_used() as u64;
        self.counters.runs_out += batch.runs().len() as u64;
    }

    /// Takes a batch back that was sent, for what is written next.
    pub(crate) fn give_back(&mut self, batch: &mut TxBatch) {
        batch.clear();
        if std::mem::take(&mut self.media.lent) && self.media.batch.is_empty() {
            std::mem::swap(&mut self.media.batch, batch);
        }
    }

    /// Something the control plane wants to know. What comes again is cut off as datagrams are;
    /// what happens once has much more room.
    pub(crate) fn event(&mut self, event: Event) {
        let again = matches!(event, Event::Level { .. });
        if self.outputs.len() >= if again { MAX_OUTPUTS } else { MAX_EVENTS } {
            self.counters.drop_one(DropReason::ControlFull);
            return;
        }
        self.outputs.push_back(Output::Event(event));
    }

    /// A datagram for the control plane; a flood of them is cut off.
    pub(crate) fn hand_over(&mut self, peer: &Peer, datagram: &[u8]) -> Result<(), DropReason> {
        if self.outputs.len() >= MAX_OUTPUTS {
            return Err(DropReason::ControlFull);
        }
        let bytes = bytes::Bytes::copy_from_slice(datagram);
        self.outputs.push_back(Output::ToControl { peer: peer.id, bytes });
        Ok(())
    }

    /// Writes one unsealed datagram with `write`; an empty one is not sent.
    pub(crate) fn plain<T>(&mut self, to: Destination, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.scratch.clear();
        let result = write(&mut self.scratch);
        if !self.scratch.is_empty() && !self.egress.push(to, &self.scratch) {
            self.counters.drop_one(DropReason::ArenaFull);
        }
        result
    }

    /// Seals and sends the compound that `write` appends; nothing if it appends nothing.
    pub(crate) fn reports(&mut self, peer: &mut Peer, write: impl FnOnce(&mut Vec<u8>)) {
        write(self.compose());
        self.post(peer);
    }

    /// Where the next compound is put together: for [`Outbox::post`].
    pub(crate) fn compose(&mut self) -> &mut Vec<u8> {
        self.scratch.clear();
        &mut self.scratch
    }

    /// Seals and sends the compound that was put together; nothing if it is empty.
    pub(crate) fn post(&mut self, peer: &mut Peer) {
        let Some((to, sealer)) = peer.path() else { return };
        let (len, scratch) = (self.scratch.len(), &self.scratch);
        if len == 0 {
            return;
        }
        let written = self.egress.write(to, len + SEAL, |buffer| {
            buffer.get_mut(..len)?.copy_from_slice(scratch);
            sealer.seal_rtcp(buffer, len).ok()
        });
        if !written {
            self.counters.drop_one(DropReason::ArenaFull);
        }
    }
}

/// Media that waits no longer, whatever is open: half of the arena.
const FULL: usize = TxBatch::MAX_BYTES / 2;
/// Bytes that sealing may add: index and the longest tag there is.
const SEAL: usize = 32;
/// Outputs that wait to be polled.
const MAX_OUTPUTS: usize = 4096;
/// With what happens once to each of some ten thousand peers and tracks.
const MAX_EVENTS: usize = 16 * MAX_OUTPUTS;

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    /// More than an arena has at first.
    const PICTURE: usize = 30 * 60_000;

    #[test]
    fn pictures_are_written_to_one_arena_again_and_again_whatever_leaves_between() {
        let now = crate::forward::test_clock().mono;
        let address = SocketAddr::from(([127, 0, 0, 1], 9));
        let to = Destination { slot: Destination::NO_SLOT, address };
        let mut out = Outbox::new(Duration::ZERO);
        let mut sent = TxBatch::new();
        let least = sent.memory();
        for _ in 0..5 {
            for _ in 0..PICTURE / 60_000 {
                assert!(out.media.write(now, (to, false), 60_000, |_| Some(60_000)));
            }
            out.flush(now, &mut sent);
            assert_eq!(sent.bytes_used(), PICTURE);
            out.give_back(&mut sent);
            assert!(out.egress.push(to, b"a report"));
            out.flush(now, &mut sent);
            assert_eq!(sent.bytes_used(), 8);
            out.give_back(&mut sent);
        }
        assert_eq!(sent.memory(), least, "small things only");
        assert_eq!(out.media.batch.memory(), 2 * least);
    }
}
