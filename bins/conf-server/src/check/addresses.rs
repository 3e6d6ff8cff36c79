//! Do browsers find this machine, so far as it can know that itself?

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use conf_media::ice::Transport;
use conf_media::net::Advertised;

use super::Finding;
use crate::config::{Config, Tls};

const TOPIC: &str = "media.advertise";

/// The addresses of media, and the name of the pages.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let mut findings = media(config, &own());
    findings.extend(routes(config, can_reach));
    findings.push(name(config));
    findings
}

/// One finding for each address that is told, or one for those of this machine.
fn media(config: &Config, own: &[IpAddr]) -> Vec<Finding> {
    if config.media_advertise.is_empty() {
        return vec![told_by_itself(config, own)];
    }
    config.media_advertise.iter().map(|it| advertised(config, *it, own)).collect()
}

fn told_by_itself(config: &Config, own: &[IpAddr]) -> Finding {
    let listens = |ip: &&IpAddr| {
        config.media_listen.iter().any(|it| it.ip().is_unspecified() || it.ip() == **ip)
    };
    let mut told = own.iter().filter(listens).filter(|ip| !ip.is_loopback());
    if config.http_listen.ip().is_loopback() && !is_for_all(config) {
        return Finding::ok(TOPIC, "browsers are told the addresses of this machine");
    }
    if told.any(|ip| !is_private(*ip)) {
        return Finding::ok(TOPIC, "browsers are told the addresses of this machine");
    }
    let text = "this machine has private addresses only: for people outside this network set the \
                public address here, and pass UDP and TCP on to this machine";
    Finding::warning(TOPIC, text)
}

fn advertised(config: &Config, told: Advertised, own: &[IpAddr]) -> Finding {
    let ip = told.address.ip();
    if told.transport == Some(Transport::Tcp) && !config.media_tcp {
        let text = format!("tcp:{ip} is told, but media.tcp is off: switch it on, or leave it out");
        return Finding::problem(TOPIC, text);
    }
    let Some(listens) = listening(config, ip) else {
        let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
        let text = format!(
            "{ip} is told, but media.listen takes no {family}: listen on an address of that family \
             too, or leave it out"
        );
        return Finding::problem(TOPIC, text);
    };
    if is_private(ip) && is_for_all(config) {
        let text = format!(
            "{ip} is a private address, but http.public_url is for everybody: people outside this \
             network cannot reach it; set the public address"
        );
        return Finding::warning(TOPIC, text);
    }
    if own.contains(&ip) { of_this_machine(told, listens) } else { foreign(told, listens, own) }
}

/// Where this family of addresses is listened on.
fn listening(config: &Config, ip: IpAddr) -> Option<SocketAddr> {
    let mut all = config.media_listen.iter();
    let dual = |it: &SocketAddr| config.media_listen.len() == 1 && it.ip() == Ipv6Addr::UNSPECIFIED;
    all.find(|it| it.is_ipv4() == ip.is_ipv4() || dual(it)).copied()
}

fn of_this_machine(told: Advertised, listens: SocketAddr) -> Finding {
    let (ip, port) = (told.address.ip(), told.address.port());
    if !listens.ip().is_unspecified() && listens.ip() != ip {
        let text = format!(
            "{ip} is told, but media.listen takes {} only: listen on {ip}, or tell that",
            listens.ip()
        );
        return Finding::problem(TOPIC, text);
    }
    if port != 0 && port != listens.port() {
        let text = format!(
            "{} is told, but media listens on port {}: good only if this machine passes one on to \
             the other",
            told.address,
            listens.port()
        );
        return Finding::warning(TOPIC, text);
    }
    Finding::ok(TOPIC, format!("{ip} is an address of this machine"))
}

fn foreign(told: Advertised, listens: SocketAddr, own: &[IpAddr]) -> Finding {
    let ip = told.address.ip();
    let public = |it: &&IpAddr| it.is_ipv4() == ip.is_ipv4() && !is_private(**it);
    if let Some(public) = own.iter().find(public) {
        let text = format!(
            "{ip} is not an address of this machine, which has the public address {public} itself \
             and so needs no NAT: a slip of the pen?"
        );
        return Finding::warning(TOPIC, text);
    }
    let outside = if told.address.port() == 0 { listens.port() } else { told.address.port() };
    let what = match told.transport {
        Some(transport) => format!("{transport} {outside} is"),
        None => format!("UDP and TCP {outside} are"),
    };
    let text = format!(
        "{ip} is not an address of this machine: good behind NAT, if {what} passed on from there to \
         port {} here",
        listens.port()
    );
    Finding::warning(TOPIC, text)
}

/// People outside are told an address of a family that this machine cannot answer over.
fn routes(config: &Config, can_reach: impl Fn(IpAddr) -> bool) -> Vec<Finding> {
    let told = |v4: bool| {
        let of_family = |it: &&Advertised| it.address.is_ipv4() == v4;
        config.media_advertise.iter().find(of_family).filter(|it| !is_private(it.address.ip()))
    };
    let families = [
        (told(true), "IPv4", IpAddr::V4(SOMEWHERE_V4)),
        (told(false), "IPv6", IpAddr::V6(SOMEWHERE_V6)),
    ];
    let cut_off = families.into_iter().filter(|(_, _, there)| !can_reach(*there));
    cut_off
        .filter_map(|(told, family, _)| Some((told?, family)))
        .map(|(told, family)| {
            let text = format!(
                "{} is told, but this machine has no route to the internet over {family}: nobody \
                 there gets an answer",
                told.address.ip()
            );
            Finding::warning(TOPIC, text)
        })
        .collect()
}

