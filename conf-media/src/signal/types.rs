//! What goes into the signalling machine and what comes out of it.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

use super::livekit::token::{Grants, Issuer};
use super::local::Local;
use super::whip::{Play, Publish};
use crate::command::{Command, Event, Fingerprint, PeerId};
use crate::ice::Candidate;
use crate::signal::turn::Turn;

/// One websocket of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Who a participant is, as its token says; unique in a room. Never printed.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(String);

impl Identity {
    /// Takes any text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text. Not for logs.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What a track shows or carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Said nothing about it.
    Unknown,
    /// A camera.
    Camera,
    /// A microphone.
    Microphone,
    /// A shared screen, window or tab.
    ScreenShare,
    /// The sound of it.
    ScreenShareAudio,
}

impl Source {
    /// From the number in a message; an unknown one is [`Source::Unknown`].
    #[must_use]
    pub fn from_wire(number: i32) -> Self {
        match proto::TrackSource::try_from(number) {
            Ok(proto::TrackSource::Camera) => Self::Camera,
            Ok(proto::TrackSource::Microphone) => Self::Microphone,
            Ok(proto::TrackSource::ScreenShare) => Self::ScreenShare,
            Ok(proto::TrackSource::ScreenShareAudio) => Self::ScreenShareAudio,
            _ => Self::Unknown,
        }
    }

    /// The number in a message.
    #[must_use]
    pub fn to_wire(self) -> i32 {
        let source = match self {
            Self::Unknown => proto::TrackSource::Unknown,
            Self::Camera => proto::TrackSource::Camera,
            Self::Microphone => proto::TrackSource::Microphone,
            Self::ScreenShare => proto::TrackSource::ScreenShare,
            Self::ScreenShareAudio => proto::TrackSource::ScreenShareAudio,
        };
        source.into()
    }
}

/// What one meeting's machine must know from the start.
#[derive(Clone)]
pub struct SignalConfig {
    /// Where the media port can be reached; goes into every answer.
    pub candidates: Vec<Candidate>,
    /// A relay that clients are told of, if there is one.
    pub turn: Option<Turn>,
    /// Of our DTLS certificate.
    pub fingerprint: Fingerprint,
    /// Mints the tokens that keep long sessions alive.
    pub token: Issuer,
    /// The room's name as tokens carry it.
    pub room_name: String,
    /// The number behind `RM_`, and what the engine knows the room by.
    pub room_number: u64,
    /// The most players at the same time.
    pub players: usize,
    /// 256 random bits: ICE passwords and stream numbers are derived from them.
    pub seed: [u8; 32],
}

impl fmt::Debug for SignalConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignalConfig(…)")
    }
}

/// What happened.
#[derive(Debug)]
pub enum Input<'a> {
    /// A client's websocket opened with a checked token. Answered with `join` or `reconnect`.
    Join(Join),
    /// A binary message of a client.
    Message {
        /// From where.
        connection: ConnectionId,
        /// One protobuf message.
        bytes: &'a [u8],
    },
    /// The websocket closed. The participant stays for the grace.
    Closed {
        /// Which one.
        connection: ConnectionId,
    },
    /// A WHIP client offers what it publishes. Answered with [`Output::Answer`].
    Publish(Box<Publish>),
    /// A WHEP client offers to receive. Answered with [`Output::Answer`].
    Play(Box<Play>),
    /// A program of this process publishes.
    Local(Box<Local>),
    /// A WHIP or WHEP client goes, or a program of this process.
    HangUp {
        /// Its media connection.
        peer: PeerId,
    },
    /// The media engine reports.
    Media(Event),
    /// The meeting gives a participant other rights.
    SetGrants {
        /// Who.
        identity: Identity,
        /// From now on.
        grants: Grants,
    },
    /// The meeting mutes a participant's tracks of one source.
    Mute {
        /// Who.
        identity: Identity,
        /// Which.
        source: Source,
    },
    /// The meeting removes a participant.
    Remove {
        /// Who.
        identity: Identity,
    },
    /// The meeting ends the players of somebody who may no longer listen.
    EndPlayers {
        /// Whose.
        identity: Identity,
    },
    /// The meeting ended: everybody leaves.
    End,
}

/// A client's websocket opened with a checked token.
pub struct Join {
    /// The websocket.
    pub connection: ConnectionId,
    /// Who.
    pub identity: Identity,
    /// The name that others see.
    pub name: String,
    /// The number behind `PA_`, random: another one each time that somebody joins, because clients
    /// remember the last data packet of a sid, and who joins anew begins to count anew.
    pub sid_number: u64,
    /// What it may do.
    pub grants: Grants,
    /// The integrator's words about it, from its token; others get to see them.
    pub metadata: String,
    /// The integrator's pairs about it, from its token; others get to see them.
    pub attributes: BTreeMap<String, String>,
    /// From the URL, see [`super::livekit::parse_join_request`].
    pub request: Box<proto::JoinRequest>,
    /// The id of its media connection, random; unused when it resumes.
    pub peer: PeerId,
}

