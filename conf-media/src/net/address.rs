//! Which addresses browsers are told.

use std::net::{IpAddr, SocketAddr};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::SockaddrStorage;

use super::{MediaConfig, NetError, canonical};
use crate::ice::{Candidate, Transport};

/// An address that browsers are told instead of those that were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// For this one only; `None`: for both.
    pub transport: Option<Transport>,
    /// Port 0 stands for the one that is listened on, of the same family if there are two.
    pub address: SocketAddr,
}

impl From<SocketAddr> for Advertised {
    fn from(address: SocketAddr) -> Self {
        Self { transport: None, address }
    }
}

/// The configured addresses, the ones that are listened on, or all of this machine; UDP first.
pub(super) fn candidates(
    config: &MediaConfig,
    local: &[SocketAddr],
) -> Result<Vec<Candidate>, NetError> {
    let told = if config.advertise.is_empty() {
        let mut found = Vec::new();
        for &address in local {
            found.extend(reachable(address)?.into_iter().map(Advertised::from));
        }
        found
    } else {
        config.advertise.iter().map(|it| with_port(*it, local)).collect()
    };
    let over = |transport: Transport| {
        let fitting = told.iter().filter(move |it| it.transport.is_none_or(|it| it == transport));
        fitting.map(move |it| Candidate { transport, address: it.address }).take(MAX_CANDIDATES)
    };
    let tcp = over(Transport::Tcp).filter(|_| config.tcp);
    let candidates: Vec<_> = over(Transport::Udp).chain(tcp).collect();
    if candidates.is_empty() {
        return Err(NetError::NoAddress);
    }
    Ok(candidates)
}

fn with_port(mut advertised: Advertised, local: &[SocketAddr]) -> Advertised {
    let address = advertised.address;
    let same = local.iter().find(|it| it.is_ipv4() == address.is_ipv4());
    if address.port() == 0
        && let Some(listens) = same.or(local.first())
    {
        advertised.address.set_port(listens.port());
    }
    advertised
}

/// Where a socket can be reached, as far as this machine knows.
fn reachable(local: SocketAddr) -> Result<Vec<SocketAddr>, NetError> {
    if !local.ip().is_unspecified() {
        return Ok(vec![canonical(local)]);
    }
    let all = getifaddrs()
        .map_err(|errno| NetError::Interfaces { cause: errno.into() })?
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| interface.address.as_ref().and_then(ip));
    let found = choose(all, local.is_ipv6());
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

/// Of each transport; a browser checks each of them.
const MAX_CANDIDATES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(text: &[&str]) -> Vec<IpAddr> {
        text.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn shown(config: &MediaConfig, local: &[&str]) -> Vec<String> {
        let local: Vec<SocketAddr> = local.iter().map(|it| it.parse().unwrap()).collect();
        let all = candidates(config, &local).unwrap();
        all.iter().map(|it| format!("{:?} {}", it.transport, it.address)).collect()
    }

    #[test]
    fn loopback_is_told_only_where_there_is_nothing_else() {
        let all = ips(&["127.0.0.1", "192.0.2.7", "192.0.2.7", "169.254.3.3", "2001:db8::7"]);
        assert_eq!(choose(all.clone().into_iter(), false), ips(&["192.0.2.7"]));
        assert_eq!(choose(all.into_iter(), true), ips(&["192.0.2.7", "2001:db8::7"]));
        assert_eq!(choose(ips(&["127.0.0.1"]).into_iter(), false), ips(&["127.0.0.1"]));
    }

    #[test]
    fn an_advertised_address_without_port_gets_the_one_listened_on_of_its_family() {
        let named = ["198.51.100.1:0", "198.51.100.2:443", "[2001:db8::2]:0"];
        let advertise = named.iter().map(|it| it.parse::<SocketAddr>().unwrap().into()).collect();
        let config = MediaConfig { advertise, tcp: false, ..MediaConfig::default() };
        let udp = ["Udp 198.51.100.1:7882", "Udp 198.51.100.2:443", "Udp [2001:db8::2]:7882"];
        assert_eq!(shown(&config, &["[::]:7882"]), udp);
        let two = shown(&config, &["0.0.0.0:7882", "[::]:7883"]);
        assert_eq!(two[2], "Udp [2001:db8::2]:7883");
    }

    #[test]
    fn an_address_may_be_for_one_transport_only_and_udp_comes_first() {
        let advertised = |transport, address: &str| {
            let address = address.parse().unwrap();
            Advertised { transport, address }
        };
        let advertise = vec![
            advertised(Some(Transport::Tcp), "198.51.100.1:443"),
            advertised(Some(Transport::Udp), "198.51.100.1:7000"),
            advertised(None, "198.51.100.2:0"),
        ];
        let config = MediaConfig { advertise, ..MediaConfig::default() };
        let all = [
            "Udp 198.51.100.1:7000",
            "Udp 198.51.100.2:7882",
            "Tcp 198.51.100.1:443",
            "Tcp 198.51.100.2:7882",
        ];
        assert_eq!(shown(&config, &["0.0.0.0:7882"]), all);
        let only_tcp = vec![advertised(Some(Transport::Tcp), "198.51.100.1:443")];
        let none = MediaConfig { advertise: only_tcp, tcp: false, ..MediaConfig::default() };
        let refused = candidates(&none, &["0.0.0.0:7882".parse().unwrap()]);
        assert!(matches!(refused, Err(NetError::NoAddress)));
    }
}
