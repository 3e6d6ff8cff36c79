//! ICE over TCP, all of it but the sockets: how a connection looks to a shard, what comes in and
//! goes out as frames, who may connect, what a slow reader loses.
//!
//! A shard knows peers by the address that ICE has validated. A TCP connection appears there as an
//! address of its own ([`TcpId::address`]), which no UDP datagram can come from, so that checks,
//! media and handshakes take the same way whatever carries them.
//!
//! Sources: RFC 6544 (ICE-TCP; we are passive), RFC 4571 (framing).

pub mod backlog;
pub mod door;
pub mod framing;

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;

/// The longest datagram that a frame may hold, in bytes: no path that peers have takes longer ones.
pub const MAX_DATAGRAM: usize = 2_048;

/// The number of one TCP connection, not used again before 2³² others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpId(NonZeroU32);

impl TcpId {
    /// `None` for 0.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// 1 and above.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.get()
    }

    /// The connection as an address: that of its other end, as IPv6, with the number where IPv6 has
    /// its flow label. Addresses of UDP datagrams never have one, so none equals this, and neither
    /// does that of another connection from the same port.
    #[must_use]
    pub fn address(self, remote: SocketAddr) -> SocketAddr {
        let ip = match remote.ip() {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        SocketAddr::V6(SocketAddrV6::new(ip, remote.port(), self.0.get(), 0))
    }

    /// The connection that an address stands for; `None` for one of UDP.
    #[must_use]
    pub fn of(address: SocketAddr) -> Option<Self> {
        match address {
            SocketAddr::V4(_) => None,
            SocketAddr::V6(address) => Self::new(address.flowinfo()),
        }
    }
}

impl fmt::Debug for TcpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t-{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_no_address_of_udp_and_no_other_connection() {
        for remote in ["192.0.2.1:5000", "[2001:db8::1]:5000"] {
            let remote: SocketAddr = remote.parse().unwrap();
            let [one, two] = [1, 2].map(|number| TcpId::new(number).unwrap());
            assert_ne!(one.address(remote), remote);
            assert_ne!(one.address(remote), two.address(remote));
            assert_eq!(TcpId::of(two.address(remote)), Some(two));
            assert_eq!(TcpId::of(remote), None);
            let (ip, port) = (one.address(remote).ip().to_canonical(), one.address(remote).port());
            assert_eq!(SocketAddr::new(ip, port), remote, "what a check is told");
        }
    }
}
