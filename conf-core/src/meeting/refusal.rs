//! Why a meeting refused something.

use serde::{Deserialize, Serialize};

use crate::role::Action;
use crate::wire::Goodbye;

/// Why a meeting refused a request. Shown to whoever asked, so it names no other person; the
/// client words it. After a refusal nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[non_exhaustive]
pub enum Refusal {
    /// As many people are in the meeting as it takes.
    #[error("the meeting is full ({limit} participants)")]
    MeetingFull {
        /// How many it takes.
        limit: usize,
    },
    /// As many people wait as the lobby takes.
    #[error("the lobby is full ({limit} people)")]
    LobbyFull {
        /// How many it takes.
        limit: usize,
    },
    /// The meeting is over.
    #[error("the meeting has ended")]
    MeetingEnded,
    /// Nothing visible in the name, or too much.
    #[error("a name has 1 to {limit} visible characters")]
    NameInvalid {
        /// Characters that fit.
        limit: usize,
    },
    /// Somebody with this id is already here.
    #[error("the participant is already here")]
    ParticipantTaken,
    /// Nobody with this id is here, or not any more.
    #[error("no such participant is here")]
    ParticipantUnknown,
    /// The secret is not the participant's.
    #[error("the secret is not this participant's")]
    SecretWrong,
    /// A moderator put this participant out.
    #[error("the participant was removed")]
    Removed,
    /// A moderator turned this person away.
    #[error("the person was turned away")]
    Denied,
    /// Whoever waits can do nothing but leave.
    #[error("the person is still in the lobby")]
    StillWaiting,
    /// The connection already belongs to a participant.
    #[error("the connection is already attached")]
    ConnectionTaken,
    /// The connection belongs to nobody, or not any more.
    #[error("the connection is not attached")]
    ConnectionUnknown,
    /// The role does not allow it.
    #[error("the role does not allow {action:?}")]
    NotAllowed {
        /// What was asked.
        action: Action,
    },
    /// A meeting is never without a moderator.
    #[error("the last moderator stays moderator")]
    LastModerator,
    /// Whoever wants to go leaves; removing is for others.
    #[error("nobody removes themselves")]
    RemovesItself,
    /// Nothing visible in the message.
    #[error("the message is empty")]
    ChatEmpty,
    /// The message is too long.
    #[error("the message is longer than {limit} characters")]
    ChatTooLong {
        /// Characters that fit.
        limit: usize,
    },
    /// Too much at once.
    #[error("too many requests, the next in {retry_after_ms} ms")]
    TooManyRequests {
        /// Milliseconds until the next one is taken.
        retry_after_ms: u32,
    },
}

impl Refusal {
    /// One word for programs: the tag on the wire, and the label of the refusal in metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MeetingFull { .. } => "meeting_full",
            Self::LobbyFull { .. } => "lobby_full",
            Self::MeetingEnded => "meeting_ended",
            Self::NameInvalid { .. } => "name_invalid",
            Self::ParticipantTaken => "participant_taken",
            Self::ParticipantUnknown => "participant_unknown",
            Self::SecretWrong => "secret_wrong",
            Self::Removed => "removed",
            Self::Denied => "denied",
            Self::StillWaiting => "still_waiting",
            Self::ConnectionTaken => "connection_taken",
            Self::ConnectionUnknown => "connection_unknown",
            Self::NotAllowed { .. } => "not_allowed",
            Self::LastModerator => "last_moderator",
            Self::RemovesItself => "removes_itself",
            Self::ChatEmpty => "chat_empty",
            Self::ChatTooLong { .. } => "chat_too_long",
            Self::TooManyRequests { .. } => "too_many_requests",
        }
    }

    /// How to say goodbye to a connection whose attaching was refused.
    #[must_use]
    pub const fn goodbye(&self) -> Goodbye {
        match self {
            Self::Removed => Goodbye::Removed,
            Self::Denied => Goodbye::Denied,
            Self::MeetingEnded => Goodbye::Ended,
            _ => Goodbye::Unknown,
        }
    }

    pub(super) fn too_many(wait: std::time::Duration) -> Self {
        let millis = wait.as_nanos().div_ceil(1_000_000);
        Self::TooManyRequests { retry_after_ms: u32::try_from(millis).unwrap_or(u32::MAX) }
    }
}
