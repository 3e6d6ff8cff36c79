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
//! | frames for programs of the process, and theirs | [`frame`], `shard/tap` |
//! | session descriptions, signalling | [`sdp`], `signal` |
//! | batches of datagrams; counters | [`ingress`], [`egress`], [`stats`] |
//!
//! # Contract
//!
//! The core is sans-IO: no clock, no socket, no thread, no lock. Every machine has the same verbs:
//! `handle(now, Input)` (on `Err` nothing has changed), `handle_timeout(now)`, `poll()` until `None`,
//! `timeout()`. `now` is [`time::Now`], read once for many datagrams. For throughput a
//! [`shard::Shard`] takes a whole [`ingress::RxBatch`] with `handle_batch` and gives everything that
//! may leave as an [`egress::TxBatch`] with `flush`; the single `handle` is the same machine.
//!
//! Whoever owns the sockets does this in a loop:
//!
//! 1. receive into an `RxBatch`; `handle_batch`
//! 2. hand in the [`command::Command`]s that [`room::Room`] or other signalling made
//! 3. `handle_timeout`, if `timeout` has come
//! 4. `poll`: events for the control plane, DTLS datagrams for the handshake of their peer ([`dtls`]),
//!    whose keys and datagrams come back as commands
//! 5. `flush`; send, each run of equal datagrams in one call where the system can
//!
//! The feature `net` (on by default) is such a loop with its sockets and threads. The examples
//! `two_peers` (in memory) and `own_udp_loop` write one of their own, `net_server` uses `net`.
//!
//! # Threads
//!
//! A shard belongs to one thread and is moved to it; nothing in it is shared. With several shards
//! each has a thread and a socket of its own, and [`director::Director`] says who lives where; what
//! must cross goes through bounded rings with one writer and one reader ([`shard::link`]), one copy
//! of a packet for each other shard, however many subscribers it has there. Handshakes and data
//! channels are machines that any thread may drive: `net` has a few workers for them, so that a
//! signature never delays a packet. Signalling machines belong to whoever runs the meeting.
//!
//! # Cost
//!
//! Processor time, for packets that come in at the rate *p* and go to *s* subscribers on *h* shards:
//!
//! ```text
//! time = p × (receive + open + keep)                 once, at the publisher's shard
//!      + p × (h − 1) × (copy + keep)                 once for each other shard
//!      + p × s × (rewrite + copy + seal + send)      once for each subscriber
//! ```
//!
//! *rewrite + copy* is the group `rewrite` of `benches/results/criterion.md`, *open* and *seal* the
//! group `srtp`, *keep* `nack/insert`, *h* the group `shard`; all but *receive* and *send* together
//! is `fanout`, and with reports, losses and timers `engine/e2e_one_core`. What the kernel takes for
//! *send* is the largest part, and the smaller the longer the runs are (group `gso`). In
//! instructions, `benches/limits.toml` holds each step to its limit. Nothing is allocated for a
//! packet (`tests/no_allocation.rs`), and its payload is copied once for each subscriber.
//!
//! Memory, when everything is in use (`shard/memory.rs` counts it):
//!
//! ```text
//! memory = 5 KiB × peers + 10 KiB × video edges + 3 KiB × audio edges
//!        + 3 to 9 KiB × peers that report what arrived, by the rate at which they are sent to
//!        + rings: 1,500 B × (512 a video encoding, 256 a lower one, 64 a microphone)
//!        + the send arena of each shard: what the busiest of its last moments needs, at most 32 MiB
//! ```
//!
//! An edge is one track at one subscriber. Rings take their memory with the first packet. The DTLS
//! channel of a peer takes ten KiB, and as much again until its handshake is done. Every map that a remote can make grow has a cap; what
//! is refused or dropped is counted by its reason ([`stats`]).

pub mod allocate;
pub mod bwe;
pub mod codec;
pub mod command;
pub mod data;
pub mod director;
pub mod dtls;
pub mod egress;
mod forward;
pub mod frame;
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
#[cfg(any(test, feature = "sim"))]
pub mod sim;
mod slab;
pub mod srtp;
pub mod stats;
pub mod stun;
pub mod tcp;
#[cfg(any(test, feature = "test-util"))]
pub mod test_util;
pub mod time;
mod track;
