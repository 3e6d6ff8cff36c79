//! Which addresses browsers are told.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::{MediaConfig, NetError, canonical};

/// The configured addresses, the one that is listened on, or all of this machine.
pub(super) fn candidates(
    config: &MediaConfig,
    local: SocketAddr,
) -> Result<Vec<SocketAddr>, NetError> {
    let port = |port: u16| if port == 0 { local.port() } else { port };
    if !config.advertise.is_empty() {
        let named = config.advertise.iter();
        return Ok(named.map(|a| SocketAddr::new(a.ip(), port(a.port()))).collect());
    }
    if !local.ip().is_unspecified() {
        return Ok(vec![canonical(local)]);
    }
    let all = getifaddrs()
        .map_err(|errno| NetError::Interfaces { cause: errno.into() })?
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| interface.address.as_ref().and_then(ip));
    let mut found = choose(all, local.is_ipv6());
    found.truncate(MAX_CANDIDATES);
    if found.is_empty() {
        return Err(NetError::NoAddress { address: local });
    }
    Ok(found.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect())
}

/// Every address that others can reach; loopback only where there is nothing else.
fn choose(all: impl Iterator<Item = IpAddr>, with_v6: bool) -> Vec<IpAddr> {
    let mut usable: Vec<IpAddr> = all
        .filter(|ip| ip.is_ipv4() || with_v6)
        .filter(|ip| !ip.is_unspecified() && !ip.is_multicast() && !is_link_local(*ip))
        .collect();
    usable.sort();
    usable.dedup();
    if usable.iter().any(|ip| !ip.is_loopback()) {
        usable.retain(|ip| !ip.is_loopback());
    }
    usable
}

/// Only means something together with an interface, which a candidate cannot name.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

pub(super) fn ip(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(IpAddr::V4(v4.ip()));
    }
    address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip()))
}

/// A browser checks each of them.
const MAX_CANDIDATES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(text: &[&str]) -> Vec<IpAddr> {
        text.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_told_only_where_there_is_nothing_else() {
        let all = ips(&["127.0.0.1", "192.0.2.7", "192.0.2.7", "169.254.3.3", "2001:db8::7"]);
        assert_eq!(choose(all.clone().into_iter(), false), ips(&["192.0.2.7"]));
        assert_eq!(choose(all.into_iter(), true), ips(&["192.0.2.7", "2001:db8::7"]));
        assert_eq!(choose(ips(&["127.0.0.1"]).into_iter(), false), ips(&["127.0.0.1"]));
    }

    #[test]
    fn an_advertised_address_without_port_gets_the_one_listened_on() {
        let advertise =
            vec!["198.51.100.1:0".parse().unwrap(), "198.51.100.2:443".parse().unwrap()];
        let config = MediaConfig {
            listen: "0.0.0.0:0".parse().unwrap(),
            advertise,
            shards: 1,
            dtls: crate::dtls::Backend::Dimpl,
            seed: 0,
            loudest: 8,
        };
        let told = candidates(&config, "0.0.0.0:7882".parse().unwrap()).unwrap();
        assert_eq!(told[0], "198.51.100.1:7882".parse().unwrap());
        assert_eq!(told[1], "198.51.100.2:443".parse().unwrap());
    }
}