impl fmt::Debug for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join")
            .field("connection", &self.connection)
            .field("peer", &self.peer)
            .field("reconnect", &self.request.reconnect)
            .finish_non_exhaustive()
    }
}

/// What to do.
pub enum Output {
    /// Send a binary message.
    Send {
        /// To whom.
        connection: ConnectionId,
        /// One protobuf message.
        bytes: Bytes,
    },
    /// Close the websocket (after what was sent before).
    Close {
        /// Which one.
        connection: ConnectionId,
    },
    /// The answer to a WHIP or WHEP client.
    Answer {
        /// Its media connection.
        peer: PeerId,
        /// A session description.
        sdp: String,
    },
    /// For the media engine.
    Command(Command),
    /// For the meeting.
    Fact(Fact),
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { connection, bytes } => {
                write!(f, "Send({connection:?}, {} bytes)", bytes.len())
            }
            Self::Close { connection } => write!(f, "Close({connection:?})"),
            Self::Answer { peer, sdp } => write!(f, "Answer({peer:?}, {} bytes)", sdp.len()),
            Self::Command(command) => write!(f, "Command({command:?})"),
            Self::Fact(fact) => write!(f, "Fact({fact:?})"),
        }
    }
}

/// What the meeting gets to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Its media flows.
    Connected {
        /// Who.
        identity: Identity,
    },
    /// Left, was removed or was not back within the grace.
    Gone {
        /// Who.
        identity: Identity,
    },
    /// A published source changed.
    Track {
        /// Who.
        identity: Identity,
        /// Which.
        source: Source,
        /// Into what.
        state: TrackState,
    },
    /// There are more or fewer players.
    Players {
        /// How many.
        count: usize,
    },
    /// Began or stopped to speak.
    Speaking {
        /// Who.
        identity: Identity,
        /// Which of both.
        speaking: bool,
    },
}

/// What a published source does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackState {
    /// It is heard or seen.
    On,
    /// Published, but silent or black.
    Muted,
    /// Not published.
    Off,
}

/// Why a client's input was refused. The client was told; nothing else changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No such websocket (any more).
    #[error("the connection is unknown")]
    UnknownConnection,
    /// No such participant.
    #[error("the participant is unknown")]
    UnknownParticipant,
    /// More bytes than a message may have.
    #[error("the message has {len} bytes, at most {limit} are read")]
    MessageTooLarge {
        /// How many it has.
        len: usize,
        /// How many it may have.
        limit: usize,
    },
    /// Not a protobuf message of this protocol.
    #[error("the message cannot be read")]
    Malformed,
    /// More messages than a client needs.
    #[error("more than {limit} messages a second")]
    TooFast {
        /// How many it may send.
        limit: u32,
    },
    /// An offer cannot be answered.
    #[error(transparent)]
    Sdp(#[from] crate::sdp::SdpError),
    /// Another certificate than the one at the start.
    #[error("the certificate's fingerprint changed within a session")]
    FingerprintChanged,
    /// The grants do not allow it.
    #[error("the token does not allow it")]
    NotAllowed,
    /// As many tracks as one participant may publish.
    #[error("the participant already publishes {limit} tracks")]
    TooManyTracks {
        /// How many it may publish.
        limit: usize,
    },
    /// A track of another participant, or none at all.
    #[error("the track is unknown")]
    UnknownTrack,
    /// A part of the protocol that is not served.
    #[error("this request is not supported")]
    Unsupported,
    /// A text is longer than is kept.
    #[error("a text has {len} bytes, at most {limit} are kept")]
    TextTooLong {
        /// How many it has.
        len: usize,
        /// How many it may have.
        limit: usize,
    },
    /// A WHIP client's offer sends nothing that is forwarded.
    #[error("no media section of the offer sends Opus, VP8, VP9, H.264 or AV1")]
    NothingSent,
    /// A WHEP client's offer receives nothing.
    #[error("no media section of the offer receives Opus, VP8, VP9, H.264 or AV1")]
    NothingReceived,
    /// As many players as a meeting takes.
    #[error("the meeting has as many players as it takes ({limit})")]
    TooManyPlayers {
        /// How many it takes.
        limit: usize,
    },
    /// A WHIP or WHEP session that is not there (any more).
    #[error("there is no such session")]
    UnknownSession,
    /// A message over a data channel that no client of this protocol opens.
    #[error("only packets over _reliable and _lossy are forwarded")]
    UnknownChannel,
    /// It may not send data packets, or not of this kind.
    #[error("the participant may not send this data packet")]
    DataNotAllowed,
    /// A data packet that is not forwarded.
    #[error(transparent)]
    DataPacket(super::livekit::packet::PacketError),
    /// A client wants to resume a session that is not there (any more); it was told to join anew.
    #[error("there is no session to resume")]
    NothingToResume,
}
