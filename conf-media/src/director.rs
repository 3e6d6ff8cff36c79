//! Which peer and which track live on which shard; sans-IO.
//!
//! The control plane speaks to a [`Director`] as to a single shard. A new peer is announced to all
//! shards and lives on the one where its first valid connectivity check arrives ([`Report`]): the
//! kernel brings all datagrams of one path to the same socket. What was ordered for the peer until
//! then is released to its shard in the same order. A track with subscribers on another shard is
//! relayed there: that shard has a mirror of the track, and its publisher's shard sends it one copy
//! of each packet.
//!
//! With one shard nothing waits and nothing is relayed; the commands pass through.

mod mirrors;
mod place;

use std::collections::{BTreeMap, VecDeque};

use crate::command::{Command, PeerId, Publication, RoomId, TrackId};
use crate::ice::Credentials;
use crate::shard::Refusal;

use mirrors::Track;
use place::Peer;

/// Number of a shard, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardIndex(pub u8);

impl ShardIndex {
    /// As an index of a list.
    #[must_use]
    pub fn at(self) -> usize {
        usize::from(self.0)
    }
}

/// Most shards there can be.
pub const MAX_SHARDS: usize = 16;

/// What a shard is told.
#[derive(Debug)]
pub enum Order {
    /// A wish of the control plane, for what lives on this shard.
    Command(Command),
    /// A peer may connect; nobody knows yet where. The shard reports its first valid check, and
    /// keeps it until the peer is placed.
    Await {
        /// The peer.
        peer: PeerId,
        /// Our ICE user name fragment and password towards it.
        credentials: Credentials,
    },
    /// A peer lives on another shard: what it sends is handed over.
    Elsewhere {
        /// The peer.
        peer: PeerId,
        /// One of our two user name fragments towards it.
        ufrag: String,
        /// Where it lives.
        shard: ShardIndex,
    },
    /// A track of another shard is wanted here, or its description changed. It ends with
    /// [`Command::Unpublish`].
    Mirror(Mirror),
    /// A track of this shard is wanted on another one, or no longer.
    Relay {
        /// The track.
        track: TrackId,
        /// Where to.
        to: ShardIndex,
        /// Wanted or not.
        on: bool,
    },
}

/// What a shard must know of a track that is relayed to it.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The track.
    pub track: TrackId,
    /// Where its publisher meets the others.
    pub room: RoomId,
    /// How it is published.
    pub publication: Publication,
    /// Muted or not.
    pub muted: bool,
    /// Where its publisher lives.
    pub from: ShardIndex,
}

/// What a shard tells the director.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The first valid check of an awaited peer arrived here.
    Claimed {
        /// The peer.
        peer: PeerId,
    },
}

/// The table of who lives where.
#[derive(Debug)]
pub struct Director {
    shards: u8,
    peers: BTreeMap<PeerId, Peer>,
    tracks: BTreeMap<TrackId, Track>,
    orders: VecDeque<(ShardIndex, Order)>,
}

impl Director {
    /// For this many shards, 1 to [`MAX_SHARDS`].
    #[must_use]
    pub fn new(shards: usize) -> Self {
        let shards = u8::try_from(shards.clamp(1, MAX_SHARDS)).unwrap_or(1);
        Self { shards, peers: BTreeMap::new(), tracks: BTreeMap::new(), orders: VecDeque::new() }
    }

    /// Takes a wish of the control plane.
    ///
    /// # Errors
    /// [`Refusal::Duplicate`], [`Refusal::UnknownPeer`], [`Refusal::UnknownTrack`],
    /// [`Refusal::NoAddress`] for a datagram to a peer that has not connected, and
    /// [`Refusal::TooMany`] if too much waits for such a peer. Nothing has changed then.
    pub fn handle(&mut self, command: Command) -> Result<(), Refusal> {
        match command {
            Command::AddPeer { peer, room, credentials } => self.add_peer(peer, room, credentials),
            Command::RestartIce { peer, credentials } => self.restart_ice(peer, credentials),
            // The handshake's business.
            Command::ExpectFingerprint { peer, .. }
            | Command::Negotiate { peer, .. }
            | Command::SendData { peer, .. } => self.peer(peer).map(|_| ()),
            Command::AddLocalPeer { peer, room } => self.add_local_peer(peer, room),
            Command::RemovePeer { peer } => self.remove_peer(peer),
            Command::SendDatagram { peer, .. } if self.shard_of(peer)?.is_none() => {
                Err(Refusal::NoAddress)
            }
            Command::SetKeys { peer, .. }
            | Command::AskStats { peer }
            | Command::SetPadding { peer, .. }
            | Command::Limit { peer, .. }
            | Command::SendDatagram { peer, .. } => self.for_peer(peer, command),
            Command::Publish { track, peer, publication } => self.publish(track, peer, publication),
            Command::Unpublish { track }
            | Command::Mute { track, .. }
            | Command::Subscribe { track, .. }
            | Command::Unsubscribe { track, .. }
            | Command::Pause { track, .. }
            | Command::Prefer { track, .. }
            | Command::Tap { track, .. }
            | Command::AskKeyframe { track, .. }
            | Command::Inject { track, .. } => self.of_track(track, command),
        }
    }

    /// Takes what a shard reports.
    pub fn report(&mut self, from: ShardIndex, report: Report) {
        match report {
            Report::Claimed { peer } => self.settle(peer, from),
        }
    }

    /// The next order and the shard that it is for; call until `None`, and keep the order.
    pub fn poll(&mut self) -> Option<(ShardIndex, Order)> {
        self.orders.pop_front()
    }

    /// Where a peer lives; `None` until it has connected.
    ///
    /// # Errors
    /// [`Refusal::UnknownPeer`].
    pub fn shard_of(&self, peer: PeerId) -> Result<Option<ShardIndex>, Refusal> {
        self.peer(peer).map(Peer::shard)
    }

    fn peer(&self, peer: PeerId) -> Result<&Peer, Refusal> {
        self.peers.get(&peer).ok_or(Refusal::UnknownPeer)
    }

    fn order(&mut self, shard: ShardIndex, order: Order) {
        self.orders.push_back((shard, order));
    }

    fn command(&mut self, shard: ShardIndex, command: Command) {
        self.order(shard, Order::Command(command));
    }

    /// All shards but one.
    fn others(&self, than: ShardIndex) -> impl Iterator<Item = ShardIndex> + use<> {
        (0..self.shards).map(ShardIndex).filter(move |&shard| shard != than)
    }
}

#[cfg(test)]
mod tests;