/// Whether there is a route; nothing is sent.
fn can_reach(there: IpAddr) -> bool {
    let from: IpAddr = match there {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((from, 0)).and_then(|socket| socket.connect((there, 9))).is_ok()
}

fn name(config: &Config) -> Finding {
    const TOPIC: &str = "http.public_url";
    match &config.public_url {
        Some(url) if url.is_secure() && config.tls.is_none() => {
            let text = format!("{url} needs a proxy that does TLS and passes on to http.listen");
            Finding::ok(TOPIC, text)
        }
        Some(url) if url.is_secure() => Finding::ok(TOPIC, format!("people use {url}")),
        Some(url) => {
            let text = format!("{url} is not HTTPS: browsers give no microphone or camera there");
            Finding::warning(TOPIC, text)
        }
        None if config.http_listen.ip().is_loopback() && config.tls.is_none() => {
            Finding::ok(TOPIC, "not set: this machine only")
        }
        None => {
            let text = "not set: links hold an address, and requests by a name are refused; set \
                        https:// with your name";
            Finding::warning(TOPIC, text)
        }
    }
}

/// The pages have a name that is not one of this machine or network only.
fn is_for_all(config: &Config) -> bool {
    let Some(url) = &config.public_url else { return false };
    let name = url.name().trim_matches(['[', ']']);
    match name.parse::<IpAddr>() {
        Ok(ip) => !is_private(ip),
        Err(_) => name != "localhost" && name.contains('.') && !name.ends_with(".local"),
    }
}

/// Not reached from the internet: RFC 1918, 6598, 3927, 4193, 4291.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared = ip & Ipv4Addr::new(255, 192, 0, 0) == Ipv4Addr::new(100, 64, 0, 0);
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || shared
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

fn own() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let ip = |address: &nix::sys::socket::SockaddrStorage| {
        let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
    };
    interfaces.filter_map(|it| ip(&it.address?)).collect()
}

/// The name that people use, for the certificate.
pub(super) fn names(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = config.tls.as_ref().map(Tls::names).unwrap_or_default();
    let url = config.public_url.as_ref().map(|url| url.name().to_owned());
    names.extend(url.filter(|name| !names.contains(name)));
    names
}

/// Of documentation (RFC 5737, 3849): whatever has a default route has one there.
const SOMEWHERE_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const SOMEWHERE_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Level;
    use crate::config::PublicUrl;

    const OWN: [&str; 3] = ["127.0.0.1", "10.0.0.7", "2001:db8::7"];

    /// What is found about one address that is told, where `listen` is listened on.
    fn about(told: &str, listen: &str, change: impl FnOnce(&mut Config)) -> (Level, String) {
        let variables = [("CONF_MEDIA__ADVERTISE", told), ("CONF_MEDIA__LISTEN", listen)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut config = Config::load(None, variables).unwrap();
        change(&mut config);
        let own: Vec<IpAddr> = OWN.iter().map(|it| it.parse().unwrap()).collect();
        let found = media(&config, &own);
        assert_eq!(found.len(), 1);
        (found[0].level, found[0].text.clone())
    }

    #[test]
    fn every_address_that_cannot_work_is_named_with_the_reason() {
        let public = |config: &mut Config| {
            config.public_url = PublicUrl::parse("https://meet.example.org");
        };
        let nothing = |_: &mut Config| {};
        let (level, text) = about("10.0.0.7", "[::]:7882", nothing);
        assert_eq!((level, &*text), (Level::Ok, "10.0.0.7 is an address of this machine"));
        let (level, text) = about("10.0.0.7", "[::]:7882", public);
        assert_eq!((level, text.contains("is a private address")), (Level::Warning, true));
        let (level, text) = about("198.51.100.7:17882", "[::]:7882", public);
        assert_eq!(level, Level::Warning);
        assert!(text.contains("UDP and TCP 17882 are passed on from there to port 7882"), "{text}");
        let (_, text) = about("tcp:198.51.100.7:443", "0.0.0.0:7882", public);
        assert!(text.contains("TCP 443 is passed on"), "{text}");
        let (level, text) = about("2001:db8::9", "[::]:7882", nothing);
        assert_eq!((level, text.contains("a slip of the pen")), (Level::Warning, true), "{text}");
        let (level, text) = about("2001:db8::7", "0.0.0.0:7882", nothing);
        assert_eq!((level, text.contains("takes no IPv6")), (Level::Problem, true), "{text}");
        let (level, text) = about("10.0.0.7", "127.0.0.1:7882", nothing);
        assert_eq!((level, text.contains("takes 127.0.0.1 only")), (Level::Problem, true));
        let (level, text) = about("10.0.0.7:7000", "0.0.0.0:7882", nothing);
        assert_eq!((level, text.contains("listens on port 7882")), (Level::Warning, true));
        let off = |config: &mut Config| config.media_tcp = false;
        let (level, text) = about("tcp:10.0.0.7", "0.0.0.0:7882", off);
        assert_eq!((level, text.contains("media.tcp is off")), (Level::Problem, true), "{text}");
    }

    #[test]
    fn a_family_without_a_route_is_named_if_people_are_told_of_it() {
        let told = [("CONF_MEDIA__ADVERTISE".to_owned(), "198.51.100.7, 2001:db8:1::7".to_owned())];
        let config = Config::load(None, told).unwrap();
        let findings = routes(&config, |there| there.is_ipv4());
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("no route to the internet over IPv6"), "{findings:?}");
        assert!(routes(&config, |_| true).is_empty());
        assert!(routes(&Config::built_in(), |_| false).is_empty());
    }
}
