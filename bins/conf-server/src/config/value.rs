//! What the values of the configuration may be. `None` means: not allowed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use axum::http::Uri;
use conf_media::dtls::Backend;
use conf_media::ice::Transport;
use conf_media::net::Advertised;
use conf_privacy::Pii;

use super::ApiKey;

/// Scheme, host and port under which browsers reach the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    secure: bool,
    host: String,
}

impl PublicUrl {
    /// Reads `http://` or `https://`, a host and perhaps a port.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !bare || text.contains('#') || authority.as_str().contains('@') {
            return None;
        }
        let default = if secure { 443 } else { 80 };
        let host = match authority.port_u16() {
            Some(port) if port != default => format!("{}:{port}", authority.host()),
            _ => authority.host().to_owned(),
        };
        Some(Self { secure, host: host.to_lowercase() })
    }

    /// Over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Host without port.
    pub(crate) fn name(&self) -> &str {
        let port = self.host.rfind(':').filter(|at| !self.host[*at..].contains(']'));
        port.and_then(|at| self.host.get(..at)).unwrap_or(&self.host)
    }

    /// Host and, where it is not the scheme's own, port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for PublicUrl {
    /// As browsers write an origin: without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.host)
    }
}

pub(super) fn folder(value: &toml::Value) -> Option<PathBuf> {
    value
        .as_str()
        .filter(|text| !text.is_empty() && !text.contains(['\0', char::REPLACEMENT_CHARACTER]))
        .map(PathBuf::from)
}

pub(super) fn switch(value: &toml::Value) -> Option<bool> {
    match value.as_str()? {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// A DTLS implementation by the name of its crate.
pub(super) fn dtls(value: &toml::Value) -> Option<Backend> {
    match value.as_str()? {
        "dimpl" => Some(Backend::Dimpl),
        "webrtc-dtls" => Some(Backend::WebrtcDtls),
        _ => None,
    }
}

pub(super) fn address(value: &toml::Value) -> Option<SocketAddr> {
    value.as_str()?.parse().ok()
}

pub(super) fn address_or_off(value: &toml::Value) -> Option<Option<SocketAddr>> {
    match value.as_str()? {
        "off" => Some(None),
        _ => address(value).map(Some),
    }
}

/// One address, or one of each family.
pub(super) fn listen(value: &toml::Value) -> Option<Vec<SocketAddr>> {
    let list = match value {
        toml::Value::Array(list) => list.iter().map(address).collect::<Option<Vec<_>>>()?,
        single => vec![address(single)?],
    };
    match *list {
        [_] => Some(list),
        [one, other] => (one.is_ipv4() != other.is_ipv4()).then_some(list),
        _ => None,
    }
}

/// Addresses with or without a transport and a port; port 0 stands for "not given".
pub(super) fn advertised(value: &toml::Value) -> Option<Vec<Advertised>> {
    let list = value.as_array().filter(|list| list.len() <= 16)?;
    list.iter()
        .map(|item| {
            let (transport, text) = transport(item.as_str()?);
            let bare = || text.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 0));
            let address = text.parse().ok().or_else(bare);
            let address = address.filter(|it: &SocketAddr| !it.ip().is_unspecified())?;
            Some(Advertised { transport, address })
        })
        .collect()
}

fn transport(text: &str) -> (Option<Transport>, &str) {
    let over = |word, transport| text.strip_prefix(word).map(|rest| (Some(transport), rest));
    let named = over("udp:", Transport::Udp).or_else(|| over("tcp:", Transport::Tcp));
    named.unwrap_or((None, text))
}

pub(super) fn ip_addresses(value: &toml::Value) -> Option<Vec<IpAddr>> {
    let list = value.as_array().filter(|list| list.len() <= 16)?;
    list.iter().map(|item| item.as_str()?.parse().ok()).collect()
}

pub(super) fn number(value: &toml::Value, least: usize, most: usize) -> Option<usize> {
    let number = usize::try_from(value.as_integer()?).ok()?;
    (least..=most).contains(&number).then_some(number)
}

pub(super) fn public_url(value: &toml::Value) -> Option<PublicUrl> {
    PublicUrl::parse(value.as_str()?)
}

pub(super) fn level(value: &toml::Value) -> Option<tracing::Level> {
    match value.as_str()? {
        "error" => Some(tracing::Level::ERROR),
        "warn" => Some(tracing::Level::WARN),
        "info" => Some(tracing::Level::INFO),
        "debug" => Some(tracing::Level::DEBUG),
        "trace" => Some(tracing::Level::TRACE),
        _ => None,
    }
}

pub(super) fn api_key(value: &toml::Value) -> Option<String> {
    let text = value.as_str()?;
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"');
    ((1..=64).contains(&text.len()) && visible).then(|| text.to_owned())
}

/// RFC 7518, section 3.2: a key of HS256 has at least 256 bits.
pub(super) fn api_secret(value: &toml::Value) -> Option<String> {
    value.as_str().filter(|text| (32..=256).contains(&text.len())).map(str::to_owned)
}

pub(super) fn api_keys(value: &toml::Value) -> Option<Vec<ApiKey>> {
    let list = value.as_array().filter(|list| list.len() <= 64)?;
    list.iter()
        .map(|item| {
            let table = item.as_table().filter(|table| table.len() == 2)?;
            let key = api_key(table.get("key")?)?;
            let secret = Pii::new(api_secret(table.get("secret")?)?);
            Some(ApiKey { key, secret })
        })
        .collect()
}
