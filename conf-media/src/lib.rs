//! The media engine of `conf`: how a packet travels from one publisher to many subscribers.
//!
//! ```text
//!  net/batch ─► shard/receive ─► srtp/open ─► track/ring ─► forward ─► egress ─► net/batch
//!  (recvmmsg,   peer by          in place     once for      layer,     copied    (sendmmsg)
//!   ingress)    address                       everybody     rewrite    once and
//!                    │                            │         per edge   sealed
//!                    │                            └─► forward/resend ────┘
//!                    └─► net/worker: DTLS (dtls), data channels (data)
//! ```
//!
//! | what | where |
//! |---|---|
//! | wishes and reports: [`command::Command`], [`command::Event`] | [`command`] |
//! | a meeting's peers, tracks and subscriptions; wishes become commands | [`room`] |
//! | who lives on which shard | [`director`] |
//! | the machine of one media thread | [`shard`]: `receive` packets, `feedback` of peers, `timers`, `commands` |
//! | several of them: the rings between, relayed tracks, peers of others | [`shard::link`], `shard/{relay,elsewhere}` |
//! | one remote: path, keys, which source is which encoding | `peer`, `peer/sources` |
//! | one published track: encodings, recent packets | `track`, `track/ring` |
//! | one track at one subscriber | `forward/edge`; its numbers `rewrite`, its payload types `mapping` |
//! | which layer, when a keyframe, what again, who speaks | `forward/{layers,keyframe,resend,speaker}` |
//! | what is read and written, packet by packet | [`rtp`], [`rtcp`], [`codec`], [`seq`], [`srtp`], [`stun`], [`ice`] |
//! | handshakes and data channels | [`dtls`], [`data`] |
//! | session descriptions, signalling | [`sdp`], `signal` |
//! | batches of datagrams; counters | [`ingress`], [`egress`], [`stats`] |
//!
//! The core is sans-IO: no clock, no socket, no thread, no lock. Every machine has the same verbs:
//! `handle(now, Input)`, `handle_timeout(now)`, `poll()` until `None`, `timeout()`. The feature
//! `net` (on by default) adds the sockets and the pinned thread that drive it.

pub mod codec;
pub mod command;
pub mod data;
pub mod director;
pub mod dtls;
pub mod egress;
mod forward;
pub mod ice;
pub mod ingress;
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
