//! What a meeting is told, and by whom.

use bytes::Bytes;
use conf_core::meeting::{Standing, Visitor};
use conf_core::wire::Request;
use conf_core::{ParticipantId, Refusal, Role, RoomOptions, Secret};
use conf_media::command::PeerId;
use conf_media::sdp;
use conf_media::signal::livekit::token::Claims;
use conf_media::signal::livekit::{self as signal, Identity};
use conf_privacy::Pii;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::socket::Outbox;

/// What a meeting is told. Not printable: it holds what people say.
pub(crate) enum Mail {
    /// Somebody wants in with the web client.
    Join { name: Pii<String>, standing: Standing, answer: oneshot::Sender<Result<Joined, Refusal>> },
    /// Somebody who is in wants a new media token.
    Return {
        participant: ParticipantId,
        secret: Secret,
        answer: oneshot::Sender<Result<Joined, Refusal>>,
    },
    /// A meeting websocket said hello.
    Attach { attach: Attach, answer: oneshot::Sender<Result<(), Refusal>> },
    /// It sent a command.
    Command { connection: u64, request: Request, turn: Turn },
    /// It asks whether anybody is there.
    Ping { connection: u64, turn: Turn },
    /// It is gone.
    Detach { connection: u64 },
    /// May this token's holder come in? With `enter`, a holder of an API token is let in; without,
    /// it must be in already.
    Admit { claims: Box<Claims>, enter: bool, answer: oneshot::Sender<Result<(), Refusal>> },
    /// A signalling websocket of an admitted holder opened.
    Signal { signal: Box<OpenSignal>, answer: oneshot::Sender<Result<(), Refusal>> },
    /// It sent a message.
    SignalMessage { connection: u64, bytes: Bytes, turn: Turn },
    /// It is gone.
    SignalClosed { connection: u64 },
    /// Somebody with a checked token offers to publish or to play; answered with the answer.
    Offer { offer: Box<Offer>, answer: oneshot::Sender<Answered> },
    /// A WHIP or WHEP session shall end.
    HangUp { peer: PeerId, answer: oneshot::Sender<Result<(), signal::Refusal>> },
    /// The owner of the room has changed its options.
    SetOptions(RoomOptions),
    /// The room is gone, or the server stops.
    End,
    /// For the test of what a panic does.
    #[cfg(test)]
    Panic,
}

/// The right of one websocket to have one message wait in the inbox; given back when it is taken.
pub(crate) type Turn = OwnedSemaphorePermit;

/// A meeting websocket that said hello.
pub(crate) struct Attach {
    pub(crate) participant: ParticipantId,
    pub(crate) secret: Secret,
    pub(crate) connection: u64,
    pub(crate) resume_from: Option<u64>,
    pub(crate) outbox: Outbox,
}

/// A signalling websocket with its checked token.
pub(crate) struct OpenSignal {
    pub(crate) connection: u64,
    pub(crate) claims: Box<Claims>,
    pub(crate) request: Box<JoinRequest>,
    pub(crate) outbox: Outbox,
}

/// An offer of WHIP or WHEP, with a checked token.
#[derive(Clone)]
pub(crate) struct Offer {
    pub(crate) claims: Box<Claims>,
    pub(crate) peer: PeerId,
    pub(crate) sdp: sdp::Offer,
    pub(crate) to: Purpose,
}

/// What an offer is for.
#[derive(Clone)]
pub(crate) enum Purpose {
    Publish,
    /// One participant, or all of them.
    Play(Option<Identity>),
}

/// The answer to an offer, a session description.
pub(crate) type Answered = Result<String, Unanswered>;

/// Why an offer was not answered.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error(transparent)]
    Meeting(#[from] Refusal),
    #[error(transparent)]
    Signal(#[from] signal::Refusal),
}

/// The `join_request` of a signalling websocket.
pub(crate) type JoinRequest = livekit_protocol::JoinRequest;

/// Who has joined.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) participant: ParticipantId,
    pub(crate) secret: Secret,
    /// `None`: in the lobby.
    pub(crate) role: Option<Role>,
}

impl Joined {
    pub(super) fn new(visitor: Visitor<'_>, secret: Secret) -> Self {
        let (participant, role) = match visitor {
            Visitor::Here(participant) => (participant.id, Some(participant.role)),
            Visitor::Waiting(waiting) => (waiting.id, None),
        };
        Self { participant, secret, role }
    }
}

/// Whether an identity is the id of a participant of the web client.
pub(crate) fn is_participant(identity: &Identity) -> bool {
    identity.reveal().parse::<ParticipantId>().is_ok()
}
