//! Who speaks, told in batches: loudness changes all the time. And whose sound is forwarded, told at
//! once.

use std::time::Duration;

use livekit_protocol as proto;
use proto::signal_response::Message as Response;

use super::Signal;
use super::info::track_sid;
use super::participant::Participant;
use super::types::{Fact, Source};
use crate::command::{PeerId, TrackId};
use crate::time::Now;

impl Signal {
    pub(super) fn level(&mut self, now: Now, track: TrackId, level: f32, speaking: bool) {
        let participant = self
            .participants
            .values_mut()
            .find(|participant| participant.tracks.iter().any(|known| known.id == track));
        let Some(participant) = participant else { return };
        let known = participant.tracks.iter().find(|known| known.id == track);
        // The sound of a shared screen is nobody speaking.
        let counts = known
            .is_some_and(|known| known.source != Source::ScreenShareAudio && !known.info.muted);
        if !counts {
            return;
        }
        let peer = participant.peer;
        participant.speaker.level = if level.is_finite() { level.clamp(0.0, 1.0) } else { 0.0 };
        self.speaks(peer, speaking);
        self.speakers_at.get_or_insert(now.mono + BATCH);
    }

    /// A microphone came among the loudest of the meeting, or no longer is one: its stream goes on
    /// or pauses at those who receive it. A client that knows the stream only later need not be
    /// told: to it a pause is silence.
    pub(super) fn stream_state(&mut self, track: TrackId, heard: bool) {
        let Some(message) = self.stream_state_update(track, heard) else { return };
        let everybody: Vec<PeerId> = self.participants.keys().copied().collect();
        for peer in everybody {
            if self.room.subscriptions(peer).any(|received| received == track) {
                self.send(peer, message.clone());
            }
        }
    }

    /// A subscriber's network does not take a track any more, or does again.
    pub(super) fn starved(&mut self, track: TrackId, peer: PeerId, starved: bool) {
        if let Some(message) = self.stream_state_update(track, !starved) {
            self.send(peer, message);
        }
    }

    fn stream_state_update(&self, track: TrackId, active: bool) -> Option<Response> {
        let owns = |of: &&Participant| of.tracks.iter().any(|known| known.id == track);
        let publisher = self.participants.values().find(owns)?;
        let state = if active { proto::StreamState::Active } else { proto::StreamState::Paused };
        let info = proto::StreamStateInfo {
            participant_sid: publisher.profile.sid.clone(),
            track_sid: track_sid(track),
            state: state.into(),
        };
        let update = proto::StreamStateUpdate { stream_states: vec![info] };
        Some(Response::StreamStateUpdate(update))
    }

    /// Silence, because its microphone was muted or is gone. Told at once.
    pub(super) fn silence(&mut self, peer: PeerId) {
        if let Some(participant) = self.participants.get_mut(&peer)
            && participant.speaker.speaking
        {
            participant.speaker.level = 0.0;
            self.speaks(peer, false);
            self.tell_changes();
        }
    }

    fn speaks(&mut self, peer: PeerId, speaking: bool) {
        let Some(participant) = self.participants.get_mut(&peer) else { return };
        let before = std::mem::replace(&mut participant.speaker.speaking, speaking);
        if before != speaking {
            self.players.outdated();
            let identity = participant.profile.identity.clone();
            self.fact(Fact::Speaking { identity, speaking });
        }
    }

    pub(in crate::signal) fn tell_speakers(&mut self, now: Now) {
        if self.speakers_at.is_none_or(|at| at > now.mono) {
            return;
        }
        self.speakers_at = None;
        self.tell_changes();
    }

    fn tell_changes(&mut self) {
        let mut speakers = Vec::new();
        for participant in self.participants.values_mut() {
            let speaker = &mut participant.speaker;
            let level = if speaker.speaking { speaker.level } else { 0.0 };
            let current = (level, speaker.speaking);
            let silent_before = speaker.told.is_none_or(|told| !told.1);
            if speaker.told == Some(current) || (silent_before && !speaker.speaking) {
                continue;
            }
            speaker.told = Some(current);
            if participant.profile.grants.hidden {
                continue;
            }
            speakers.push(proto::SpeakerInfo {
                sid: participant.profile.sid.clone(),
                level,
                active: speaker.speaking,
            });
        }
        if speakers.is_empty() {
            return;
        }
        let message = Response::SpeakersChanged(proto::SpeakersChanged { speakers });
        let everybody: Vec<PeerId> = self.participants.keys().copied().collect();
        for peer in everybody {
            self.send(peer, message.clone());
        }
    }
}

/// Often enough for an eye, seldom enough for a large meeting.
const BATCH: Duration = Duration::from_millis(350);
