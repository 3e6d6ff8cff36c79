//! What a participant sends: tracks are announced, found in an offer, muted, ended.

use std::collections::HashMap;

use livekit_protocol as proto;
use proto::request_response::{Reason, Request as Echo};
use proto::signal_response::Message as Response;

use super::participant::{Needed, Published};
use super::token::Grants;
use super::types::{Fact, Identity, Refusal, Source, TrackState};
use super::{Signal, info};
use crate::command::{PeerId, TrackId};
use crate::room::MAX_TRACKS;
use crate::time::Now;

impl Signal {
    /// Announces a track; the client waits for `track_published` before it counts as published.
    pub(super) fn add_track(
        &mut self,
        peer: PeerId,
        request: proto::AddTrackRequest,
    ) -> Result<(), Refusal> {
        let id = TrackId(self.random.number());
        match self.announced_track(peer, id, &request) {
            Ok(track) => {
                let response =
                    proto::TrackPublishedResponse { cid: request.cid, track: Some(track) };
                self.send(peer, Response::TrackPublished(response));
            }
            // Told with the request itself, by which the client finds what failed; the error is
            // not returned, or it would be told twice.
            Err(refusal) => self.refuse(peer, Some(Echo::AddTrack(request)), 0, &refusal),
        }
        Ok(())
    }

    pub(in crate::signal) fn announced_track(
        &mut self,
        peer: PeerId,
        id: TrackId,
        request: &proto::AddTrackRequest,
    ) -> Result<proto::TrackInfo, Refusal> {
        let participant = self.participant(peer)?;
        let kind = info::kind(request.r#type).ok_or(Refusal::Unsupported)?;
        if !request.sid.is_empty() {
            return Err(Refusal::Unsupported); // a second codec, which we never ask for
        }
        check_announcement(request)?;
        let source = info::source(request, kind);
        if !participant.profile.grants.can_publish_source(source) {
            return Err(Refusal::NotAllowed);
        }
        let waiting = |track: &&Published| track.cid == request.cid && track.mid.is_none();
        if let Some(again) = participant.tracks.iter().find(waiting) {
            return Ok(again.info.clone());
        }
        if participant.tracks.len() >= MAX_TRACKS {
            return Err(Refusal::TooManyTracks { limit: MAX_TRACKS });
        }
        let info = info::announced(id, request);
        let cid = request.cid.clone();
        let track = Published {
            id,
            cid,
            kind,
            source,
            mid: None,
            heard: true,
            needed: Needed::default(),
            info: info.clone(),
        };
        participant.tracks.push(track);
        Ok(info)
    }

    /// The client mutes or unmutes its own track.
    pub(super) fn client_mute(
        &mut self,
        peer: PeerId,
        request: &proto::MuteTrackRequest,
    ) -> Result<(), Refusal> {
        let track = self.participant(peer)?.track_mut(&request.sid);
        let track = track.ok_or(Refusal::UnknownTrack)?;
        if track.info.muted == request.muted {
            return Ok(());
        }
        track.info.muted = request.muted;
        let (id, live) = (track.id, track.mid.is_some());
        if live {
            self.muted(peer, id);
        }
        Ok(())
    }

    /// The meeting mutes a participant.
    pub(in crate::signal) fn server_mute(
        &mut self,
        identity: &Identity,
        source: Source,
    ) -> Result<(), Refusal> {
        let peer = self.peer_of(identity).ok_or(Refusal::UnknownParticipant)?;
        let tracks = self.participant(peer)?.tracks.iter_mut();
        let sounding = tracks.filter(|track| track.source == source && !track.info.muted);
        let mut changed = Vec::new();
        for track in sounding {
            track.info.muted = true;
            changed.push((track.id, track.info.sid.clone(), track.mid.is_some()));
        }
        for (id, sid, live) in changed {
            let request = proto::MuteTrackRequest { sid, muted: true };
            self.send(peer, Response::Mute(request));
            if live {
                self.muted(peer, id);
            }
        }
        Ok(())
    }

    /// A live track's mute changed: the engine, the others and the meeting get to know. Not its
    /// owner: a client that has not muted yet would contradict.
    fn muted(&mut self, peer: PeerId, id: TrackId) {
        let Some(participant) = self.participants.get(&peer) else { return };
        let Some(track) = participant.tracks.iter().find(|track| track.id == id) else { return };
        let (muted, source) = (track.info.muted, track.source);
        let identity = participant.profile.identity.clone();
        // The track is live, so the room knows it.
        let _known = self.room.mute(id, muted);
        if muted && source != Source::ScreenShareAudio {
            self.silence(peer);
        }
        self.announce(peer, false);
        let state = if muted { TrackState::Muted } else { TrackState::On };
        self.fact(Fact::Track { identity, source, state });
    }

    /// Tracks that left the offer, or may not be published any more.
    pub(super) fn unpublish(&mut self, peer: PeerId, ended: &[TrackId]) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let identity = participant.profile.identity.clone();
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut participant.tracks)
            .into_iter()
            .partition(|track| ended.contains(&track.id));
        participant.tracks = kept;
        self.forget_tracks(&gone);
        for track in gone {
            self.room.unpublish(track.id);
            if track.source != Source::ScreenShareAudio && track.kind == crate::command::Kind::Audio
            {
                self.silence(peer);
            }
            if track.mid.is_some() {
                let identity = identity.clone();
                let (source, state) = (track.source, TrackState::Off);
                self.fact(Fact::Track { identity, source, state });
            }
        }
    }

    /// Nobody's wishes name tracks that are no more.
    pub(super) fn forget_tracks(&mut self, gone: &[Published]) {
        for participant in self.participants.values_mut() {
            for track in gone {
                participant.wishes.said.remove(&track.id);
                participant.wishes.hidden.remove(&track.id);
                participant.wishes.shown.remove(&track.id);
                participant.wishes.undecodable.remove(&track.id);
            }
        }
    }

    /// The meeting gives other rights: what is no longer allowed ends. Shown or hidden is settled
    /// when somebody joins.
    pub(in crate::signal) fn set_grants(
        &mut self,
        now: Now,
        identity: &Identity,
        grants: Grants,
    ) -> Result<(), Refusal> {
        let peer = self.peer_of(identity).ok_or(Refusal::UnknownParticipant)?;
        let participant = self.participant(peer)?;
        let forbidden = participant.tracks.iter();
        let forbidden = forbidden.filter(|track| !grants.can_publish_source(track.source));
        let (ended, sids): (Vec<TrackId>, Vec<String>) =
            forbidden.map(|track| (track.id, track.info.sid.clone())).unzip();
        let hidden = participant.profile.grants.hidden;
        participant.profile.grants = Grants { hidden, ..grants };
        self.unpublish(peer, &ended);
        for track_sid in sids {
            let response = proto::TrackUnpublishedResponse { track_sid };
            self.send(peer, Response::TrackUnpublished(response));
        }
        self.announce(peer, true);
        self.refresh_token(now, peer);
        self.reconcile(peer);
        Ok(())
    }

    pub(super) fn update_metadata(
        &mut self,
        peer: PeerId,
        request: proto::UpdateParticipantMetadata,
    ) -> Result<(), Refusal> {
        let id = request.request_id;
        match self.changed_metadata(peer, &request) {
            Ok(()) => {
                self.announce(peer, true);
                if id != 0 {
                    let done = proto::RequestResponse {
                        request_id: id,
                        reason: Reason::Ok.into(),
                        ..Default::default()
                    };
                    self.send(peer, Response::RequestResponse(done));
                }
            }
            Err(refusal) => {
                self.refuse(peer, Some(Echo::UpdateMetadata(request)), id, &refusal);
            }
        }
        Ok(())
    }

    fn changed_metadata(
        &mut self,
        peer: PeerId,
        request: &proto::UpdateParticipantMetadata,
    ) -> Result<(), Refusal> {
        let profile = &mut self.participant(peer)?.profile;
        if !profile.grants.can_update_own_metadata() {
            return Err(Refusal::NotAllowed);
        }
        check_text(&request.metadata)?;
        check_text(&request.name)?;
        let mut attributes = profile.attributes.clone();
        for (key, value) in &request.attributes {
            if value.is_empty() {
                attributes.remove(key);
            } else {
                attributes.insert(key.clone(), value.clone());
            }
        }
        check_attributes(&attributes)?;
        profile.attributes = attributes;
        if !request.metadata.is_empty() {
            profile.metadata.clone_from(&request.metadata);
        }
        if !request.name.is_empty() {
            profile.name.clone_from(&request.name);
        }
        Ok(())
    }

    pub(super) fn update_audio(
        &mut self,
        peer: PeerId,
        request: proto::UpdateLocalAudioTrack,
    ) -> Result<(), Refusal> {
        let track = self.participant(peer)?.track_mut(&request.track_sid);
        let track = track.ok_or(Refusal::UnknownTrack)?;
        track.info.audio_features = request.features.into_iter().take(MAX_FEATURES).collect();
        self.announce(peer, false);
        Ok(())
    }

    pub(super) fn update_video(
        &mut self,
        peer: PeerId,
        request: &proto::UpdateLocalVideoTrack,
    ) -> Result<(), Refusal> {
        let track = self.participant(peer)?.track_mut(&request.track_sid);
        let track = track.ok_or(Refusal::UnknownTrack)?;
        (track.info.width, track.info.height) = (request.width, request.height);
        self.announce(peer, false);
        Ok(())
    }
}

