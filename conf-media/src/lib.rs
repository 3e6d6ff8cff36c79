//! The media engine of `conf`: how a packet travels from one publisher to many subscribers.
//!
//! ```text
//!  net/batch ──► shard ──► srtp::Opener ──► track (ring) ──► forward (layer, rewrite per edge)
//!  (recvmmsg)    peer by    in place         │                  │
//!                address                     │                  ▼
//!                  │                         └── resend ──► egress (copy once, srtp::Sealer in place)
//!                  │                                            │
//!                  └── DTLS, SCTP ──► net/control           net/batch (sendmmsg)
//! ```
//!
//! The core is sans-IO: no clock, no socket, no thread, no lock. Every machine has the same verbs:
//! `handle(now, Input)`, `handle_timeout(now)`, `poll()` until `None`, `timeout()`. The feature
//! `net` (on by default) adds the sockets and the pinned thread that drive it.

pub mod codec;
pub mod command;
pub mod data;
pub mod dtls;
pub mod egress;
mod forward;
pub mod ice;
#[cfg(feature = "net")]
pub mod net;
mod peer;
pub mod room;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod seq;
pub mod shard;
#[cfg(feature = "livekit")]
pub mod signal;
mod slab;
pub mod srtp;
pub mod stats;
pub mod stun;
#[cfg(any(test, feature = "test-util"))]
pub mod test_util;
pub mod time;
mod track;
