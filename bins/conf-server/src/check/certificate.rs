//! Is there a certificate, for the right names, and for how long?

use jiff::Timestamp;

use super::{Finding, addresses};
use crate::config::{Config, Tls};
use crate::tls::{Certificate, TlsError, read_files, stored};

/// The certificate that would be served.
pub(super) fn look(config: &Config, now: Timestamp) -> Finding {
    match &config.tls {
        None if config.is_https() => {
            Finding::ok(TOPIC, "a proxy before this server does TLS: look there")
        }
        None if config.http_listen.ip().is_loopback() => {
            Finding::ok(TOPIC, "none needed: this machine only")
        }
        None => Finding::warning(
            TOPIC,
            "no TLS: browsers give no microphone or camera to plain HTTP from other machines",
        ),
        Some(Tls::Files(files)) => judge(config, read_files(files, now).map(Some), now),
        Some(Tls::Acme(_)) => judge(config, stored(&config.data_dir), now),
    }
}

fn judge(
    config: &Config,
    certificate: Result<Option<Certificate>, TlsError>,
    now: Timestamp,
) -> Finding {
    let certificate = match certificate {
        Ok(Some(certificate)) => certificate,
        Ok(None) => {
            let text = "none yet: the first start orders it by ACME, port 80 must lead here then";
            return Finding::warning(TOPIC, text);
        }
        Err(error) => return Finding::problem(TOPIC, error.to_string()),
    };
    let names = addresses::names(config);
    if let Some(name) = names.iter().find(|name| !certificate.covers(name)) {
        return Finding::problem(TOPIC, format!("it is not for {name}: browsers will refuse it"));
    }
    let days = certificate.ends.duration_since(now).as_hours() / 24;
    let text = format!("valid until {} ({days} days)", certificate.ends);
    match days {
        ..0 => Finding::problem(TOPIC, format!("over since {}", certificate.ends)),
        0..SOON => Finding::warning(TOPIC, format!("{text}: is its renewal at work?")),
        _ => Finding::ok(TOPIC, text),
    }
}

const TOPIC: &str = "certificate";
/// Days; whatever renews should have done so by then.
const SOON: i64 = 14;
