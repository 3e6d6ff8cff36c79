//! What the control plane wants, carried out; and how everything ends.

use crate::command::{Command, PeerId, Publication, RoomId, TrackId};
use crate::forward::Edge;
use crate::forward::layers::MAX_ENCODINGS;
use crate::ice::{Agent, Credentials};
use crate::peer::{Binding, Peer, Role};
use crate::slab::Key;
use crate::srtp::Keys;
use crate::stats::DropReason;
use crate::time::Now;
use crate::track::{Origin, Track};

use super::timers::Due;
use super::{MAX_PEERS, Refusal, Shard, hash};

impl Shard {
    /// Carries out one wish.
    pub(super) fn command(&mut self, now: Now, command: Command) -> Result<(), Refusal> {
        let done = match command {
            Command::AddPeer { peer, room, credentials } => {
                self.add_peer(now, peer, room, credentials)
            }
            Command::RestartIce { peer, credentials } => self.restart_ice(peer, credentials),
            // The handshake's business; the keys come only if it was satisfied.
            Command::ExpectFingerprint { peer, .. }
            | Command::Negotiate { peer, .. }
            | Command::SendData { peer, .. } => self.peer_key(peer).map(|_| ()),
            Command::AddLocalPeer { peer, room } => self.add_local_peer(now, peer, room),
            Command::RemovePeer { peer } => self.remove_peer(now, peer),
            Command::SetKeys { peer, keys } => self.set_keys(now, peer, &keys),
            Command::SendDatagram { peer, datagram } => self.send_datagram(peer, &datagram),
            Command::Publish { track, peer, publication } => {
                self.publish(now, track, peer, publication)
            }
            Command::Unpublish { track } => {
                self.track_key(track).map(|track| self.end_track(now, track))
            }
            Command::Mute { track, muted } => self.mute(now, track, muted),
            Command::Subscribe { track, peer, subscription } => {
                self.subscribe(now, track, peer, subscription)
            }
            Command::Unsubscribe { track, peer } => {
                self.edge_key(track, peer).map(|edge| self.end_edge(edge))
            }
            Command::Pause { track, peer, paused } => self.pause(now, track, peer, paused),
            Command::Prefer { track, peer, preference } => {
                self.prefer(now, (track, peer), preference)
            }
            Command::Limit { peer, bits_per_second } => self.limit(now, peer, bits_per_second),
            Command::SetPadding { peer, padding } => self.set_padding(peer, padding),
            Command::AskStats { peer } => self.ask_stats(now, peer),
            Command::Tap { track, tap } => self.add_tap(now, track, tap),
            Command::AskKeyframe { track, encoding } => self.ask_keyframe(now, track, encoding),
            Command::Inject { track, frame } => self.inject(now, track, &frame),
        };
        self.count();
        done
    }

    pub(super) fn add_peer(
        &mut self,
        now: Now,
        id: PeerId,
        room: RoomId,
        credentials: Credentials,
    ) -> Result<(), Refusal> {
        if self.peers.len() >= MAX_PEERS {
            return Err(Refusal::TooMany { what: "peers", limit: MAX_PEERS });
        }
        if self.peer_ids.contains_key(&id) || self.ufrags.contains_key(&credentials.ufrag) {
            return Err(Refusal::Duplicate);
        }
        let first_check = self.others.forget(id).flatten();
        let [.., a, b, c, d] = hash::derive(self.seed, id.0).to_be_bytes();
        let report_ssrc = u32::from_be_bytes([a, b, c, d]);
        let ufrag = credentials.ufrag.clone();
        let stage = self.enter_room(room);
        let key = self.peers.insert(Peer::new(id, stage, Agent::new(credentials), report_ssrc));
        if let Some(peer) = self.peers.get_mut(key) {
            // Even ones; the odd ones are those of edges.
            peer.set_slot(key.slot().saturating_mul(2));
            peer.padding = self.padding;
            peer.timer = self.out.timers.insert(now.mono, Due::Peer(key));
        }
        self.ufrags.insert(ufrag, key);
        self.peer_ids.insert(id, key);
        self.peer_placed(now, first_check);
        Ok(())
    }

