//! A certificate chain with its key, and what an operator wants to know of it.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan as _};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// Ready to be served.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(crate) begins: Timestamp,
    pub(crate) ends: Timestamp,
    /// DNS names and IP addresses, in lower case; a name may begin with `*.`.
    pub(crate) names: Vec<String>,
}

impl Certificate {
    /// Reads dates and names of the first certificate; `None` where that is no X.509.
    pub(super) fn new(key: CertifiedKey) -> Option<Self> {
        let der = key.cert.first()?;
        let (_, x509) = X509Certificate::from_der(der).ok()?;
        let time = |seconds| Timestamp::from_second(seconds).ok();
        let begins = time(x509.validity().not_before.timestamp())?;
        let ends = time(x509.validity().not_after.timestamp())?;
        let names = names(&x509);
        Some(Self { begins, ends, names, key: Arc::new(key) })
    }

    /// Whether it holds at that time.
    pub(crate) fn is_valid(&self, now: Timestamp) -> bool {
        self.begins <= now && now < self.ends
    }

    /// Whether browsers accept it for this host (RFC 6125: a wildcard stands for one label).
    pub(crate) fn covers(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let parent = host.split_once('.').map(|(_, parent)| parent);
        self.names
            .iter()
            .any(|name| *name == host || (parent.is_some() && name.strip_prefix("*.") == parent))
    }

    /// When to get the next one: after two thirds of its life.
    pub(super) fn renewal(&self) -> Timestamp {
        let life = self.ends.as_second().saturating_sub(self.begins.as_second());
        self.begins.checked_add((life / 3 * 2).seconds()).unwrap_or(self.ends)
    }
}

fn names(x509: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = x509.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|it| it.to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(text).collect()
}

fn address(bytes: &[u8]) -> Option<std::net::IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from)).ok()
}
