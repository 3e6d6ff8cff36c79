//! Who may connect: bounds on connections, in all and of one network, and how long one may be open
//! without showing that somebody of ours is at the other end.
//!
//! Anybody can open connections; only who knows a password can make a check that we answer. Until
//! then a connection is *half-open*: few of them are kept, and when there are too many the oldest
//! makes room, so that strangers who hold connections open keep nobody out. A proven connection is
//! closed when no check was answered for long.
//!
//! Time comes in as an argument.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use super::TcpId;

/// Bounds of a [`Door`].
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Proven connections of one network: an office behind one address.
    pub of_network: usize,
    /// Half-open connections in all.
    pub half_open: usize,
    /// Half-open connections of one network.
    pub half_open_of_network: usize,
    /// How long a connection may be half-open.
    pub patience: Duration,
    /// How long a proven one may go without an answered check.
    pub silence: Duration,
}

impl Default for Limits {
    /// 4,096 in all, 1,024 of one network; half-open 512 and 128, for 10 s; silence of 30 s.
    fn default() -> Self {
        Self {
            connections: 4_096,
            of_network: 1_024,
            half_open: 512,
            half_open_of_network: 128,
            patience: Duration::from_secs(10),
            silence: Duration::from_secs(30),
        }
    }
}

/// Everybody who is connected.
#[derive(Debug)]
pub struct Door {
    limits: Limits,
    guests: HashMap<TcpId, Guest>,
    /// By the number, so the oldest comes first.
    half_open: BTreeSet<TcpId>,
    networks: HashMap<Network, Count>,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Guest {
    network: Network,
    proven: bool,
    until: Instant,
}

/// One address of IPv4, or a /64 of IPv6, which one line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Network {
    V4(u32),
    V6(u64),
}

impl Network {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip.to_bits()),
            IpAddr::V6(ip) => Self::V6(u64::try_from(ip.to_bits() >> 64).unwrap_or_default()),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    proven: usize,
    half_open: usize,
}

/// Somebody was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The number of the connection.
    pub id: TcpId,
    /// This half-open one is out: close it.
    pub instead_of: Option<TcpId>,
}

