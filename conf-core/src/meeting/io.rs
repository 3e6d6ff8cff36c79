//! What a meeting is told and what it tells: the inputs and outputs of the machine.

use conf_privacy::Pii;
use serde::{Deserialize, Serialize};

use super::{Fact, Order, Standing};
use crate::id::{ConnectionId, MeetingId, ParticipantId};
use crate::limits::Limits;
use crate::room::RoomOptions;
use crate::secret::Secret;
use crate::wire::{Command, ServerMessage};

/// How a meeting is set up.
#[derive(Clone, Debug)]
pub struct MeetingConfig {
    /// Which meeting.
    pub id: MeetingId,
    /// What it takes.
    pub limits: Limits,
    /// Who leads.
    pub policy: Policy,
    /// How it begins.
    pub options: RoomOptions,
}

/// Who becomes moderator without anybody's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The first to come with a browser; when no moderator is left, whoever is here longest.
    FirstJoinerModerates,
    /// The owner, whenever they come, and nobody in their place when they go.
    OwnerModerates,
}

/// How a participant comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// With the web client: it has a meeting websocket and can act.
    Web,
    /// With an access token of the API, over media signalling only.
    Token,
    /// With an access token of the API, as a tool that publishes and hears nothing from us.
    Tool,
}

/// Who ends a meeting from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndBy {
    /// A call of the API.
    Api,
    /// Whoever runs the server.
    Operator,
}

/// Why a meeting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum EndReason {
    /// A moderator ended it.
    Moderator,
    /// Nobody was there any more.
    Empty,
    /// It was ended from outside.
    Operator,
    /// It reached the longest duration.
    TooLong,
}

/// The meeting is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct MeetingEnded {
    /// Why.
    pub reason: EndReason,
}

/// What a meeting is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// Somebody wants in, and is in or waits then, as [`visitor`](super::Meeting::visitor) says.
    /// Without a connection within the grace they count as lost.
    Join {
        /// Random, made by the caller, not used before: an id is one visit.
        participant: ParticipantId,
        /// As typed; cleaned here.
        name: Pii<String>,
        /// Random, made by the caller.
        secret: Secret,
        /// How. Whoever has an access token never waits: the one who gave it has decided.
        via: Via,
        /// What they are to the room.
        standing: Standing,
    },
    /// A meeting websocket said hello. Refused: say goodbye with [`goodbye`](super::Refusal::goodbye).
    Attach {
        /// Who it says it is.
        participant: ParticipantId,
        /// Proves it.
        secret: Secret,
        /// Made by the caller, not used before.
        connection: ConnectionId,
        /// Number of the last event it has.
        resume_from: Option<u64>,
    },
    /// A meeting websocket is gone. Of one that is not attached (any more): nothing happens.
    Detach {
        /// Which.
        connection: ConnectionId,
    },
    /// A participant asks for something. Carried out: `done` is among the outputs. Refused: the
    /// caller answers [`ServerMessage::Refused`], as a refusal changes nothing, not even a queue.
    Command {
        /// Where it came from.
        connection: ConnectionId,
        /// The client's number.
        request: u32,
        /// What.
        command: Command,
    },
    /// The media side reports. Refused as unknown: that participant has gone meanwhile.
    Media(Fact),
    /// So many listen without being participants.
    Listeners {
        /// How many.
        count: usize,
    },
    /// The options of the room were changed by whoever owns it.
    SetOptions(RoomOptions),
    /// The meeting is ended from outside.
    End {
        /// By whom.
        by: EndBy,
    },
}

/// What the owner of a meeting has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a message over a meeting websocket.
    Send {
        /// Which.
        connection: ConnectionId,
        /// What. Of an event that goes to many, all get the same [`Arc`](std::sync::Arc), one after the other.
        message: ServerMessage,
    },
    /// Close a meeting websocket after what was sent; it is already detached.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Tell the media side.
    Media(Order),
    /// The meeting is over; nothing follows.
    Ended {
        /// Why.
        reason: EndReason,
    },
}
