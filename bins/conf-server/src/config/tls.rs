//! How HTTPS is served: from certificate files, or with certificates got by ACME.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::Uri;
use conf_privacy::Pii;

use super::{ConfigError, PublicUrl};

/// Where the certificate comes from.
#[derive(Clone, Debug)]
pub enum Tls {
    /// From files that somebody else keeps current.
    Files(TlsFiles),
    /// From an ACME server (RFC 8555).
    Acme(Acme),
}

/// Certificate and key in PEM form.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Whom to ask for certificates, and for which names.
#[derive(Clone, Debug)]
pub struct Acme {
    /// Names in the certificate, at least one.
    pub domains: Vec<String>,
    /// E-mail address that the ACME server may write to.
    pub contact: Option<Pii<String>>,
    /// The ACME server's directory; no other host is ever asked.
    pub directory: String,
    /// Certificates that are trusted instead of this machine's, for that server only.
    pub root: Option<PathBuf>,
}

/// The keys of the section `tls` while sources are laid over each other.
#[derive(Default)]
pub(super) struct TlsDraft {
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    pub(super) domains: Vec<String>,
    pub(super) contact: Option<String>,
    pub(super) directory: String,
    pub(super) root: Option<PathBuf>,
}

impl TlsDraft {
    /// What the keys say together.
    pub(super) fn check(self) -> Result<Option<Tls>, ConfigError> {
        let refused = |key, rule| Err(ConfigError::Conflict { key, rule });
        match (self.cert, self.key) {
            (Some(_), Some(_)) if !self.domains.is_empty() => {
                refused("tls.acme.domains", "allowed are certificate files or ACME, not both")
            }
            (Some(cert), Some(key)) => Ok(Some(Tls::Files(TlsFiles { cert, key }))),
            (Some(_), None) => refused("tls.cert", "it needs tls.key beside it"),
            (None, Some(_)) => refused("tls.key", "it needs tls.cert beside it"),
            (None, None) if self.domains.is_empty() => Ok(None),
            (None, None) => Ok(Some(Tls::Acme(Acme {
                domains: self.domains,
                contact: self.contact.map(Pii::new),
                directory: self.directory,
                root: self.root,
            }))),
        }
    }
}

impl Tls {
    /// Names that only this server has, so far as the configuration knows.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        match self {
            Self::Files(_) => Vec::new(),
            Self::Acme(acme) => acme.domains.clone(),
        }
    }

    /// Whether the other keys fit; without a public URL that of the first domain is taken.
    pub(super) fn fit(
        &self,
        listen: SocketAddr,
        redirect: Option<SocketAddr>,
        public_url: &mut Option<PublicUrl>,
    ) -> Result<(), ConfigError> {
        let refused = |key, rule| Err(ConfigError::Conflict { key, rule });
        if public_url.as_ref().is_some_and(|url| !url.is_secure()) {
            return refused("http.public_url", "with TLS it begins with https://");
        }
        let Self::Acme(acme) = self else { return Ok(()) };
        if redirect.is_none() {
            return refused("tls.acme.domains", "the ACME server asks at http.redirect_listen");
        }
        match public_url {
            Some(url) if !acme.domains.iter().any(|domain| domain == url.name()) => {
                refused("http.public_url", "its host is one of tls.acme.domains")
            }
            Some(_) => Ok(()),
            None => {
                let first = acme.domains.first().map(String::as_str).unwrap_or_default();
                *public_url = PublicUrl::parse(&format!("https://{first}:{}", listen.port()));
                Ok(())
            }
        }
    }
}

/// Host names for a certificate: no wildcards (HTTP-01 cannot prove them), no addresses.
pub(super) fn domains(value: &toml::Value) -> Option<Vec<String>> {
    let list = value.as_array().filter(|list| list.len() <= 16)?;
    list.iter().map(|item| domain(item.as_str()?)).collect()
}

fn domain(text: &str) -> Option<String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let fits = text.len() <= 253 && text.contains('.') && text.split('.').all(is_label);
    (fits && !is_number).then(|| text.to_ascii_lowercase())
}

/// An e-mail address, roughly: the ACME server has the last word.
pub(super) fn contact(value: &toml::Value) -> Option<String> {
    let text = value.as_str().filter(|text| text.len() <= 254)?;
    let (before, after) = text.split_once('@')?;
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;:\"".contains(&byte));
    (plain && !before.is_empty() && !after.is_empty() && !after.contains('@'))
        .then(|| text.to_owned())
}

/// `https://` with a host, perhaps a port, and a path.
pub(super) fn directory(value: &toml::Value) -> Option<String> {
    let uri: Uri = value.as_str()?.parse().ok()?;
    let fits = uri.scheme_str() == Some("https") && uri.host().is_some_and(|it| !it.is_empty());
    let bare = uri.authority().is_some_and(|it| !it.as_str().contains('@'));
    (fits && bare).then(|| uri.to_string())
}
