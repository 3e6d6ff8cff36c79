//! Where a peer lives, and what waits until that is known.

use std::collections::BTreeSet;

use crate::command::{Command, PeerId, RoomId, TrackId};
use crate::ice::Credentials;
use crate::shard::Refusal;

use super::{Director, Order, ShardIndex};

/// What is known of one peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) room: RoomId,
    place: Place,
    pub(super) published: BTreeSet<TrackId>,
    pub(super) received: BTreeSet<TrackId>,
    /// It never connects, so no other shard has heard of it.
    local: bool,
}

#[derive(Debug)]
enum Place {
    Waiting {
        /// The first, and those of a restart.
        credentials: Vec<Credentials>,
        held: Vec<Command>,
    },
    At(ShardIndex),
}

impl Peer {
    /// Where it lives; `None`: it has not connected.
    pub(super) fn shard(&self) -> Option<ShardIndex> {
        match self.place {
            Place::Waiting { .. } => None,
            Place::At(shard) => Some(shard),
        }
    }
}

impl Director {
    pub(super) fn add_peer(
        &mut self,
        peer: PeerId,
        room: RoomId,
        credentials: Credentials,
    ) -> Result<(), Refusal> {
        if self.peers.contains_key(&peer) {
            return Err(Refusal::Duplicate);
        }
        let place = if self.shards == 1 {
            let only = ShardIndex(0);
            self.command(only, Command::AddPeer { peer, room, credentials });
            Place::At(only)
        } else {
            self.announce(peer, &credentials);
            Place::Waiting { credentials: vec![credentials], held: Vec::new() }
        };
        let (published, received) = (BTreeSet::new(), BTreeSet::new());
        self.peers.insert(peer, Peer { room, place, published, received, local: false });
        Ok(())
    }

    /// One that will never connect: it is placed at once, each on another shard.
    pub(super) fn add_local_peer(&mut self, id: PeerId, room: RoomId) -> Result<(), Refusal> {
        if self.peers.contains_key(&id) {
            return Err(Refusal::Duplicate);
        }
        let shard = id.0.checked_rem(u64::from(self.shards)).and_then(|it| u8::try_from(it).ok());
        let shard = ShardIndex(shard.unwrap_or_default());
        self.command(shard, Command::AddLocalPeer { peer: id, room });
        let (published, received) = (BTreeSet::new(), BTreeSet::new());
        let place = Place::At(shard);
        self.peers.insert(id, Peer { room, place, published, received, local: true });
        Ok(())
    }

    pub(super) fn restart_ice(
        &mut self,
        peer: PeerId,
        credentials: Credentials,
    ) -> Result<(), Refusal> {
        let known = self.peers.get_mut(&peer).ok_or(Refusal::UnknownPeer)?;
        match &mut known.place {
            Place::Waiting { credentials: all, .. } => {
                all.truncate(1); // as the agent: those that were never used end
                all.push(credentials.clone());
                self.announce(peer, &credentials);
            }
            &mut Place::At(shard) => {
                self.name_elsewhere(peer, &credentials, shard);
                self.command(shard, Command::RestartIce { peer, credentials });
            }
        }
        Ok(())
    }

    pub(super) fn remove_peer(&mut self, id: PeerId) -> Result<(), Refusal> {
        let peer = self.peers.get(&id).ok_or(Refusal::UnknownPeer)?;
        let (published, received) = (peer.published.clone(), peer.received.clone());
        for track in published {
            self.end_mirrors(track);
        }
        for track in received {
            self.leave(track, id);
        }
        let only = self.peers.remove(&id).filter(|peer| peer.local).and_then(|peer| peer.shard());
        // Where it does not live it is known by name.
        let told = |shard: &ShardIndex| only.is_none_or(|only| only == *shard);
        for shard in (0..self.shards).map(ShardIndex).filter(told) {
            self.command(shard, Command::RemovePeer { peer: id });
        }
        Ok(())
    }

    /// The first claim wins; what waited is released.
    pub(super) fn settle(&mut self, id: PeerId, shard: ShardIndex) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Place::Waiting { credentials, held } = &mut peer.place else { return };
        let (credentials, held) = (std::mem::take(credentials), std::mem::take(held));
        let room = peer.room;
        peer.place = Place::At(shard);
        // First the shard itself: the others hand over what they have as soon as they know.
        for (index, credentials) in credentials.iter().cloned().enumerate() {
            self.command(
                shard,
                match index {
                    0 => Command::AddPeer { peer: id, room, credentials },
                    _ => Command::RestartIce { peer: id, credentials },
                },
            );
        }
        for credentials in &credentials {
            self.name_elsewhere(id, credentials, shard);
        }
        for command in held {
            // Refused is what has lost its sense meanwhile, as a subscription to a track that ended.
            let _ = self.handle(command);
        }
    }

    /// Hands a command on to the shard of a peer, or keeps it until there is one.
    pub(super) fn for_peer(&mut self, id: PeerId, command: Command) -> Result<(), Refusal> {
        let peer = self.peers.get_mut(&id).ok_or(Refusal::UnknownPeer)?;
        match &mut peer.place {
            &mut Place::At(shard) => self.command(shard, command),
            Place::Waiting { held, .. } => {
                if held.len() >= MAX_HELD {
                    let what = "commands for a peer that has not connected";
                    return Err(Refusal::TooMany { what, limit: MAX_HELD });
                }
                held.push(command);
            }
        }
        Ok(())
    }

    fn announce(&mut self, peer: PeerId, credentials: &Credentials) {
        for shard in (0..self.shards).map(ShardIndex) {
            self.order(shard, Order::Await { peer, credentials: credentials.clone() });
        }
    }

    fn name_elsewhere(&mut self, peer: PeerId, credentials: &Credentials, shard: ShardIndex) {
        for other in self.others(shard) {
            let ufrag = credentials.ufrag.clone();
            self.order(other, Order::Elsewhere { peer, ufrag, shard });
        }
    }
}

/// A newcomer to the largest meeting is subscribed to all its tracks, and some of them are paused.
const MAX_HELD: usize = 16_384;
