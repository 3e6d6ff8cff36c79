//! Do browsers find this machine, so far as it can know that itself?

use std::net::{IpAddr, Ipv4Addr};

use super::Finding;
use crate::config::{Config, Tls};

/// The addresses of media, and the name of the pages.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    vec![media(config, &own()), name(config)]
}

fn media(config: &Config, own: &[IpAddr]) -> Finding {
    const TOPIC: &str = "media.advertise";
    let foreign = |it: &&IpAddr| !own.contains(it);
    let advertised: Vec<IpAddr> = config.media_advertise.iter().map(|it| it.address.ip()).collect();
    if let Some(ip) = advertised.iter().find(foreign) {
        let text = format!(
            "{ip} is not an address of this machine: good behind NAT, if the ports of media.listen \
             are passed on from there"
        );
        return Finding::warning(TOPIC, text);
    }
    if !advertised.is_empty() {
        return Finding::ok(TOPIC, "every address is one of this machine");
    }
    let listens = |ip: &&IpAddr| {
        config.media_listen.iter().any(|it| it.ip().is_unspecified() || it.ip() == **ip)
    };
    let told = own.iter().filter(listens);
    let public = told.filter(|ip| !ip.is_loopback()).any(|ip| !is_private(*ip));
    if public || config.http_listen.ip().is_loopback() {
        return Finding::ok(TOPIC, "browsers are told the addresses of this machine");
    }
    let text = "this machine has private addresses only: for people outside this network set the \
                public address here, and pass UDP on to this machine";
    Finding::warning(TOPIC, text)
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

/// Not reached from the internet: RFC 1918, 6598, 3927, 4193, 4291.
fn is_private(ip: IpAddr) -> bool {
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
