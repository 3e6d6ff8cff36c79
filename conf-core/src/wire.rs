//! The meeting websocket: JSON text frames between a client and a meeting.
//!
//! The features of a meeting own their commands and events; this page composes them. The client's
//! TypeScript is generated from it (`cargo xtask wire`).
//!
//! A client opens with [`Hello`], whose shape is the same in every version, and gets a [`Welcome`]
//! (snapshot) or `resumed`, then events numbered one after the other. Whoever is in the lobby gets
//! `waiting` first, and again whenever that changes, until `welcome` lets them in. Each command
//! carries a number of the client's and is answered by `done` or `refused` with that number. The
//! last frame is `goodbye`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{MeetingId, ParticipantId};
use crate::limits::Limits;
use crate::meeting::{
    Admit, ChatMessage, ChatSent, Deny, ListenersChanged, MeetingEnded, Mute, MutedBy,
    OptionsChanged, Participant, ParticipantChanged, ParticipantJoined, ParticipantLeft, RaiseHand,
    Refusal, Remove, SendChat, SetLobby, SetRole, WaitReason, Waiting, WaitingAdded,
    WaitingRemoved,
};
use crate::role::Action;
use crate::room::{RoomCode, RoomOptions};
use crate::secret::Secret;

/// Version of this protocol; a client of another one is sent away with `goodbye`.
pub const VERSION: u32 = 3;

/// What a client sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum ClientMessage {
    /// The first frame.
    Hello(Hello),
    /// Something to do.
    Command(Request),
    /// Answered by `pong`: is anybody there?
    Ping,
}

/// Who the client is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Hello {
    /// The protocol it speaks.
    pub version: u32,
    /// Code of the room, from the link.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub room: RoomCode,
    /// Given at joining.
    pub participant: ParticipantId,
    /// Given at joining.
    pub secret: Secret,
    /// Number of the last event it has; `null` asks for a snapshot.
    pub resume_from: Option<u64>,
}

/// A command with the client's number for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Request {
    /// Returned in the answer.
    pub request: u32,
    /// What to do.
    pub command: Command,
}

/// What a participant can ask of a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Command {
    /// Write to everybody.
    SendChat(SendChat),
    /// Raise the own hand or take it down.
    RaiseHand(RaiseHand),
    /// Mute somebody's microphone.
    Mute(Mute),
    /// Mute all microphones but the own.
    MuteAll,
    /// Put somebody out.
    Remove(Remove),
    /// Make somebody moderator or viewer.
    SetRole(SetRole),
    /// Let in somebody who waits.
    Admit(Admit),
    /// Let in all who wait, as many as there is space for.
    AdmitAll,
    /// Turn away somebody who waits.
    Deny(Deny),
    /// Switch the lobby on or off.
    SetLobby(SetLobby),
    /// Go; whoever waits can do this too.
    Leave,
    /// End the meeting for all.
    End,
}

impl Command {
    /// What the role must allow.
    #[must_use]
    pub const fn action(&self) -> Action {
        match self {
            Self::SendChat(_) => Action::Chat,
            Self::RaiseHand(_) => Action::RaiseHand,
            Self::Mute(_) | Self::MuteAll => Action::Mute,
            Self::Remove(_) => Action::Remove,
            Self::SetRole(_) => Action::SetRole,
            Self::Admit(_) | Self::AdmitAll | Self::Deny(_) | Self::SetLobby(_) => Action::Lobby,
            Self::Leave => Action::Leave,
            Self::End => Action::End,
        }
    }
}

/// What a client receives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum ServerMessage {
    /// In the lobby: nothing else comes until `welcome` or `goodbye`.
    Waiting {
        /// Place in the queue; 1 is next.
        position: usize,
        /// What for.
        reason: WaitReason,
    },
    /// All there is; forget what you knew.
    Welcome(Box<Welcome>),
    /// What was missed after this number follows.
    Resumed {
        /// The number the client gave.
        sequence: u64,
    },
    /// Something happened. See [`event_frame`] for writing it once for all who receive it.
    Event {
        /// One more than the one before.
        sequence: u64,
        /// What.
        event: Arc<Event>,
    },
    /// A command was carried out.
    Done {
        /// The client's number.
        request: u32,
    },
    /// A command was not carried out, and nothing changed.
    Refused {
        /// The client's number.
        request: u32,
        /// Why.
        refusal: Refusal,
    },
    /// Answers `ping`.
    Pong,
    /// The last frame.
    Goodbye {
        /// Why.
        reason: Goodbye,
    },
}

/// The state of the meeting for one participant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Welcome {
    /// Number of the newest event in the snapshot.
    pub sequence: u64,
    /// Which of the participants the client is.
    pub you: ParticipantId,
    /// Everything.
    pub snapshot: Snapshot,
}

/// Everything a client has to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct Snapshot {
    /// The meeting itself.
    pub meeting: MeetingInfo,
    /// What it takes.
    pub limits: WireLimits,
    /// Who is here, longest present first.
    pub participants: Vec<Participant>,
    /// Who waits, longest first; only moderators are told.
    pub waiting: Vec<Waiting>,
    /// How many listen without being participants.
    pub listeners: usize,
    /// What was written, oldest first.
    pub chat: Vec<Arc<ChatMessage>>,
}

/// The meeting itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MeetingInfo {
    /// Which one.
    pub id: MeetingId,
    /// When it began.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub started_at: jiff::Timestamp,
    /// As now in force.
    pub options: RoomOptions,
}

/// The limits a client shows or checks before it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(rename = "Limits"))]
pub struct WireLimits {
    /// People at the same time.
    pub participants: usize,
    /// Characters of a chat message.
    pub chat_chars: usize,
    /// Characters of a name.
    pub name_chars: usize,
    /// Chat messages the meeting remembers.
    pub chat_history: usize,
}

impl From<&Limits> for WireLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            participants: limits.participants,
            chat_chars: limits.chat_chars,
            name_chars: limits.name_chars,
            chat_history: limits.chat_history,
        }
    }
}

/// What happened in a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Event {
    /// Somebody came.
    ParticipantJoined(ParticipantJoined),
    /// Something about somebody changed.
    ParticipantChanged(ParticipantChanged),
    /// Somebody is no longer here.
    ParticipantLeft(ParticipantLeft),
    /// Somebody wrote something.
    Chat(ChatSent),
    /// A moderator muted you; only you are told.
    MutedBy(MutedBy),
    /// Somebody waits; only moderators are told.
    WaitingAdded(WaitingAdded),
    /// Somebody waits no more; only moderators are told.
    WaitingRemoved(WaitingRemoved),
    /// There are more or fewer who listen without being participants.
    ListenersChanged(ListenersChanged),
    /// The options of the meeting are others now.
    OptionsChanged(OptionsChanged),
    /// The meeting is over.
    MeetingEnded(MeetingEnded),
}

/// Why the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Goodbye {
    /// The meeting is over.
    Ended,
    /// A moderator put the participant out.
    Removed,
    /// A moderator turned the person away.
    Denied,
    /// The participant left.
    Left,
    /// Another connection of the same participant took over.
    Replaced,
    /// No such room, meeting or participant, or the wrong secret.
    Unknown,
    /// The client speaks another version of the protocol.
    Version,
    /// The client read too slowly; it may come back and resume.
    TooSlow,
}

/// The frame of an event whose JSON is already written: the caller serialises each event once,
/// whoever many receive it. Equal to the JSON of [`ServerMessage::Event`].
#[must_use]
pub fn event_frame(sequence: u64, event_json: &str) -> String {
    format!(r#"{{"type":"event","sequence":{sequence},"event":{event_json}}}"#)
}
