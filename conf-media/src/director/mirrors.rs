//! On which shards a track is wanted.

use std::collections::BTreeSet;

use crate::command::{Command, PeerId, Publication, TrackId};
use crate::shard::Refusal;

use super::{Director, MAX_SHARDS, Mirror, Order, ShardIndex};

/// What is known of one track.
#[derive(Debug)]
pub(super) struct Track {
    publisher: PeerId,
    publication: Publication,
    muted: bool,
    subscribers: BTreeSet<PeerId>,
    /// How many of them live on each shard.
    count: [u32; MAX_SHARDS],
}

impl Director {
    pub(super) fn publish(
        &mut self,
        track: TrackId,
        peer: PeerId,
        publication: Publication,
    ) -> Result<(), Refusal> {
        let publisher = self.peers.get_mut(&peer).ok_or(Refusal::UnknownPeer)?;
        if self.tracks.get(&track).is_some_and(|known| known.publisher != peer) {
            return Err(Refusal::Duplicate);
        }
        publisher.published.insert(track);
        let known = self.tracks.entry(track).or_insert_with(|| Track {
            publisher: peer,
            publication: publication.clone(),
            muted: false,
            subscribers: BTreeSet::new(),
            count: [0; MAX_SHARDS],
        });
        known.publication = publication.clone();
        self.for_peer(peer, Command::Publish { track, peer, publication })?;
        for shard in self.mirrors(track) {
            self.mirror(track, shard);
        }
        Ok(())
    }

    /// A command about a track waits for the shard of its publisher, then for that of its
    /// subscriber.
    pub(super) fn of_track(&mut self, id: TrackId, command: Command) -> Result<(), Refusal> {
        let track = self.tracks.get_mut(&id).ok_or(Refusal::UnknownTrack)?;
        let publisher = track.publisher;
        let Some(home) = self.shard_of(publisher)? else {
            return self.for_peer(publisher, command);
        };
        match command {
            Command::Subscribe { peer, .. } => {
                let Some(shard) = self.shard_of(peer)? else { return self.for_peer(peer, command) };
                self.join(id, peer, (home, shard));
                self.command(shard, command);
            }
            Command::Unsubscribe { peer, .. } => {
                self.for_peer(peer, command)?;
                if self.shard_of(peer)?.is_some() {
                    self.leave(id, peer);
                }
            }
            Command::Pause { peer, .. } | Command::Prefer { peer, .. } => {
                self.for_peer(peer, command)?;
            }
            Command::Tap { .. } | Command::AskKeyframe { .. } | Command::Inject { .. } => {
                self.command(home, command);
            }
            Command::Mute { muted, .. } => {
                if let Some(track) = self.tracks.get_mut(&id) {
                    track.muted = muted;
                }
                self.command(home, command);
                for shard in self.mirrors(id) {
                    self.command(shard, Command::Mute { track: id, muted });
                }
            }
            command => {
                self.command(home, command);
                self.end_mirrors(id);
            }
        }
        Ok(())
    }

    /// A peer receives a track: its shard has it, or a mirror of it, from now on.
    fn join(&mut self, id: TrackId, peer: PeerId, (home, shard): (ShardIndex, ShardIndex)) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if !track.subscribers.insert(peer) {
            return;
        }
        let mut first = false;
        if let Some(count) = track.count.get_mut(shard.at()) {
            first = *count == 0;
            *count += 1;
        }
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.received.insert(id);
        }
        if first && shard != home {
            self.mirror(id, shard);
            self.order(home, Order::Relay { track: id, to: shard, on: true });
        }
    }

    /// A peer no longer receives a track: without another one the mirror on its shard ends.
    pub(super) fn leave(&mut self, id: TrackId, peer: PeerId) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        if !track.subscribers.remove(&peer) {
            return;
        }
        let publisher = track.publisher;
        let Some(subscriber) = self.peers.get_mut(&peer) else { return };
        subscriber.received.remove(&id);
        let Some(shard) = subscriber.shard() else { return };
        let Some(count) = track.count.get_mut(shard.at()) else { return };
        *count = count.saturating_sub(1);
        if *count > 0 {
            return;
        }
        let Ok(Some(home)) = self.shard_of(publisher) else { return };
        if home != shard {
            self.order(home, Order::Relay { track: id, to: shard, on: false });
            self.command(shard, Command::Unpublish { track: id });
        }
    }

    /// A track ends, or its publisher: on the publisher's shard that is known by the command.
    pub(super) fn end_mirrors(&mut self, id: TrackId) {
        for shard in self.mirrors(id) {
            self.command(shard, Command::Unpublish { track: id });
        }
        let Some(track) = self.tracks.remove(&id) else { return };
        for subscriber in track.subscribers {
            if let Some(peer) = self.peers.get_mut(&subscriber) {
                peer.received.remove(&id);
            }
        }
        if let Some(peer) = self.peers.get_mut(&track.publisher) {
            peer.published.remove(&id);
        }
    }

    /// The shards that have a mirror of a track.
    fn mirrors(&self, id: TrackId) -> Vec<ShardIndex> {
        let Some(track) = self.tracks.get(&id) else { return Vec::new() };
        let Ok(Some(home)) = self.shard_of(track.publisher) else { return Vec::new() };
        let wanted = |shard: &ShardIndex| track.count.get(shard.at()).is_some_and(|&n| n > 0);
        self.others(home).filter(wanted).collect()
    }

    fn mirror(&mut self, id: TrackId, shard: ShardIndex) {
        let Some(track) = self.tracks.get(&id) else { return };
        let Some(publisher) = self.peers.get(&track.publisher) else { return };
        let Some(from) = publisher.shard() else { return };
        let publication = track.publication.clone();
        let (room, muted) = (publisher.room, track.muted);
        self.order(shard, Order::Mirror(Mirror { track: id, room, publication, muted, from }));
    }
}
