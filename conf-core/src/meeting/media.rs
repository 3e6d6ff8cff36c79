//! The seam to the media: facts that its machines report, orders that they get.

use std::time::Instant;

use super::roster::{Camera, LeftReason, Member, Microphone};
use super::{Effect, Via};
use crate::id::ParticipantId;
use crate::role::Role;
use crate::room::RoomOptions;

/// What the media side reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The media signalling of a participant lives.
    Connected {
        /// Whose.
        participant: ParticipantId,
    },
    /// It is cut; its tracks may flow on, and it may come back.
    Away {
        /// Whose.
        participant: ParticipantId,
    },
    /// It is gone, with all its tracks. Whoever came with an access token has left with it.
    Gone {
        /// Whose.
        participant: ParticipantId,
    },
    /// A source was published, muted, unmuted or ended.
    Track {
        /// Whose.
        participant: ParticipantId,
        /// Which one.
        source: Source,
        /// What it is now.
        state: TrackState,
    },
    /// Somebody began or stopped to speak. No client is told: they hear it from the media.
    Speaking {
        /// Who.
        participant: ParticipantId,
        /// Speaks or not.
        speaking: bool,
    },
}

/// What a participant can publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Voice.
    Microphone,
    /// Face.
    Camera,
    /// A shared screen or window.
    Screen,
    /// The sound of it.
    ScreenAudio,
}

/// What a published source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackState {
    /// Published and sending.
    On,
    /// Published, silent or dark.
    Muted,
    /// Not published.
    Off,
}

/// What the media side has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Mute a source; the participant may unmute it again.
    Mute {
        /// Whose.
        participant: ParticipantId,
        /// Which one.
        source: Source,
    },
    /// Disconnect a participant that left, was lost or put out.
    Remove {
        /// Whom.
        participant: ParticipantId,
    },
    /// Disconnect everybody: the meeting is over.
    End,
}

impl Fact {
    /// Whom it is about.
    #[must_use]
    pub const fn participant(&self) -> ParticipantId {
        match self {
            Self::Connected { participant }
            | Self::Away { participant }
            | Self::Gone { participant }
            | Self::Track { participant, .. }
            | Self::Speaking { participant, .. } => *participant,
        }
    }
}

/// Mutes a viewer's microphone when it is first published, where the room wants it so.
pub(super) fn start_muted(member: &mut Member, options: RoomOptions, fact: Fact) -> Option<Order> {
    let Fact::Track { participant, source: source @ Source::Microphone, state } = fact else {
        return None;
    };
    if state == TrackState::Off || std::mem::replace(&mut member.has_spoken, true) {
        return None;
    }
    // A tool could not unmute itself again.
    let able = member.via != Via::Tool;
    let wanted = able && options.mute_on_start && member.participant.role == Role::Viewer;
    (wanted && state == TrackState::On).then_some(Order::Mute { participant, source })
}

/// Notes a fact about the connection or the tracks of a participant.
pub(super) fn note(member: &mut Member, fact: Fact, grace_ends: Instant) -> Effect {
    let before = member.participant.clone();
    match fact {
        Fact::Connected { .. } => member.media = true,
        Fact::Away { .. } => member.media = false,
        Fact::Gone { participant } => {
            if member.via != Via::Web {
                return Effect::Depart { who: participant, reason: LeftReason::Left };
            }
            member.media = false;
            for source in [Source::Microphone, Source::Camera, Source::Screen] {
                set(member, source, TrackState::Off);
            }
        }
        Fact::Track { source, state, .. } => set(member, source, state),
        Fact::Speaking { .. } => {}
    }
    member.settle(grace_ends);
    if member.participant == before {
        return Effect::Nothing;
    }
    Effect::Broadcast(member.changed())
}

fn set(member: &mut Member, source: Source, state: TrackState) {
    let participant = &mut member.participant;
    let on = state == TrackState::On;
    match source {
        Source::Microphone => {
            participant.microphone = match state {
                TrackState::On => Microphone::On,
                TrackState::Muted => Microphone::Muted,
                TrackState::Off => Microphone::Off,
            }
        }
        Source::Camera => participant.camera = if on { Camera::On } else { Camera::Off },
        Source::Screen => participant.screen = on,
        Source::ScreenAudio => {}
    }
}