impl Door {
    /// An open door.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            guests: HashMap::new(),
            half_open: BTreeSet::new(),
            networks: HashMap::new(),
            last: 0,
        }
    }

    /// Somebody connects from `remote`; `None`: close the connection.
    pub fn admit(&mut self, now: Instant, remote: SocketAddr) -> Option<Admitted> {
        let network = Network::of(remote.ip());
        let count = self.networks.get(&network).copied().unwrap_or_default();
        if count.proven >= self.limits.of_network {
            return None;
        }
        let full = self.guests.len() >= self.limits.connections
            || self.half_open.len() >= self.limits.half_open;
        let crowd = count.half_open >= self.limits.half_open_of_network;
        let instead_of = match (crowd, full) {
            (true, _) => self.oldest(|guest| guest.network == network),
            (false, true) => Some(self.oldest(|_| true)?),
            (false, false) => None,
        };
        if let Some(oldest) = instead_of {
            self.leave(oldest);
        }
        let id = self.next_id();
        let until = now + self.limits.patience;
        self.guests.insert(id, Guest { network, proven: false, until });
        self.half_open.insert(id);
        self.networks.entry(network).or_default().half_open += 1;
        Some(Admitted { id, instead_of })
    }

    /// A check that came over this connection was answered.
    pub fn prove(&mut self, now: Instant, id: TcpId) {
        let Some(guest) = self.guests.get_mut(&id) else { return };
        guest.until = now + self.limits.silence;
        if std::mem::replace(&mut guest.proven, true) {
            return;
        }
        self.half_open.remove(&id);
        let count = self.networks.entry(guest.network).or_default();
        count.half_open = count.half_open.saturating_sub(1);
        count.proven += 1;
    }

    /// A check was answered on it, so it is one of ours.
    #[must_use]
    pub fn is_proven(&self, id: TcpId) -> bool {
        self.guests.get(&id).is_some_and(|guest| guest.proven)
    }

    /// The connection is closed.
    pub fn leave(&mut self, id: TcpId) {
        let Some(guest) = self.guests.remove(&id) else { return };
        self.half_open.remove(&id);
        let Some(count) = self.networks.get_mut(&guest.network) else { return };
        let place = if guest.proven { &mut count.proven } else { &mut count.half_open };
        *place = place.saturating_sub(1);
        if count.proven + count.half_open == 0 {
            self.networks.remove(&guest.network);
        }
    }

    /// One whose time is over; it has left. Call until `None`.
    pub fn poll_expired(&mut self, now: Instant) -> Option<TcpId> {
        let due = |guest: &Guest| guest.until <= now;
        let half_open =
            self.half_open.first().copied().filter(|id| self.guests.get(id).is_some_and(due));
        let silent = || self.guests.iter().find(|(_, guest)| due(guest)).map(|(&id, _)| id);
        let id = half_open.or_else(silent)?;
        self.leave(id);
        Some(id)
    }

    /// Connections now, and those of them that are half-open.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.guests.len(), self.half_open.len())
    }

    fn oldest(&self, fits: impl Fn(&Guest) -> bool) -> Option<TcpId> {
        self.half_open.iter().copied().find(|id| self.guests.get(id).is_some_and(&fits))
    }

    fn next_id(&mut self) -> TcpId {
        loop {
            self.last = self.last.wrapping_add(1);
            if let Some(id) = TcpId::new(self.last).filter(|id| !self.guests.contains_key(id)) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    fn from(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], port))
    }

    #[test]
    fn a_thousand_half_open_connections_of_one_address_are_bounded_and_keep_nobody_out() {
        let (mut door, now) = (Door::new(Limits::default()), test_clock().mono);
        let friend = door.admit(now, from(1, 1)).unwrap().id;
        door.prove(now, friend);
        for port in 0..1_000 {
            assert!(door.admit(now, from(1, port)).is_some());
        }
        assert_eq!(door.counts(), (129, 128));
        let late = door.admit(now, from(1, 5_000)).unwrap();
        assert!(late.instead_of.is_some_and(|it| it < late.id), "the oldest makes room");
        door.prove(now, late.id);
        let other = door.admit(now, from(2, 1)).unwrap();
        assert_eq!(other.instead_of, None, "another network does not notice");
        assert!(door.is_proven(friend) && door.is_proven(late.id));
    }

    #[test]
    fn half_open_connections_of_many_addresses_are_bounded_too() {
        let (mut door, now) = (Door::new(Limits::default()), test_clock().mono);
        for host in 0..20 {
            for port in 0..100 {
                assert!(door.admit(now, from(host, port)).is_some());
            }
        }
        assert_eq!(door.counts(), (512, 512));
        assert!(door.networks.len() <= 20);
        while door.poll_expired(now + Limits::default().patience).is_some() {}
        assert_eq!((door.counts(), door.networks.len()), ((0, 0), 0));
    }

    #[test]
    fn proven_connections_are_bounded_and_nobody_proven_makes_room() {
        let limits = Limits { connections: 5, of_network: 3, ..Limits::default() };
        let (mut door, now) = (Door::new(limits), test_clock().mono);
        for port in 0..3 {
            let id = door.admit(now, from(1, port)).unwrap().id;
            door.prove(now, id);
        }
        assert_eq!(door.admit(now, from(1, 9)), None);
        for port in 0..2 {
            let id = door.admit(now, from(2, port)).unwrap().id;
            door.prove(now, id);
        }
        assert_eq!(door.admit(now, from(3, 1)), None, "full of people");
        let silence = now + Limits::default().silence;
        assert!(door.poll_expired(silence - Duration::from_millis(1)).is_none());
        assert_eq!(std::iter::from_fn(|| door.poll_expired(silence)).count(), 5);
    }

    #[test]
    fn one_line_of_ipv6_is_one_network_and_a_mapped_address_is_that_of_ipv4() {
        let of = |ip: &str| Network::of(ip.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
