//! Where a request comes from; only for the throttle, never logged.

use std::hash::{BuildHasher as _, Hash, RandomState};
use std::net::IpAddr;

use axum::http::HeaderMap;

/// The address of the connection.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

impl Client {
    /// The address behind the trusted proxies: each adds the one it was asked from at the end of
    /// `X-Forwarded-For`, so the last one that is no proxy of ours is the one to believe.
    pub(super) fn origin(self, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
        let mut address = self.0.to_canonical();
        let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        let texts = values.iter().rev().filter_map(|value| value.to_str().ok());
        let mut named = texts.flat_map(|text| text.rsplit(',')).map(str::trim);
        while proxies.contains(&address) {
            let Some(Ok(before)) = named.next().map(str::parse::<IpAddr>) else { break };
            address = before.to_canonical();
        }
        address
    }
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, the size of a
/// household.
pub(super) fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(ip) => u128::from(ip.to_bits()),
        IpAddr::V6(ip) => ip.to_bits() & !u128::from(u64::MAX),
    }
}

/// The place of something in a table of fixed size.
pub(super) fn slot(key: &RandomState, what: impl Hash, slots: usize) -> usize {
    let size = u64::try_from(slots.max(1)).unwrap_or(u64::MAX);
    usize::try_from(key.hash_one(what) % size).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(connection: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let proxies = ["127.0.0.1".parse().unwrap(), "10.0.0.1".parse().unwrap()];
        Client(connection.parse().unwrap()).origin(&headers, &proxies).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(origin("198.51.100.1", &["192.0.2.1"]), "198.51.100.1");
        assert_eq!(origin("127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(origin("::ffff:127.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(origin("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_a_client_wrote_itself_is_not_believed() {
        assert_eq!(origin("127.0.0.1", &["203.0.113.9, 192.0.2.1"]), "192.0.2.1");
        assert_eq!(origin("127.0.0.1", &["203.0.113.9", "192.0.2.1, 10.0.0.1"]), "192.0.2.1");
        assert_eq!(origin("127.0.0.1", &["nonsense"]), "127.0.0.1");
    }
}
