//! The table of one meeting's SFU room: peers, tracks, subscriptions; wishes become commands.
//!
//! Signalling machines ask here; what the engine must be told (and only that: an unchanged wish
//! costs nothing) comes out of [`Room::poll`]. What ends with a peer or a track is forgotten with
//! it, as the engine does.

use std::collections::{BTreeMap, VecDeque};

use crate::command::{
    Command, Fingerprint, Kind, PeerId, Preference, Publication, RoomId, Subscription, TrackId,
};
use crate::ice::Credentials;

/// One meeting's peers, tracks and subscriptions.
#[derive(Debug)]
pub struct Room {
    id: RoomId,
    peers: BTreeMap<PeerId, Option<Fingerprint>>,
    tracks: BTreeMap<TrackId, Track>,
    edges: BTreeMap<(TrackId, PeerId), Edge>,
    commands: VecDeque<Command>,
    revision: u64,
    audience: u64,
}

#[derive(Debug)]
struct Track {
    peer: PeerId,
    publication: Publication,
    muted: bool,
}

#[derive(Debug)]
struct Edge {
    subscription: Subscription,
    paused: bool,
    preference: Preference,
}

/// Why a wish was refused. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoomError {
    /// No such peer.
    #[error("the peer is unknown")]
    UnknownPeer,
    /// No such track.
    #[error("the track is unknown")]
    UnknownTrack,
    /// The track belongs to another peer.
    #[error("the track belongs to another peer")]
    NotYours,
    /// A peer does not hear itself.
    #[error("a peer cannot subscribe to its own track")]
    OwnTrack,
    /// The certificate changed within one transport.
    #[error("the fingerprint of a peer cannot change")]
    FingerprintChanged,
    /// As many tracks as a peer may publish.
    #[error("a peer publishes at most {limit} tracks")]
    TooManyTracks {
        /// How many.
        limit: usize,
    },
}

impl Room {
    /// A room without peers; `id` is what the engine knows it by.
    #[must_use]
    pub fn new(id: RoomId) -> Self {
        Self {
            id,
            peers: BTreeMap::new(),
            tracks: BTreeMap::new(),
            edges: BTreeMap::new(),
            commands: VecDeque::new(),
            revision: 0,
            audience: 0,
        }
    }

    /// The next command for the engine; call until `None`.
    pub fn poll(&mut self) -> Option<Command> {
        self.commands.pop_front()
    }

    /// A peer may connect.
    pub fn add_peer(&mut self, peer: PeerId, credentials: Credentials) {
        if self.peers.insert(peer, None).is_none() {
            self.commands.push_back(Command::AddPeer { peer, room: self.id, credentials });
        }
    }

    /// A program of this process will publish ([`crate::frame::Writer`]).
    pub fn add_local_peer(&mut self, peer: PeerId) {
        if self.peers.insert(peer, None).is_none() {
            self.commands.push_back(Command::AddLocalPeer { peer, room: self.id });
        }
    }

    /// The peer restarts ICE.
    ///
    /// # Errors
    /// [`RoomError::UnknownPeer`].
    pub fn restart_ice(&mut self, peer: PeerId, credentials: Credentials) -> Result<(), RoomError> {
        self.known(peer)?;
        self.commands.push_back(Command::RestartIce { peer, credentials });
        Ok(())
    }

    /// The certificate that the peer must show; the same one again is fine.
    ///
    /// # Errors
    /// [`RoomError::UnknownPeer`], [`RoomError::FingerprintChanged`].
    pub fn expect(&mut self, peer: PeerId, fingerprint: Fingerprint) -> Result<(), RoomError> {
        let known = self.peers.get_mut(&peer).ok_or(RoomError::UnknownPeer)?;
        match known {
            Some(before) if *before == fingerprint => Ok(()),
            Some(_) => Err(RoomError::FingerprintChanged),
            None => {
                *known = Some(fingerprint);
                self.commands.push_back(Command::ExpectFingerprint { peer, fingerprint });
                Ok(())
            }
        }
    }

    /// The peer is gone, its tracks and subscriptions too.
    pub fn remove_peer(&mut self, peer: PeerId) {
        if self.peers.remove(&peer).is_none() {
            return;
        }
        let tracks = &mut self.tracks;
        self.edges.retain(|(track, subscriber), _| {
            *subscriber != peer && tracks.get(track).is_some_and(|track| track.peer != peer)
        });
        let before = tracks.len();
        tracks.retain(|_, track| track.peer != peer);
        self.revision += u64::from(tracks.len() < before);
        self.change_audience(Command::RemovePeer { peer });
    }