    fn restart_ice(&mut self, id: PeerId, credentials: Credentials) -> Result<(), Refusal> {
        let key = self.peer_key(id)?;
        if self.ufrags.get(&credentials.ufrag).is_some_and(|&other| other != key) {
            return Err(Refusal::Duplicate);
        }
        let peer = self.peers.get_mut(key).ok_or(Refusal::UnknownPeer)?;
        peer.agent.restart(credentials);
        // Restarts are rare: what is no longer one of the agent's two names goes here.
        self.ufrags.retain(|_, &mut other| other != key);
        self.ufrags.extend(peer.agent.ufrags().map(|ufrag| (ufrag.to_owned(), key)));
        Ok(())
    }

    pub(super) fn remove_peer(&mut self, now: Now, id: PeerId) -> Result<(), Refusal> {
        let Some(key) = self.peer_ids.remove(&id) else {
            return self.others.forget(id).map(|_| ()).ok_or(Refusal::UnknownPeer);
        };
        while let Some(&track) = self.peers.get(key).and_then(|peer| peer.published.last()) {
            self.end_track(now, track);
        }
        while let Some(&edge) = self.peers.get(key).and_then(|peer| peer.received.last()) {
            self.end_edge(edge);
        }
        if let Some(peer) = self.peers.remove(key) {
            self.out.timers.remove(peer.timer);
            self.leave_room(peer.stage);
        }
        self.ufrags.retain(|_, &mut other| other != key);
        self.addresses.retain(|_, &mut other| other != key);
        Ok(())
    }

    fn set_keys(&mut self, now: Now, id: PeerId, keys: &Keys) -> Result<(), Refusal> {
        let key = self.peer_key(id)?;
        let peer = self.peers.get_mut(key).ok_or(Refusal::UnknownPeer)?;
        peer.set_keys(keys).map_err(|_| Refusal::Keys)?;
        self.begin_edges(now, key);
        Ok(())
    }

    fn send_datagram(&mut self, id: PeerId, datagram: &[u8]) -> Result<(), Refusal> {
        let key = self.peer_key(id)?;
        let peer = self.peers.get(key).ok_or(Refusal::UnknownPeer)?;
        let to = peer.destination().ok_or(Refusal::NoAddress)?;
        if self.out.egress.push(to, datagram) {
            Ok(())
        } else {
            self.out.counters.drop_one(DropReason::ArenaFull);
            Err(Refusal::Dropped(DropReason::ArenaFull))
        }
    }

    fn publish(
        &mut self,
        now: Now,
        id: TrackId,
        peer: PeerId,
        publication: Publication,
    ) -> Result<(), Refusal> {
        if publication.encodings.len() > MAX_ENCODINGS {
            return Err(Refusal::TooMany { what: "encodings of a track", limit: MAX_ENCODINGS });
        }
        let publisher = self.peer_key(peer)?;
        let key = match self.track_ids.get(&id) {
            Some(&key) => {
                self.describe_track(key, Origin::Peer(publisher), publication)?;
                key
            }
            None => self.add_track(now, id, publisher, publication)?,
        };
        let stage = self.peers.get(publisher).and_then(|peer| self.stages.get(peer.stage));
        if let Some(room) = stage.map(|stage| stage.room) {
            self.enter_stage(now, key, room);
        }
        self.bind_announced(now, key);
        self.join_all(now, key);
        Ok(())
    }

    fn add_track(
        &mut self,
        now: Now,
        id: TrackId,
        publisher: Key<Peer>,
        publication: Publication,
    ) -> Result<Key<Track>, Refusal> {
        let peer = self.peers.get(publisher).ok_or(Refusal::UnknownPeer)?;
        if peer.published.len() >= MAX_TRACKS {
            return Err(Refusal::TooMany { what: "tracks of a peer", limit: MAX_TRACKS });
        }
        let key = self.keep_track(now, Track::new(id, Origin::Peer(publisher), publication));
        let peer = self.peers.get_mut(publisher).ok_or(Refusal::UnknownPeer)?;
        peer.published.push(key);
        Ok(key)
    }

    /// Gives a track its places in the tables.
    pub(super) fn keep_track(&mut self, now: Now, track: Track) -> Key<Track> {
        let id = track.id;
        let key = self.tracks.insert(track);
        if let Some(track) = self.tracks.get_mut(key) {
            track.timer = self.out.timers.insert(now.mono, Due::Track(key));
        }
        self.track_ids.insert(id, key);
        key
    }

