//! Edges: which tracks a peer receives, and how that begins and ends.

use crate::command::{PeerId, Subscription, TrackId};
use crate::forward::Edge;
use crate::forward::rewrite::Stopped;
use crate::peer::Peer;
use crate::slab::Key;
use crate::time::Now;
use crate::track::Track;

use super::timers::Due;
use super::{Refusal, Shard, hash};

impl Shard {
    pub(super) fn subscribe(
        &mut self,
        now: Now,
        id: TrackId,
        peer: PeerId,
        subscription: Subscription,
    ) -> Result<(), Refusal> {
        let track = self.track_key(id)?;
        let subscriber = self.peer_key(peer)?;
        if let Ok(key) = self.edge_key(id, peer) {
            let same = self.edges.get(key).is_some_and(|edge| {
                edge.subscription.ssrc == subscription.ssrc
                    && edge.subscription.rtx_ssrc == subscription.rtx_ssrc
            });
            if same {
                self.describe_edge(key, subscription);
                return Ok(());
            }
            self.end_edge(key);
        }
        let key = self.add_edge(now, track, subscriber, subscription)?;
        self.allocate_soon(now, subscriber);
        let (tracks, mut downstream) = self.downstream(now);
        if let Some(track) = tracks.get_mut(track) {
            downstream.join(track, key);
        }
        Ok(())
    }

    fn describe_edge(&mut self, key: Key<Edge>, subscription: Subscription) {
        let Some(edge) = self.edges.get_mut(key) else { return };
        let Some(track) = self.tracks.get(edge.track) else { return };
        if edge.subscription != subscription {
            if let Some(peer) = self.peers.get_mut(edge.subscriber)
                && subscription.extensions.transport_cc.is_some()
            {
                peer.number_transport(self.estimate);
            }
            edge.subscription = subscription;
            edge.describe(&track.publication);
        }
    }

    fn add_edge(
        &mut self,
        now: Now,
        key: Key<Track>,
        subscriber: Key<Peer>,
        subscription: Subscription,
    ) -> Result<Key<Edge>, Refusal> {
        let track = self.tracks.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        let peer = self.peers.get_mut(subscriber).ok_or(Refusal::UnknownPeer)?;
        if peer.received.len() >= MAX_RECEIVED {
            return Err(Refusal::TooMany {
                what: "tracks received by a peer",
                limit: MAX_RECEIVED,
            });
        }
        let seed = self.seed;
        // In the lower half, so that the receiver's guess of the first roll-over is right.
        let first = |ssrc: u32| {
            let [.., high, low] = hash::derive(seed, u64::from(ssrc) << 8).to_be_bytes();
            let sequence = u16::from_be_bytes([high & 0x3f, low]);
            peer.resume(ssrc).unwrap_or(Stopped { sequence, time: None })
        };
        let before = first(subscription.ssrc);
        let last_repair = subscription.rtx_ssrc.map(first).unwrap_or_default().sequence;
        if subscription.extensions.transport_cc.is_some() {
            peer.number_transport(self.estimate);
        }
        let described = (key, &track.publication);
        let mut edge = Edge::new(described, subscriber, subscription, (before, last_repair));
        edge.set_padding(peer.padding);
        let edge = self.edges.insert(edge);
        if let Some(entry) = self.edges.get_mut(edge) {
            entry.set_key(edge, track.publication.kind);
            entry.timer = self.out.timers.insert(now.mono, Due::Edge(edge));
        }
        track.edges.push(edge);
        peer.received.push(edge);
        Ok(edge)
    }

    pub(super) fn pause(
        &mut self,
        now: Now,
        id: TrackId,
        peer: PeerId,
        paused: bool,
    ) -> Result<(), Refusal> {
        let key = self.edge_key(id, peer)?;
        let track = self.track_key(id)?;
        let edge = self.edges.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        edge.still.paused = paused;
        let subscriber = edge.subscriber;
        if paused {
            edge.rest();
        }
        self.allocate_soon(now, subscriber);
        if paused {
            return Ok(());
        }
        let (tracks, mut downstream) = self.downstream(now);
        if let Some(track) = tracks.get_mut(track) {
            downstream.join(track, key);
        }
        Ok(())
    }

    pub(super) fn set_padding(&mut self, id: PeerId, padding: bool) -> Result<(), Refusal> {
        let key = self.peer_key(id)?;
        let peer = self.peers.get_mut(key).ok_or(Refusal::UnknownPeer)?;
        peer.padding = padding;
        for &edge in &peer.received {
            if let Some(edge) = self.edges.get_mut(edge) {
                edge.set_padding(padding);
            }
        }
        Ok(())
    }

    /// A peer can be sent to now: what it receives begins.
    pub(super) fn begin_edges(&mut self, now: Now, key: Key<Peer>) {
        let mut index = 0;
        while let Some(&edge) = self.peers.get(key).and_then(|peer| peer.received.get(index)) {
            index += 1;
            let Some(track) = self.edges.get(edge).map(|edge| edge.track) else { continue };
            let (tracks, mut downstream) = self.downstream(now);
            if let Some(track) = tracks.get_mut(track) {
                downstream.join(track, edge);
            }
        }
    }

    /// A track can be sent (again): its edges begin.
    pub(super) fn join_all(&mut self, now: Now, key: Key<Track>) {
        let mut index = 0;
        while let Some(&edge) = self.tracks.get(key).and_then(|track| track.edges.get(index)) {
            index += 1;
            let (tracks, mut downstream) = self.downstream(now);
            if let Some(track) = tracks.get_mut(key) {
                downstream.join(track, edge);
            }
        }
    }

    pub(super) fn end_edge(&mut self, key: Key<Edge>) {
        let Some(edge) = self.edges.remove(key) else { return };
        self.out.timers.remove(edge.timer);
        if let Some(track) = self.tracks.get_mut(edge.track) {
            track.edges.retain(|&other| other != key);
        }
        if let Some(peer) = self.peers.get_mut(edge.subscriber) {
            peer.received.retain(|&other| other != key);
            let (media, repair) = edge.stopped();
            peer.count_ended(&edge.report);
            peer.finish(edge.subscription.ssrc, media);
            if let Some(ssrc) = edge.subscription.rtx_ssrc {
                peer.finish(ssrc, repair);
            }
        }
    }
}

const MAX_RECEIVED: usize = 4_096;