    /// A peer publishes a track, or its description changed.
    ///
    /// # Errors
    /// [`RoomError::UnknownPeer`], [`RoomError::NotYours`], [`RoomError::TooManyTracks`].
    pub fn publish(
        &mut self,
        track: TrackId,
        peer: PeerId,
        publication: Publication,
    ) -> Result<(), RoomError> {
        self.known(peer)?;
        let count = self.tracks.values().filter(|track| track.peer == peer).count();
        match self.tracks.get_mut(&track) {
            Some(known) if known.peer != peer => return Err(RoomError::NotYours),
            Some(known) if known.publication == publication => return Ok(()),
            Some(known) => known.publication = publication.clone(),
            None if count >= MAX_TRACKS => {
                return Err(RoomError::TooManyTracks { limit: MAX_TRACKS });
            }
            None => {
                let new = Track { peer, publication: publication.clone(), muted: false };
                self.tracks.insert(track, new);
            }
        }
        self.revision += 1;
        self.change_audience(Command::Publish { track, peer, publication });
        Ok(())
    }

    /// The track ends, with its subscriptions.
    pub fn unpublish(&mut self, track: TrackId) {
        if self.tracks.remove(&track).is_some() {
            self.edges.retain(|(known, _), _| *known != track);
            self.revision += 1;
            self.change_audience(Command::Unpublish { track });
        }
    }

    /// Packets of the track are dropped, or let through again.
    ///
    /// # Errors
    /// [`RoomError::UnknownTrack`].
    pub fn mute(&mut self, track: TrackId, muted: bool) -> Result<(), RoomError> {
        let known = self.tracks.get_mut(&track).ok_or(RoomError::UnknownTrack)?;
        if known.muted != muted {
            known.muted = muted;
            self.revision += 1;
            self.commands.push_back(Command::Mute { track, muted });
        }
        Ok(())
    }

    /// The track is forwarded to a peer, or the description of that changed.
    ///
    /// # Errors
    /// [`RoomError::UnknownPeer`], [`RoomError::UnknownTrack`], [`RoomError::OwnTrack`].
    pub fn subscribe(
        &mut self,
        track: TrackId,
        peer: PeerId,
        subscription: Subscription,
    ) -> Result<(), RoomError> {
        self.known(peer)?;
        let publisher = self.tracks.get(&track).ok_or(RoomError::UnknownTrack)?.peer;
        if publisher == peer {
            return Err(RoomError::OwnTrack);
        }
        let (paused, preference) = match self.edges.get_mut(&(track, peer)) {
            Some(edge) if edge.subscription == subscription => return Ok(()),
            Some(edge) => {
                edge.subscription = subscription.clone();
                (edge.paused, edge.preference)
            }
            None => {
                let preference = Preference::default();
                let subscription = subscription.clone();
                let edge = Edge { subscription, paused: false, preference };
                self.edges.insert((track, peer), edge);
                (false, preference)
            }
        };
        self.change_audience(Command::Subscribe { track, peer, subscription });
        // The engine may have made a new edge of it, which knows nothing of these.
        if preference != Preference::default() {
            self.change_audience(Command::Prefer { track, peer, preference });
        }
        if paused {
            self.change_audience(Command::Pause { track, peer, paused });
        }
        Ok(())
    }

    /// The track is no longer forwarded to the peer.
    pub fn unsubscribe(&mut self, track: TrackId, peer: PeerId) {
        if self.edges.remove(&(track, peer)).is_some() {
            self.change_audience(Command::Unsubscribe { track, peer });
        }
    }

    /// The peer hides the track or shows it again. Of no effect without a subscription.
    pub fn pause(&mut self, track: TrackId, peer: PeerId, paused: bool) {
        if let Some(edge) = self.edges.get_mut(&(track, peer))
            && edge.paused != paused
        {
            edge.paused = paused;
            self.change_audience(Command::Pause { track, peer, paused });
        }
    }

    /// How the peer shows the track. Of no effect without a subscription.
    pub fn prefer(&mut self, track: TrackId, peer: PeerId, preference: Preference) {
        if let Some(edge) = self.edges.get_mut(&(track, peer))
            && edge.preference != preference
        {
            edge.preference = preference;
            self.change_audience(Command::Prefer { track, peer, preference });
        }
    }

    /// Grows with every change of what is published, or muted.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Grows with every change of what is published, or of who receives it and how.
    #[must_use]
    pub fn audience(&self) -> u64 {
        self.audience
    }

    /// What is published, and by whom.
    pub fn tracks(&self) -> impl Iterator<Item = (TrackId, PeerId, Kind)> {
        self.tracks.iter().map(|(id, track)| (*id, track.peer, track.publication.kind))
    }

    /// How a track is published.
    #[must_use]
    pub fn publication(&self, track: TrackId) -> Option<&Publication> {
        self.tracks.get(&track).map(|track| &track.publication)
    }

    /// Who receives a track, whether it is hidden there, and how it is shown.
    pub fn subscribers(&self, track: TrackId) -> impl Iterator<Item = (PeerId, bool, Preference)> {
        let from = (track, PeerId(u64::MIN));
        let edges = self.edges.range(from..=(track, PeerId(u64::MAX)));
        edges.map(|((_, peer), edge)| (*peer, edge.paused, edge.preference))
    }

    /// To what a peer is subscribed.
    pub fn subscriptions(&self, peer: PeerId) -> impl Iterator<Item = TrackId> {
        let edges = self.edges.keys();
        edges.filter(move |(_, subscriber)| *subscriber == peer).map(|(track, _)| *track)
    }

