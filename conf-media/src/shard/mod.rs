//! The machine of one media thread: datagrams and commands in, sealed datagrams and events out.
//!
//! Peers, tracks and edges live in dense slabs; a datagram finds its peer by the address that ICE
//! has validated, and by nothing else. A shard has no lock, reads no clock and, once its rings are
//! there, allocates nothing for a packet.

mod allocation;
mod burst;
mod commands;
mod edges;
mod elsewhere;
mod fault;
mod feedback;
pub(crate) mod hash;
pub mod link;
pub(crate) mod outbox;
mod probe;
mod receive;
pub(crate) mod relay;
mod report;
mod rooms;
pub(crate) mod tap;
mod timers;
pub(crate) mod wheel;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::allocate::Demand;
use crate::command::{Command, Event, PeerId, RoomId, TrackId};
use crate::director::{Order, Report, ShardIndex};
use crate::egress::TxBatch;
use crate::forward::stage::Stage;
use crate::forward::{Downstream, Edge};
use crate::peer::{Peer, Transport};
use crate::slab::{Key, Slab};
use crate::stats::{Counters, DropReason, TransportStats};
use crate::time::Now;
use crate::track::Track;

use allocation::Shown;
use burst::Burst;
use elsewhere::Others;
use hash::Seeded;
use link::Links;
use outbox::Outbox;
use timers::Due;

/// What a shard is made with.
#[derive(Clone, Debug)]
pub struct ShardConfig {
    /// Random: keys the hash maps and gives the numbers we send reports with.
    pub seed: u64,
    /// How many microphones of a room are forwarded, the loudest ones; 1 to 64.
    pub loudest: usize,
    /// How long a datagram may wait for others that leave with it; zero hands out everything at
    /// each [`Shard::flush`].
    pub hold: Duration,
    /// Packets one byte shorter than the run they join are evened out by one byte of padding.
    pub padding: bool,
    /// The bandwidth of subscribers that give transport-wide feedback is estimated, and what they
    /// are sent kept within it. New, and not on by itself yet.
    pub estimate: bool,
}

impl Default for ShardConfig {
    /// Seed 0, the 8 loudest, held for at most 1 ms, with padding.
    fn default() -> Self {
        Self { seed: 0, loudest: 8, hold: Duration::from_millis(1), padding: true, estimate: false }
    }
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
    /// A wish of the control plane, where there is one shard.
    Command(Command),
    /// What the director says, where there are several.
    Order(Order),
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
    /// Something the control plane wants to know. [`Event::Connected`] is not
    /// among them: whoever does the handshake reports it. [`Event::Failed`] is, after a panic.
    Event(Event),
    /// Something waits for another shard: call its [`Shard::look_at_links`] and
    /// [`Shard::handle_links`].
    ToShard {
        /// Which one.
        shard: ShardIndex,
    },
    /// Something the [`crate::director::Director`] must know.
    Report(Report),
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
    /// The peer or its user name is there already, or the track is another peer's.
    #[error("the peer, its user name or the track exists already")]
    Duplicate,
    /// The peer has no address to send to.
    #[error("the peer has no validated address")]
    NoAddress,
    /// Carrying it out met a bug of ours; the peer that it was about is gone.
    #[error("internal error in the media engine")]
    Panicked,
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
    seed: u64,
    /// Peers that come are sent padded packets.
    padding: bool,
    /// The bandwidth of subscribers is estimated.
    estimate: bool,
    /// How many microphones of a room are heard.
    loudest: usize,
    peers: Slab<Peer>,
    tracks: Slab<Track>,
    stages: Slab<Stage>,
    edges: Slab<Edge>,
    peer_ids: HashMap<PeerId, Key<Peer>, Seeded>,
    track_ids: HashMap<TrackId, Key<Track>, Seeded>,
    room_ids: HashMap<RoomId, Key<Stage>, Seeded>,
    /// Addresses that ICE has validated; bounded by [`crate::ice::MAX_PATHS`] a peer.
    addresses: HashMap<SocketAddr, Key<Peer>, Seeded>,
    /// Our user name fragments; two a peer.
    ufrags: HashMap<String, Key<Peer>, Seeded>,
    /// Peers that do not live here.
    others: Others,
    /// The way to the other shards.
    links: Links,
    out: Outbox,
    /// What came together and is not sent yet.
    burst: Burst,
    /// Whose input is in work, to know whom a panic belongs to.
    in_work: Option<Key<Peer>>,
    /// Whose next input meets a panic.
    #[cfg(any(test, feature = "test-util"))]
    planted: Option<Key<Peer>>,
    /// Whose timer is being looked at; left behind only by a panic.
    at_work: Option<Due>,
    /// Sequence numbers to ask a publisher for.
    missing: Vec<u16>,
    /// Pictures of the subscriber for whom is being shared out, and what they may be sent as.
    shown: Vec<Shown>,
    demands: Vec<Demand>,
}

