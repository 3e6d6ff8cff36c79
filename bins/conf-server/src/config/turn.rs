//! A TURN server that people are told of: its addresses and the secret it shares with us.

use std::time::Duration;

use conf_media::signal::turn::Turn;
use conf_privacy::Pii;

use super::ConfigError;

/// A TURN server of the operator's (coturn with `use-auth-secret`, for example).
#[derive(Clone, Debug)]
pub struct TurnServer {
    /// How it is reached; at least one.
    pub urls: Vec<TurnUrl>,
    /// Shared with it.
    pub secret: Pii<String>,
    /// How long what a client is given is good for.
    pub ttl: Duration,
}

impl TurnServer {
    /// What hands out credentials.
    #[must_use]
    pub fn granting(&self) -> Turn {
        let urls = self.urls.iter().map(|url| url.text.clone()).collect();
        Turn::new(urls, self.secret.reveal(), self.ttl)
    }

    /// Its names, each once.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        let mut hosts: Vec<_> = self.urls.iter().map(|url| url.host.clone()).collect();
        hosts.sort();
        hosts.dedup();
        hosts
    }
}

/// One way to a TURN server (RFC 7065).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnUrl {
    /// As browsers are told it.
    pub text: String,
    /// Over TLS (or DTLS).
    pub secure: bool,
    /// Name or address, without brackets.
    pub host: String,
    /// Where it listens.
    pub port: u16,
    /// Over TCP; otherwise UDP.
    pub tcp: bool,
}

impl TurnUrl {
    /// Reads `turn:` or `turns:`, a host, perhaps a port and a transport.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (secure, rest) = match text.split_once(':')? {
            ("turn", rest) => (false, rest),
            ("turns", rest) => (true, rest),
            _ => return None,
        };
        let (address, query) = rest.split_once('?').map_or((rest, None), |(a, q)| (a, Some(q)));
        let tcp = match query {
            None => secure,
            Some("transport=udp") => false,
            Some("transport=tcp") => true,
            Some(_) => return None,
        };
        let (host, port) = host_and_port(address)?;
        let port = port.unwrap_or(if secure { 5349 } else { 3478 });
        Some(Self { text: text.to_owned(), secure, host, port, tcp })
    }
}

fn host_and_port(address: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
        }
        None => {
            let (host, port) = address.split_once(':').unwrap_or((address, ""));
            let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            let valid = (1..=253).contains(&host.len()) && host.bytes().all(named);
            (host, valid.then_some(port))
        }
    };
    match port? {
        "" if address.ends_with(':') => None,
        "" => Some((host.to_owned(), None)),
        port => Some((host.to_owned(), Some(port.parse().ok().filter(|it| *it > 0)?))),
    }
}

/// The keys of the section `turn` while sources are laid over each other.
#[derive(Default)]
pub(super) struct TurnDraft {
    pub(super) urls: Vec<TurnUrl>,
    pub(super) secret: Option<String>,
    pub(super) ttl: u64,
}

impl TurnDraft {
    /// What the keys say together.
    pub(super) fn check(self) -> Result<Option<TurnServer>, ConfigError> {
        let refused = |key, rule| Err(ConfigError::Conflict { key, rule });
        match self.secret {
            Some(_) if self.urls.is_empty() => {
                refused("turn.secret", "it needs turn.urls beside it")
            }
            None if !self.urls.is_empty() => refused("turn.urls", "it needs turn.secret beside it"),
            None => Ok(None),
            Some(secret) => Ok(Some(TurnServer {
                urls: self.urls,
                secret: Pii::new(secret),
                ttl: Duration::from_secs(self.ttl),
            })),
        }
    }
}

pub(super) fn urls(value: &toml::Value) -> Option<Vec<TurnUrl>> {
    let list = value.as_array().filter(|list| list.len() <= 8)?;
    list.iter().map(|item| TurnUrl::parse(item.as_str()?)).collect()
}

/// At least 128 bits, were each character random.
pub(super) fn secret(value: &toml::Value) -> Option<String> {
    value.as_str().filter(|text| (22..=256).contains(&text.len())).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_turn_server_is_read_or_refused() {
        let read = |text| TurnUrl::parse(text).map(|it| (it.host, it.port, it.secure, it.tcp));
        let host = || "turn.example.org".to_owned();
        assert_eq!(read("turn:turn.example.org"), Some((host(), 3478, false, false)));
        assert_eq!(read("turns:turn.example.org:443"), Some((host(), 443, true, true)));
        assert_eq!(read("turn:turn.example.org:80?transport=tcp"), Some((host(), 80, false, true)));
        let v6 = Some(("2001:db8::1".to_owned(), 3478, false, false));
        assert_eq!(read("turn:[2001:db8::1]?transport=udp"), v6);
        for refused in [
            "stun:a",
            "turn:",
            "turn:a:0",
            "turn:a:70000",
            "turn:a:",
            "turn:a?transport=sctp",
            "turn:[a]",
            "turn:a b",
            "turn:a>;rel=x",
            "https://a",
            "turn:[::1]x",
        ] {
            assert_eq!(read(refused), None, "{refused}");
        }
    }
}
