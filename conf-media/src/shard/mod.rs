//! The machine of one media thread: datagrams and commands in, sealed datagrams and events out.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;

use crate::command::{Command, Event, PeerId};
use crate::egress::{RxBatch, TxBatch};
use crate::stats::{Counters, DropReason};
use crate::time::Now;

/// What a shard is made with.
#[derive(Clone, Debug, Default)]
pub struct ShardConfig {
    /// Random: keys the hash maps and gives the numbers we send reports with.
    pub seed: u64,
}

/// What a shard is handed.
#[derive(Debug)]
pub enum Input<'a> {
    /// One UDP payload; opened in place.
    Datagram {
        /// Who sent it.
        from: SocketAddr,
        /// All of it.
        bytes: &'a mut [u8],
        /// When it came.
        arrival: Instant,
    },
    /// A wish of the control plane.
    Command(Command),
}

/// What a shard hands out besides datagrams.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Output {
    /// A DTLS datagram from the peer's validated address, for its handshake or data channels.
    ToControl {
        /// The peer.
        peer: PeerId,
        /// The whole UDP payload.
        bytes: Bytes,
    },
    /// Something the control plane wants to know.
    Event(Event),
}

/// Why an input changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The datagram went no further.
    #[error("datagram dropped: {}", .0.label())]
    Dropped(DropReason),
    /// No such peer.
    #[error("the peer is unknown")]
    UnknownPeer,
    /// No such track.
    #[error("the track is unknown")]
    UnknownTrack,
    /// The peer or its user name is there already.
    #[error("the peer exists already")]
    Duplicate,
    /// The peer has no address to send to.
    #[error("the peer has no validated address")]
    NoAddress,
    /// The keys do not fit their profile.
    #[error("the keys are unusable")]
    Keys,
    /// More than a shard takes.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The wall.
        limit: usize,
    },
}

/// The machine of one media thread.
#[derive(Debug)]
pub struct Shard {
    outputs: VecDeque<Output>,
    egress: TxBatch,
    counters: Counters,
}

impl Shard {
    /// A shard without peers.
    #[must_use]
    pub fn new(_config: ShardConfig) -> Self {
        Self { outputs: VecDeque::new(), egress: TxBatch::new(), counters: Counters::default() }
    }

    /// Takes one datagram or command.
    ///
    /// # Errors
    /// [`Refusal`] says why nothing changed; a dropped datagram is counted as well.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Refusal> {
        match input {
            Input::Datagram { from, bytes, arrival } => {
                let _ = (now, from, arrival);
                self.counters.datagrams_in += 1;
                self.counters.bytes_in += bytes.len() as u64;
                Ok(())
            }
            Input::Command(_) => Ok(()),
        }
    }

    /// Takes all datagrams of a batch, which arrived at `now`, and clears it. Drops are counted.
    pub fn handle_batch(&mut self, now: Now, batch: &mut RxBatch) {
        for (from, bytes) in batch.iter_mut() {
            let _ = self.handle(now, Input::Datagram { from, bytes, arrival: now.mono });
        }
        batch.clear();
    }

    /// Hands out all datagrams that are to be sent: `batch` is cleared and exchanged with the
    /// shard's own arena, so call it with the same two batches in turn. Call it after every
    /// `handle`, `handle_batch` and `handle_timeout`.
    pub fn flush(&mut self, _now: Now, batch: &mut TxBatch) {
        batch.clear();
        std::mem::swap(&mut self.egress, batch);
        self.counters.bytes_out += batch.bytes_used() as u64;
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Shard::handle_timeout`]; `None` while nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        None
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }
}