impl Shard {
    /// The only shard, without peers.
    #[must_use]
    pub fn new(config: ShardConfig) -> Self {
        Self::with_links(config, Links::default())
    }

    /// One of several shards, without peers; `links` come from [`link::mesh`].
    #[must_use]
    pub fn with_links(config: ShardConfig, links: Links) -> Self {
        let seeded = Seeded(config.seed);
        Self {
            seed: config.seed,
            padding: config.padding,
            estimate: config.estimate,
            loudest: config.loudest,
            peers: Slab::new(),
            tracks: Slab::new(),
            stages: Slab::new(),
            edges: Slab::new(),
            peer_ids: HashMap::with_hasher(seeded),
            track_ids: HashMap::with_hasher(seeded),
            room_ids: HashMap::with_hasher(seeded),
            addresses: HashMap::with_hasher(seeded),
            ufrags: HashMap::with_hasher(seeded),
            others: Others::new(seeded),
            links,
            out: Outbox::new(config.hold),
            burst: Burst::default(),
            in_work: None,
            #[cfg(any(test, feature = "test-util"))]
            planted: None,
            at_work: None,
            missing: Vec::with_capacity(512),
            shown: Vec::new(),
            demands: Vec::new(),
        }
    }

    /// Takes one datagram or command.
    ///
    /// # Errors
    /// [`Refusal`] says why nothing changed; a dropped datagram is counted as well.
    pub fn handle(&mut self, now: Now, input: Input<'_>) -> Result<(), Refusal> {
        match input {
            Input::Datagram { from, bytes, arrival } => {
                let taken = self.take(now, from, bytes, arrival);
                self.send_burst(now);
                taken.map_err(Refusal::Dropped)
            }
            Input::Command(command) => self.command(now, command),
            Input::Order(order) => self.order(now, order),
        }
    }

    /// Hands out the datagrams that are to be sent now: `batch` is cleared and exchanged with the
    /// shard's own arena, so call it with the same batch again and again. Call it after every
    /// `handle`, `handle_batch` and `handle_timeout`.
    ///
    /// Media waits until no run is open any more (a picture is complete with its last packet, sound
    /// always waits for more), but at most [`ShardConfig::hold`]; [`Shard::timeout`] knows when that
    /// is. Everything else is handed out at once.
    pub fn flush(&mut self, now: Now, batch: &mut TxBatch) {
        self.out.flush(now.mono, batch);
    }

    /// Takes a batch back that was sent. Not needed; but then one arena is written again and again,
    /// warm in the caches, instead of two in turns.
    pub fn give_back(&mut self, batch: &mut TxBatch) {
        self.out.give_back(batch);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Now) {
        self.run_timers(now);
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        let written = || self.links.poll_written().map(|shard| Output::ToShard { shard });
        self.out.outputs.pop_front().or_else(written)
    }

    /// Something has come from other shards that was not looked at.
    #[must_use]
    pub fn has_mail(&self) -> bool {
        self.links.has_mail()
    }

    /// Looks at what has come from other shards. Call it before orders are taken, and
    /// [`Shard::handle_links`] after them: what has come may rest on an order.
    pub fn look_at_links(&mut self) {
        self.links.look();
    }

    /// When to call [`Shard::handle_timeout`] and [`Shard::flush`]; `None` while nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        [self.out.timers.timeout(), self.out.media.timeout()].into_iter().flatten().min()
    }

    /// What was counted so far.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.out.counters
    }

    /// What a peer was sent under transport-wide numbers and what it says of it; `None` for one that
    /// did not negotiate that, or is unknown.
    #[must_use]
    pub fn transport(&self, peer: PeerId) -> Option<TransportStats> {
        let &key = self.peer_ids.get(&peer)?;
        self.peers.get(key)?.transport().map(Transport::stats)
    }

    /// The part that sends, and beside it the tracks.
    fn downstream(&mut self, now: Now) -> (&mut Slab<Track>, Downstream<'_>) {
        let Self { tracks, edges, peers, out, .. } = self;
        (tracks, Downstream { now, edges, peers, out })
    }
}

const MAX_PEERS: usize = 10_000;

#[cfg(test)]
mod memory;
