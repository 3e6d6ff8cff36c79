//! UDP in batches, and the one reading of the clocks per batch.
//!
//! On Linux many datagrams go through one system call ([`linux`]); elsewhere each has a call of its
//! own ([`plain`]). Both sides of the engine see the same [`Receiver`] and [`Sender`].

#[cfg(all(target_os = "linux", not(conf_plain)))]
mod linux;
pub mod plain;

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::SockaddrStorage;
use socket2::Socket;

use super::address;
use crate::tcp::TcpId;
use crate::time::Now;

#[cfg(all(target_os = "linux", not(conf_plain)))]
pub use linux::{Receiver, Sender};
#[cfg(any(conf_plain, not(target_os = "linux")))]
pub use plain::{Receiver, Sender};

/// Both clocks, read once for a batch.
#[must_use]
pub fn now() -> Now {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    Now { mono: Instant::now(), wall: jiff::Timestamp::now() }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages that the kernel took; a run in one message counts once.
    pub messages: usize,
    /// Messages that it refused: the send buffer is full, or the destination unreachable.
    pub refused: usize,
    /// Runs that are not for this socket: of the other family, or for TCP.
    pub passed_over: usize,
}

/// What a socket is for.
#[derive(Clone, Copy, Debug)]
struct Reach {
    /// IPv4 addresses are written as IPv6.
    dual: bool,
    /// Nothing but this family (IPv6) is sent.
    only_v6: Option<bool>,
}

impl Reach {
    fn is_for(self, to: SocketAddr) -> bool {
        TcpId::of(to).is_none() && self.only_v6.is_none_or(|v6| to.is_ipv6() == v6)
    }
}

fn socket_address(raw: &SockaddrStorage) -> Option<SocketAddr> {
    let ip = address::ip(raw)?;
    let port = match (raw.as_sockaddr_in(), raw.as_sockaddr_in6()) {
        (Some(v4), _) => v4.port(),
        (_, Some(v6)) => v6.port(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// Waits a moment for the send buffer to empty: a burst of keyframes fills it.
fn drained(socket: &Socket) -> bool {
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    poll(&mut ready, PollTimeout::from(DRAIN_MILLIS)).is_ok_and(|count| count > 0)
}

/// So often is waited for the send buffer in one batch.
const MAX_WAITS: usize = 4;
/// At 1 Gbit/s the usual buffer of 200 kB is empty in 2 ms.
const DRAIN_MILLIS: u8 = 5;