    /// A track is described anew; with other encodings it begins anew.
    pub(super) fn describe_track(
        &mut self,
        key: Key<Track>,
        origin: Origin,
        publication: Publication,
    ) -> Result<(), Refusal> {
        let track = self.tracks.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        if track.origin != origin {
            return Err(Refusal::Duplicate);
        }
        let encodings = track.publication.encodings != publication.encodings;
        if encodings {
            track.restart(publication);
            if let Origin::Peer(publisher) = origin
                && let Some(peer) = self.peers.get_mut(publisher)
            {
                peer.sources.unbind(key);
            }
        } else {
            track.publication = publication;
        }
        for &edge in &track.edges {
            let Some(edge) = self.edges.get_mut(edge) else { continue };
            edge.describe(&track.publication);
            if encodings {
                (0..MAX_ENCODINGS).for_each(|encoding| edge.forget(encoding));
            }
        }
        Ok(())
    }

    /// Binds the sources that the publication names.
    fn bind_announced(&mut self, now: Now, key: Key<Track>) {
        let Some(track) = self.tracks.get(key) else { return };
        let Origin::Peer(publisher) = track.origin else { return };
        let transport_cc = track.publication.extensions.transport_cc;
        let mut announced = Vec::new();
        for (encoding, description) in track.publication.encodings.iter().enumerate() {
            let bind = |role| move |ssrc| Binding { ssrc, track: key, encoding, role };
            announced.extend(description.ssrc.map(bind(Role::Media)));
            announced.extend(description.rtx_ssrc.map(bind(Role::Repair)));
        }
        if let Some(peer) = self.peers.get_mut(publisher) {
            peer.upstream.negotiate(transport_cc);
        }
        for binding in announced {
            self.bind(now, publisher, binding);
        }
    }

    fn mute(&mut self, now: Now, id: TrackId, muted: bool) -> Result<(), Refusal> {
        let key = self.track_key(id)?;
        let track = self.tracks.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        track.muted = muted;
        if muted {
            for encoding in &mut track.encodings {
                encoding.keyframe_at = None;
                encoding.gate.open();
            }
            for &edge in &track.edges {
                if let Some(edge) = self.edges.get_mut(edge) {
                    edge.rest();
                }
            }
        } else {
            self.join_all(now, key);
        }
        Ok(())
    }

    fn end_track(&mut self, now: Now, key: Key<Track>) {
        while let Some(&edge) = self.tracks.get(key).and_then(|track| track.edges.last()) {
            self.end_edge(edge);
        }
        let Some(track) = self.tracks.remove(key) else { return };
        self.out.timers.remove(track.timer);
        if let Some(place) = track.place {
            self.leave_stage(now, place);
        }
        self.track_ids.remove(&track.id);
        let Origin::Peer(publisher) = track.origin else {
            self.out.counters.mirrors -= 1;
            return;
        };
        if let Some(peer) = self.peers.get_mut(publisher) {
            peer.published.retain(|&other| other != key);
            peer.sources.unbind(key);
        }
    }

    pub(super) fn peer_key(&self, id: PeerId) -> Result<Key<Peer>, Refusal> {
        self.peer_ids.get(&id).copied().ok_or(Refusal::UnknownPeer)
    }

    pub(super) fn track_key(&self, id: TrackId) -> Result<Key<Track>, Refusal> {
        self.track_ids.get(&id).copied().ok_or(Refusal::UnknownTrack)
    }

    pub(super) fn edge_key(&self, id: TrackId, peer: PeerId) -> Result<Key<Edge>, Refusal> {
        let (track, peer) = (self.track_key(id)?, self.peer_key(peer)?);
        let received = self.peers.get(peer).map(|peer| peer.received.as_slice());
        let of_track = |key: &&Key<Edge>| self.edges.get(**key).is_some_and(|e| e.track == track);
        received.unwrap_or_default().iter().find(of_track).copied().ok_or(Refusal::UnknownTrack)
    }

    pub(super) fn count(&mut self) {
        let counters = &mut self.out.counters;
        counters.paths = self.addresses.len() as u64;
        counters.peers = self.peers.len() as u64;
        counters.tracks = self.tracks.len() as u64 - counters.mirrors;
        counters.edges = self.edges.len() as u64;
    }
}

/// Published by one peer: microphone, camera and screen with sound, and room for devices.
const MAX_TRACKS: usize = 16;
