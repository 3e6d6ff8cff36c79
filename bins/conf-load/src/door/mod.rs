//! How publishers and subscribers enter a server: its signalling protocol behind one trait.
//!
//! A door writes and reads session descriptions itself (with [`crate::sdp`]), because in some
//! protocols the client offers and in others the server does. What comes out is the server's side
//! of the transport. Signalling connections are kept alive and shared by all, so that connection
//! set-up is not part of what is measured.

use std::net::SocketAddr;

use async_trait::async_trait;
use conf_media::command::{Fingerprint, Kind};
use conf_media::srtp::Keys;

use crate::plan::{DoorKind, Plan};
use crate::sdp::Remote;

pub mod floor;
pub mod http;
pub mod janus;
pub mod livekit;
#[cfg(test)]
mod sample;
pub mod whip;

/// A server's signalling.
#[async_trait]
pub trait Door: Send + Sync {
    /// Makes the room ready, once, before anybody enters.
    ///
    /// # Errors
    /// [`DoorError`] says what the server refused.
    async fn open(&self) -> Result<(), DoorError>;

    /// A publisher enters.
    ///
    /// # Errors
    /// [`DoorError`] says what the server refused.
    async fn publish(&self, wish: &Publish) -> Result<Entered, DoorError>;

    /// A subscriber enters, after all publishers that it is to receive.
    ///
    /// # Errors
    /// [`DoorError`] says what the server refused.
    async fn subscribe(&self, wish: &Subscribe) -> Result<Entered, DoorError>;

    /// One that entered goes again. `session` is from [`Entered`].
    ///
    /// # Errors
    /// [`DoorError`] says what the server refused.
    async fn leave(&self, session: &str) -> Result<(), DoorError>;
}

/// The door that a plan names.
///
/// # Errors
/// [`DoorError::Url`] if the address is not one; [`DoorError::NoCredentials`] if the protocol needs
/// a key and none was given.
pub fn of_plan(plan: &Plan) -> Result<Box<dyn Door>, DoorError> {
    match plan.door.kind {
        DoorKind::Whip => Ok(Box::new(whip::Whip::new(&plan.door)?)),
        DoorKind::LiveKit => Ok(Box::new(livekit::LiveKit::new(&plan.door)?)),
        DoorKind::Janus => Ok(Box::new(janus::Janus::new(&plan.door)?)),
        DoorKind::Floor => {
            let profile = plan.media.suite.profile();
            Ok(Box::new(floor::Floor::new(&plan.door, profile)?))
        }
    }
}

/// The client's side of a transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Where its socket is bound: its one host candidate.
    pub address: SocketAddr,
    /// ICE user name fragment.
    pub ufrag: String,
    /// ICE password.
    pub password: String,
    /// Of the certificate that it will show. It is always the DTLS client (`a=setup:active`).
    pub fingerprint: Fingerprint,
}

/// What is negotiated beside the tracks; the same for all of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is negotiated on its own")]
pub struct Terms {
    /// Generic NACK and RTX.
    pub nack: bool,
    /// Transport-wide feedback.
    pub twcc: bool,
    /// Audio levels (RFC 6464).
    pub levels: bool,
}

/// One source that a publisher sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Camera (VP8) or microphone (Opus).
    pub kind: Kind,
    /// Its synchronisation source.
    pub ssrc: u32,
}

/// A publisher that wants to enter.
#[derive(Clone, Debug)]
pub struct Publish {
    /// Its transport.
    pub local: Local,
    /// Its name in the room, of the form `p7`; its subscribing half has the same.
    pub name: String,
    /// What it sends, in the order of media sections; `mid`s count from 0.
    pub sources: Vec<Source>,
    /// What is negotiated.
    pub terms: Terms,
}

/// A subscriber that wants to enter.
#[derive(Clone, Debug)]
pub struct Subscribe {
    /// Its transport.
    pub local: Local,
    /// Its name in the room. Where a publisher has the same, that one's tracks are not received.
    pub name: String,
    /// How many microphones it receives.
    pub audio: usize,
    /// How many cameras it receives.
    pub video: usize,
    /// What is negotiated.
    pub terms: Terms,
}

/// One that entered.
#[derive(Clone, Debug)]
pub struct Entered {
    /// Names the visit; for [`Door::leave`].
    pub session: String,
    /// The server's side of the transport, and what was agreed.
    pub remote: Remote,
    /// Keys that the door agreed on itself: there is nothing to check and no handshake to make.
    pub keys: Option<Keys>,
}

/// Why somebody could not enter or leave.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DoorError {
    /// The address of the server is none.
    #[error("--url {url} is not of the form http://host:port")]
    Url {
        /// As given.
        url: String,
    },
    /// Tokens cannot be signed.
    #[error("--door {door} needs --key and --secret, to sign tokens with")]
    NoCredentials {
        /// The protocol.
        door: &'static str,
    },
    /// A token could not be signed.
    #[error("no token could be signed")]
    Token(#[source] jsonwebtoken::errors::Error),
    /// There is nobody.
    #[error("no connection to {url}")]
    Connect {
        /// The server.
        url: String,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The connection broke, or what came is no HTTP.
    #[error("the server's HTTP connection broke while {doing}")]
    Http {
        /// What was asked for.
        doing: &'static str,
        /// What the library says.
        #[source]
        cause: hyper::Error,
    },
    /// No answer.
    #[error("no answer within {seconds} s while {doing}")]
    Silent {
        /// What was asked for.
        doing: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The answer is longer than is read.
    #[error("the answer while {doing} is longer than {limit} bytes")]
    TooLong {
        /// What was asked for.
        doing: &'static str,
        /// What is read.
        limit: usize,
    },
    /// The server says no.
    #[error("the server refused {doing}: {status} {reason}{hint}")]
    Refused {
        /// What was asked for.
        doing: &'static str,
        /// HTTP status, or the protocol's own code.
        status: u16,
        /// The server's words, cut.
        reason: String,
        /// What it may mean, or nothing.
        hint: &'static str,
    },
    /// The answer lacks what the protocol demands.
    #[error("the server's answer while {doing} has no {what}")]
    Incomplete {
        /// What was asked for.
        doing: &'static str,
        /// What is missing.
        what: &'static str,
    },
    /// The answer's session description cannot be used.
    #[error("the server's session description cannot be used: {0}")]
    Sdp(#[from] crate::sdp::SdpError),
}
