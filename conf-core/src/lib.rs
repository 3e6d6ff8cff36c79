//! What a conference is: the meeting as a pure state machine, roles, chat, the wire protocol.
//!
//! ```text
//! client ──frame──▶ wire::ClientMessage ──▶ meeting::Input ──▶ Meeting::handle ─┐ (decides)
//! media  ──fact───▶ meeting::Fact ─────────▶ meeting::Input ──▶                 │
//! client ◀─frame── wire::ServerMessage ◀── meeting::Output ◀── Meeting::poll ◀─┘
//! media  ◀─order── meeting::Order ◀─────── meeting::Output
//! ```
//!
//! Nothing here reads a clock, a disk or the network; time and randomness are arguments.

#![forbid(unsafe_code)]

pub mod account;
mod id;
mod limits;
pub mod meeting;
mod rate;
mod role;
mod room;
mod secret;
mod text;
mod time;
pub mod wire;

pub use account::{Account, AccountRole, Email, PasswordHash};
pub use id::{AccountId, ConnectionId, IdError, MeetingId, ParticipantId, RoomId};
pub use limits::Limits;
pub use meeting::{Input, Meeting, MeetingConfig, Output, Refusal};
pub use rate::TokenBucket;
pub use role::{Action, Role};
pub use room::{
    Lobby, ROOM_TITLE_CHARS, Room, RoomCode, RoomCodeError, RoomOptions, Start, room_title,
};
pub use secret::{Secret, SecretError};
pub use text::TextError;
pub use time::Now;
