//! The reference server as a library: [`Server::start`] with a [`Config`], then [`Server::stop`].
//!
//! ```text
//!  http (routes, websockets) ──► meetings (registry) ──► meeting_task (one a meeting)
//!                                                            │
//!                                conf_core::Meeting ◄────────┼────────► signal::livekit::Signal
//!                                                            ▼
//!                                                     media (the engine)
//! ```

pub mod admin;
pub mod check;
mod clock;
pub mod config;
mod http;
pub mod inventory;
mod kept;
pub mod log;
mod media;
mod meeting_task;
mod meetings;
mod metrics;
mod password;
pub mod policy;
mod ports;
mod random;
pub mod secrets;
mod serve;
mod socket;
mod tls;

pub use config::{Config, ConfigError};
pub use kept::KeptError;
pub use policy::PolicyError;
pub use serve::{Server, StartError};
pub use tls::TlsError;
