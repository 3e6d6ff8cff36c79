//! Where a browser can reach us, as it is told.

use std::net::SocketAddr;

/// What carries datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// As they are.
    Udp,
    /// In frames; the other end connects (RFC 6544: we are passive).
    Tcp,
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        })
    }
}

/// One of our addresses (a host candidate; we are ICE-lite and have no others).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// What it is reached over.
    pub transport: Transport,
    /// Where.
    pub address: SocketAddr,
}

impl Candidate {
    /// Reached over UDP.
    #[must_use]
    pub fn udp(address: SocketAddr) -> Self {
        Self { transport: Transport::Udp, address }
    }

    /// Reached over TCP.
    #[must_use]
    pub fn tcp(address: SocketAddr) -> Self {
        Self { transport: Transport::Tcp, address }
    }

    /// How much it is preferred, as the `index`th of its transport: every one of UDP before any of
    /// TCP, the first ones first.
    ///
    /// # Source
    /// RFC 8445, section 5.1.2.1; RFC 6544, section 4.2 (direction preference 4: passive host).
    #[must_use]
    pub fn priority(&self, index: usize) -> u32 {
        let index = u32::try_from(index).unwrap_or(u32::MAX).min(8_191);
        match self.transport {
            Transport::Udp => (126 << 24) | ((65_535 - index) << 8) | 255,
            Transport::Tcp => (90 << 24) | (((4 << 13) + 8_191 - index) << 8) | 255,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_candidate_of_udp_comes_before_those_of_tcp_in_their_order() {
        let address = SocketAddr::from(([192, 0, 2, 1], 7882));
        let (udp, tcp) = (Candidate::udp(address), Candidate::tcp(address));
        let order = [udp.priority(0), udp.priority(15), tcp.priority(0), tcp.priority(15)];
        assert!(order.is_sorted_by(|a, b| a > b), "{order:?}");
        assert_eq!(udp.priority(0), 2_130_706_431, "as browsers write it");
    }
}
