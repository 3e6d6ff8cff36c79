//! The client's handshakes: two implementations, because the offer of SRTP profiles decides.
//!
//! `dimpl` always offers all profiles, of which servers with AES-256-GCM take that one: it serves
//! the suite `gcm256`, at half the cost. For the others `webrtc-dtls` offers exactly the one that is
//! wanted; it needs tokio, so each handshake is a task that sends through the client's own socket.
//! Both repeat an unanswered ClientHello after 50 ms, as browsers do. Source: RFC 5764.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conf_media::command::Fingerprint;
use conf_media::srtp::{Keys, Profile};

mod sans_io;
mod task;

use sans_io::SansIo;
use task::Task;

/// How a handshake ended.
pub(super) type Outcome = Result<Keys, String>;

/// What all handshakes of a run share. Cheap to clone.
#[derive(Clone)]
pub(super) enum Identity {
    /// `dimpl`.
    SansIo(sans_io::Identity),
    /// `webrtc-dtls` on its own threads.
    Task(Arc<task::Identity>),
}

impl Identity {
    /// Makes a certificate for handshakes that end with `profile`.
    pub(super) fn generate(profile: Profile) -> anyhow::Result<Self> {
        Ok(match profile {
            Profile::AeadAes256Gcm => Self::SansIo(sans_io::Identity::generate()?),
            other => Self::Task(Arc::new(task::Identity::generate(other)?)),
        })
    }

    /// For `a=fingerprint:sha-256`.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        match self {
            Self::SansIo(identity) => identity.fingerprint(),
            Self::Task(identity) => identity.fingerprint(),
        }
    }
}

/// One handshake under way.
pub(super) enum Handshake {
    SansIo(Box<SansIo>),
    Task(Task),
}

/// Where tasks say how they ended.
pub(super) type Done = Box<dyn FnOnce(Outcome) + Send>;

impl Handshake {
    /// Begins; the server must show `expected`.
    pub(super) fn begin(
        identity: &Identity,
        expected: Fingerprint,
        (socket, done): (&Arc<UdpSocket>, Done),
        now: Instant,
    ) -> Self {
        match identity {
            Identity::SansIo(identity) => {
                Self::SansIo(Box::new(SansIo::begin(identity, expected, now)))
            }
            Identity::Task(identity) => Self::Task(identity.begin(expected, socket, done)),
        }
    }

    /// A datagram of the server.
    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) {
        match self {
            Self::SansIo(machine) => machine.handle(now, datagram),
            Self::Task(task) => task.handle(datagram),
        }
    }

    /// Time passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Self::SansIo(machine) = self {
            machine.handle_timeout(now);
        }
    }

    /// Sends what is to be sent; the outcome, once.
    pub(super) fn poll(&mut self, socket: &UdpSocket) -> Option<Outcome> {
        match self {
            Self::SansIo(machine) => machine.poll(socket),
            Self::Task(_) => None,
        }
    }

    /// When time has to be told; `None`: the task keeps its own.
    pub(super) fn timeout(&self) -> Option<Instant> {
        match self {
            Self::SansIo(machine) => Some(machine.timeout()),
            Self::Task(_) => None,
        }
    }
}

fn digest(der: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    Fingerprint(bytes)
}

/// As browsers do.
const FIRST_REPEAT: Duration = Duration::from_millis(50);
/// Then it has failed.
const LONGEST: Duration = Duration::from_secs(20);
/// Largest datagram of a handshake.
const MTU: usize = 1_200;
const WRONG_CERTIFICATE: &str = "the server showed another certificate than its description says";