fn check_announcement(request: &proto::AddTrackRequest) -> Result<(), Refusal> {
    for text in [&request.cid, &request.name, &request.stream] {
        if text.len() > MAX_NAME_BYTES {
            return Err(Refusal::TextTooLong { len: text.len(), limit: MAX_NAME_BYTES });
        }
    }
    let codecs = request.simulcast_codecs.iter();
    let layers = request.layers.len() + codecs.map(|codec| codec.layers.len() + 1).sum::<usize>();
    let features = request.audio_features.len() + request.packet_trailer_features.len();
    let codec_names = request.simulcast_codecs.iter().all(|codec| codec.codec.len() <= 32);
    if layers > MAX_LAYERS || features > MAX_FEATURES || !codec_names {
        return Err(Refusal::Malformed);
    }
    Ok(())
}

/// Metadata or a name, mirrored to everybody.
pub(super) fn check_text(text: &str) -> Result<(), Refusal> {
    match text.len() {
        0..=MAX_TEXT_BYTES => Ok(()),
        len => Err(Refusal::TextTooLong { len, limit: MAX_TEXT_BYTES }),
    }
}

/// Attributes, mirrored to everybody.
pub(super) fn check_attributes(attributes: &HashMap<String, String>) -> Result<(), Refusal> {
    let len = attributes.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
    if len > MAX_TEXT_BYTES {
        return Err(Refusal::TextTooLong { len, limit: MAX_TEXT_BYTES });
    }
    Ok(())
}

const MAX_TEXT_BYTES: usize = 16 * 1024;
const MAX_NAME_BYTES: usize = 256;
const MAX_LAYERS: usize = 32;
const MAX_FEATURES: usize = 16;