    fn change_audience(&mut self, command: Command) {
        self.audience += 1;
        self.commands.push_back(command);
    }

    fn known(&self, peer: PeerId) -> Result<(), RoomError> {
        self.peers.get(&peer).map(|_| ()).ok_or(RoomError::UnknownPeer)
    }
}

/// As many tracks as one peer may publish.
pub const MAX_TRACKS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::command::{Encoding, Extensions, Label, Payload};

    fn payload() -> Payload {
        let codec = Codec::Opus;
        Payload { payload_type: 111, codec, clock_rate: 48_000, rtx: None, nack: false, pli: false }
    }

    fn publication() -> Publication {
        Publication {
            kind: Kind::Audio,
            mid: Label::new(b"0").unwrap(),
            encodings: vec![Encoding::default()],
            codecs: vec![payload()],
            extensions: Extensions::default(),
            screen: false,
            sizes: Vec::new(),
        }
    }

    fn subscription(ssrc: u32) -> Subscription {
        Subscription {
            mid: Label::new(b"1").unwrap(),
            ssrc,
            rtx_ssrc: None,
            codecs: vec![payload()],
            extensions: Extensions::default(),
            cname: "c".into(),
        }
    }

    fn room() -> Room {
        let mut room = Room::new(RoomId(1));
        for peer in [PeerId(1), PeerId(2)] {
            room.add_peer(peer, Credentials { ufrag: "u".into(), password: "p".into() });
        }
        room.publish(TrackId(9), PeerId(1), publication()).unwrap();
        while room.poll().is_some() {}
        room
    }

    fn count(room: &mut Room) -> usize {
        std::iter::from_fn(|| room.poll()).count()
    }

    #[test]
    fn an_unchanged_wish_costs_the_engine_nothing() {
        let mut room = room();
        room.publish(TrackId(9), PeerId(1), publication()).unwrap();
        assert_eq!(count(&mut room), 0);
        room.subscribe(TrackId(9), PeerId(2), subscription(5)).unwrap();
        room.subscribe(TrackId(9), PeerId(2), subscription(5)).unwrap();
        assert_eq!(count(&mut room), 1);
        room.subscribe(TrackId(9), PeerId(2), subscription(6)).unwrap();
        room.mute(TrackId(9), false).unwrap();
        room.pause(TrackId(9), PeerId(2), false);
        assert_eq!(count(&mut room), 1);
    }

    #[test]
    fn a_hidden_track_stays_hidden_when_its_description_changes() {
        let mut room = room();
        room.subscribe(TrackId(9), PeerId(2), subscription(5)).unwrap();
        room.pause(TrackId(9), PeerId(2), true);
        assert_eq!(count(&mut room), 2);
        room.subscribe(TrackId(9), PeerId(2), subscription(6)).unwrap();
        assert!(matches!(room.poll(), Some(Command::Subscribe { .. })));
        assert!(matches!(room.poll(), Some(Command::Pause { paused: true, .. })));
        assert_eq!(count(&mut room), 0);
    }

    #[test]
    fn a_peer_that_goes_takes_its_tracks_and_subscriptions_with_it() {
        let mut room = room();
        room.subscribe(TrackId(9), PeerId(2), subscription(5)).unwrap();
        room.remove_peer(PeerId(1));
        assert_eq!(room.subscriptions(PeerId(2)).count(), 0);
        assert_eq!(room.tracks().count(), 0);
        assert_eq!(room.mute(TrackId(9), true), Err(RoomError::UnknownTrack));
        room.remove_peer(PeerId(1));
        assert_eq!(count(&mut room), 2, "subscribe, remove");
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_changes_nothing() {
        let mut room = room();
        let own = room.subscribe(TrackId(9), PeerId(1), subscription(5));
        assert_eq!(own, Err(RoomError::OwnTrack));
        let stranger = room.subscribe(TrackId(9), PeerId(3), subscription(5));
        assert_eq!(stranger, Err(RoomError::UnknownPeer));
        let theft = room.publish(TrackId(9), PeerId(2), publication());
        assert_eq!(theft, Err(RoomError::NotYours));
        for track in 100..116 {
            room.publish(TrackId(track), PeerId(2), publication()).unwrap();
        }
        let one_more = room.publish(TrackId(200), PeerId(2), publication());
        assert_eq!(one_more, Err(RoomError::TooManyTracks { limit: MAX_TRACKS }));
        assert_eq!(count(&mut room), 16);
    }

    #[test]
    fn the_certificate_of_a_peer_cannot_change() {
        let mut room = room();
        room.expect(PeerId(1), Fingerprint([1; 32])).unwrap();
        room.expect(PeerId(1), Fingerprint([1; 32])).unwrap();
        let changed = room.expect(PeerId(1), Fingerprint([2; 32]));
        assert_eq!(changed, Err(RoomError::FingerprintChanged));
        assert_eq!(count(&mut room), 1);
    }
}
