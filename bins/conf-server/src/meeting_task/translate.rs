//! Between the words of the meeting and those of the signalling.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use conf_core::ParticipantId;
use conf_core::meeting;
use conf_media::signal::livekit::{self, Identity};

/// Which identity is which participant. Participants of the web client have their id as identity;
/// only holders of API tokens, who bring their own, are kept here.
#[derive(Debug, Default)]
pub(super) struct Identities {
    participants: HashMap<Identity, ParticipantId>,
    identities: HashMap<ParticipantId, Identity>,
    /// Whom a moderator put out, newest last, at most [`REMOVED`]: their tokens are still valid.
    removed: VecDeque<Identity>,
}

impl Identities {
    pub(super) fn add(&mut self, identity: Identity, participant: ParticipantId) {
        if let Some(old) = self.participants.insert(identity.clone(), participant) {
            self.identities.remove(&old);
        }
        self.identities.insert(participant, identity);
    }

    pub(super) fn participant(&self, identity: &Identity) -> Option<ParticipantId> {
        let known = self.participants.get(identity).copied();
        known.or_else(|| identity.reveal().parse().ok())
    }

    pub(super) fn identity(&self, participant: ParticipantId) -> Identity {
        let known = self.identities.get(&participant).cloned();
        known.unwrap_or_else(|| Identity::new(participant.to_string()))
    }

    /// Whether a moderator put the holder of this identity out.
    pub(super) fn is_removed(&self, identity: &Identity) -> bool {
        self.removed.contains(identity)
    }

    /// Forgets a participant that has gone; its identity, for the last words. Whoever was put out
    /// does not come back.
    pub(super) fn remove(&mut self, participant: ParticipantId, put_out: bool) -> Identity {
        let identity = self.identity(participant);
        if self.identities.remove(&participant).is_some() {
            self.participants.remove(&identity);
            if put_out {
                self.removed.push_back(identity.clone());
            }
            if self.removed.len() > REMOVED {
                self.removed.pop_front();
            }
        }
        identity
    }

    /// A fact of the signalling for the meeting; `None` for what the meeting does not keep.
    pub(super) fn fact(&self, fact: livekit::Fact) -> Option<meeting::Fact> {
        Some(match fact {
            // Present is who has a websocket, and that is known here already.
            livekit::Fact::Connected { .. } => return None,
            // Players are nobody's.
            livekit::Fact::Players { .. } => return None,
            livekit::Fact::Gone { identity } => {
                meeting::Fact::Gone { participant: self.participant(&identity)? }
            }
            livekit::Fact::Track { identity, source, state } => meeting::Fact::Track {
                participant: self.participant(&identity)?,
                source: published(source)?,
                state: match state {
                    livekit::TrackState::On => meeting::TrackState::On,
                    livekit::TrackState::Muted => meeting::TrackState::Muted,
                    livekit::TrackState::Off => meeting::TrackState::Off,
                },
            },
            livekit::Fact::Speaking { identity, speaking } => {
                meeting::Fact::Speaking { participant: self.participant(&identity)?, speaking }
            }
        })
    }
}

fn published(source: livekit::Source) -> Option<meeting::Source> {
    match source {
        livekit::Source::Microphone => Some(meeting::Source::Microphone),
        livekit::Source::Camera => Some(meeting::Source::Camera),
        livekit::Source::ScreenShare => Some(meeting::Source::Screen),
        livekit::Source::ScreenShareAudio => Some(meeting::Source::ScreenAudio),
        livekit::Source::Unknown => None,
    }
}

/// The signalling's word for a source.
pub(super) fn source(source: meeting::Source) -> livekit::Source {
    match source {
        meeting::Source::Microphone => livekit::Source::Microphone,
        meeting::Source::Camera => livekit::Source::Camera,
        meeting::Source::Screen => livekit::Source::ScreenShare,
        meeting::Source::ScreenAudio => livekit::Source::ScreenShareAudio,
    }
}

/// The label of a refusal of the signalling in the metrics.
pub(crate) fn word(refusal: &livekit::Refusal) -> &'static str {
    use livekit::Refusal;
    match refusal {
        Refusal::UnknownConnection => "signal_unknown_connection",
        Refusal::UnknownParticipant => "signal_unknown_participant",
        Refusal::MessageTooLarge { .. } => "signal_message_too_large",
        Refusal::Malformed => "signal_malformed",
        Refusal::TooFast { .. } => "signal_too_fast",
        Refusal::Sdp(_) => "signal_sdp",
        Refusal::FingerprintChanged => "signal_fingerprint_changed",
        Refusal::NotAllowed => "signal_not_allowed",
        Refusal::TooManyTracks { .. } => "signal_too_many_tracks",
        Refusal::UnknownTrack => "signal_unknown_track",
        Refusal::Unsupported => "signal_unsupported",
        Refusal::TextTooLong { .. } => "signal_text_too_long",
        Refusal::NothingSent => "whip_nothing_sent",
        Refusal::NothingReceived => "whep_nothing_received",
        Refusal::TooManyPlayers { .. } => "whep_too_many_players",
        Refusal::UnknownSession => "whip_session_unknown",
        Refusal::UnknownChannel => "data_unknown_channel",
        Refusal::DataNotAllowed => "data_not_allowed",
        Refusal::DataPacket(_) => "data_malformed",
        Refusal::NothingToResume => "signal_nothing_to_resume",
        _ => "signal_other",
    }
}

/// Moves a gauge that several meetings share from `before` to `now`.
pub(super) fn adjust(gauge: &AtomicU64, before: usize, now: usize) {
    let change = |by: usize| u64::try_from(by).unwrap_or(u64::MAX);
    if now >= before {
        gauge.fetch_add(change(now - before), Ordering::Relaxed);
    } else {
        gauge.fetch_sub(change(before - now), Ordering::Relaxed);
    }
}

/// Removed identities that a meeting remembers.
const REMOVED: usize = 1_024;
