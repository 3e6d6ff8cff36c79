//! LiveKit-protocol compatible signalling: one machine per meeting, for any number of clients.
//!
//! ```text
//!   websocket ──► Join, Message, Closed ──► ┌────────┐ ──► Send, Close ──► websocket
//!   engine    ──► Media(Event)          ──► │ Signal │ ──► Command     ──► engine
//!   meeting   ──► SetGrants, Mute, …    ──► └────────┘ ──► Fact        ──► meeting
//! ```
//!
//! A client has one peer connection, it offers and we answer. Written from the published
//! protobufs and the observed behaviour of the client SDKs.

mod join_request;
pub mod token;
mod types;

use std::collections::VecDeque;
use std::time::Instant;

pub use join_request::{JoinRequestError, parse_join_request};
pub use types::{
    ConnectionId, Fact, Identity, Input, Join, Output, Refusal, SignalConfig, Source, TrackState,
};

use crate::time::Now;

/// The signalling of one meeting.
#[derive(Debug)]
pub struct Signal {
    config: SignalConfig,
    outputs: VecDeque<Output>,
}

impl Signal {
    /// A meeting without participants.
    #[must_use]
    pub fn new(config: SignalConfig) -> Self {
        Self { config, outputs: VecDeque::new() }
    }

    /// Takes what happened.
    ///
    /// # Errors
    /// A [`Refusal`]: the client was told, nothing else changed.
    pub fn handle(&mut self, _now: Now, input: Input<'_>) -> Result<(), Refusal> {
        match input {
            Input::Closed { .. } | Input::Message { .. } => Err(Refusal::UnknownConnection),
            _ => Err(Refusal::UnknownParticipant),
        }
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, _now: Now) {}

    /// What to do next; call until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`Self::handle_timeout`]; `None` when nothing waits.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        None
    }
}
