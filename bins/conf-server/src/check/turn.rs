//! Does the TURN server take the credentials that we hand out?
//!
//! Asked as a browser would: an allocation, which is given back at once.

mod line;
mod message;

use std::io;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::time::Duration;

use conf_media::signal::turn::Relay;

use self::line::Line;
use self::message::{Answer, Request};
use super::{Finding, addresses};
use crate::config::{Config, TurnUrl};
use crate::{clock, random};

const TOPIC: &str = "turn.urls";

/// One finding for each way to the server.
pub(super) fn look(config: &Config) -> Vec<Finding> {
    let Some(server) = &config.turn else { return Vec::new() };
    let relay = server.granting().grant(clock::wall(), &format!("{:016x}", random::id()));
    server.urls.iter().map(|url| of(url, &relay)).collect()
}

fn of(url: &TurnUrl, relay: &Relay) -> Finding {
    let name = &url.text;
    match ask(url, relay) {
        Ok(Some(relayed)) if addresses::is_private(relayed) && !is_near(url) => {
            let text = format!(
                "{name} relays at {relayed}, a private address: tell coturn its public one \
                 (external-ip)"
            );
            Finding::warning(TOPIC, text)
        }
        Ok(Some(_)) => Finding::ok(TOPIC, format!("{name} takes what we hand out")),
        Ok(None) => Finding::warning(TOPIC, format!("{name}: DTLS was not tried")),
        Err(wrong) => Finding::problem(TOPIC, format!("{name}: {wrong}")),
    }
}

/// A server of this machine or network may well relay there.
fn is_near(url: &TurnUrl) -> bool {
    let address = (url.host.as_str(), url.port).to_socket_addrs();
    address.ok().and_then(|mut all| all.next()).is_some_and(|it| addresses::is_private(it.ip()))
}

/// Why a TURN server is of no use.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("the name leads to no address; is it written right, and known to the name servers?")]
    Unknown,
    #[error("nothing answered within {} s: does it run, and does a firewall let {transport} port {port} in?", PATIENCE.as_secs())]
    Silent { transport: &'static str, port: u16 },
    #[error("nobody listens there: does it run, and on that port?")]
    Closed,
    #[error("what answered is no TURN server")]
    Other,
    #[error(
        "it refuses what we hand out (401): is turn.secret its static-auth-secret, is \
         use-auth-secret set there, and are both clocks right?"
    )]
    Secret,
    #[error("it takes users without a password: whoever finds it can use it; set use-auth-secret")]
    Open,
    #[error("it refuses an allocation with code {code}")]
    Refused { code: u16 },
    #[error("its certificate is not good for browsers: {0}")]
    Certificate(rustls::Error),
    #[error("{0}")]
    Io(io::Error),
}

/// The address that is relayed at; `None`: nothing was tried.
fn ask(url: &TurnUrl, relay: &Relay) -> Result<Option<IpAddr>, Wrong> {
    if url.secure && !url.tcp {
        return Ok(None);
    }
    let all = (url.host.as_str(), url.port).to_socket_addrs().map_err(|_| Wrong::Unknown)?;
    let mut wrong = Wrong::Unknown;
    for address in all {
        match Line::open(url, address).and_then(|line| allocate(line, url, relay)) {
            Ok(relayed) => return Ok(relayed),
            Err(error) => wrong = error,
        }
    }
    Err(wrong)
}

fn allocate(mut line: Line, url: &TurnUrl, relay: &Relay) -> Result<Option<IpAddr>, Wrong> {
    let first = line.exchange(&Request::allocate(transaction()).unsigned(), url)?;
    let Answer::Refused { code: 401, realm: Some(realm), nonce: Some(nonce) } = first else {
        return Err(match first {
            Answer::Done { .. } => Wrong::Open,
            Answer::Refused { code, .. } => Wrong::Refused { code },
        });
    };
    let login = message::Login { relay, realm: &realm, nonce: &nonce };
    match line.exchange(&Request::allocate(transaction()).signed(&login), url)? {
        Answer::Done { relayed } => {
            // Given back; whether that arrives changes nothing for us.
            let _ = line.send(&Request::give_back(transaction()).signed(&login));
            Ok(Some(relayed.ok_or(Wrong::Other)?))
        }
        Answer::Refused { code: 401 | 403 | 441, .. } => Err(Wrong::Secret),
        Answer::Refused { code, .. } => Err(Wrong::Refused { code }),
    }
}

fn transaction() -> [u8; 12] {
    random::bytes()
}

const PATIENCE: Duration = Duration::from_secs(3);
const TRIES: u32 = 3;
