//! The DTLS handshake that keys the media, behind one trait.
//!
//! We are always the server (`a=setup:passive`). [`hello`] reads the offer before a backend exists;
//! [`dimpl`] is the backend, or `webrtc`, behind the checks of `gate`; an [`Acceptor`] knows which. A
//! handshake tells what certificate the peer has shown; whether that is the right one is for whoever
//! knows the signalled fingerprint to decide, before any key is used.
//!
//! Source: RFC 6347 (DTLS 1.2), RFC 5764 (DTLS-SRTP), RFC 8122 (fingerprints).

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::command::Fingerprint;
use crate::srtp::Keys;

mod acceptor;
pub mod dimpl;
pub mod gate;
pub mod hello;
mod key;
#[cfg(feature = "webrtc-dtls")]
pub mod webrtc;
mod wire;

pub use acceptor::{Acceptor, Backend, Panics, Wake};
pub use hello::HelloError;

/// One handshake and the channel it leaves behind, seen from the server.
pub trait Dtls: Send {
    /// Takes one datagram of the peer.
    ///
    /// # Errors
    /// Any error is the end of this handshake; noise on the wire is dropped without one.
    fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(), DtlsError>;

    /// Retransmits what is due.
    ///
    /// # Errors
    /// [`DtlsError::Backend`] when the peer has not answered for too long.
    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsError>;

    /// Seals `bytes` (a whole SCTP packet) for the peer.
    ///
    /// # Errors
    /// [`DtlsError::NotConnected`] before the handshake is done and after it was closed.
    fn send(&mut self, bytes: &[u8]) -> Result<(), DtlsError>;

    /// What to do; call until `None`.
    fn poll(&mut self) -> Option<Output>;

    /// When to call [`Dtls::handle_timeout`]; `None`: nothing waits.
    fn timeout(&self) -> Option<Instant>;
}

/// What a handshake asks for or reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A datagram for the peer.
    Transmit(Bytes),
    /// The handshake is done.
    Connected {
        /// SRTP keys of both directions.
        keys: Keys,
        /// Of the certificate that the peer has shown and proved to own.
        fingerprint: Fingerprint,
    },
    /// Plaintext of the peer: one SCTP packet.
    Data(Bytes),
    /// The peer has closed the channel.
    Closed,
    /// The handshake or the channel ended; comes from backends that work on threads of their own.
    Failed(DtlsError),
}

/// Why a handshake ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DtlsError {
    /// The offer cannot be taken.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// A length in a message does not fit.
    #[error("a handshake message is malformed: {what}")]
    Malformed {
        /// The message or field.
        what: &'static str,
    },
    /// More than an honest handshake has.
    #[error("the handshake has {len} bytes in one place (limit {limit})")]
    TooMuch {
        /// What came or was claimed.
        len: usize,
        /// What is accepted.
        limit: usize,
    },
    /// A message comes in too many pieces.
    #[error("a handshake message comes in more than {limit} fragments")]
    TooManyFragments {
        /// What is accepted.
        limit: usize,
    },
    /// More records than an honest handshake has.
    #[error("the handshake has more than {limit} records")]
    TooManyRecords {
        /// What is accepted.
        limit: usize,
    },
    /// A bug was met; the rest of the program goes on.
    #[error("internal error in the handshake")]
    Panicked,
    /// The backend's threads could not be started.
    #[error("the threads for the handshakes cannot be started")]
    Threads,
    /// The certificate could not be made.
    #[error("no certificate could be generated")]
    Certificate,
    /// The backend gave up.
    #[error("the handshake failed: {reason}")]
    Backend {
        /// In the backend's words; holds nothing of the peer's bytes.
        reason: String,
    },
    /// The negotiated profile is not the best one that was offered.
    #[error("the negotiated SRTP profile is not the best that was offered")]
    Downgraded,
    /// The keys could not be exported.
    #[error("no SRTP keys were exported")]
    NoKeys,
    /// There is no channel to send on.
    #[error("the handshake is not finished, or the channel is closed")]
    NotConnected,
    /// More than one datagram.
    #[error("{len} bytes do not fit a DTLS datagram (limit {limit})")]
    TooLarge {
        /// How many bytes were to be sent.
        len: usize,
        /// How many fit.
        limit: usize,
    },
}

/// Our certificate and what all handshakes share; made once a process, cheap to clone.
#[derive(Clone)]
pub struct Certificate {
    der: Arc<::dimpl::DtlsCertificate>,
    config: Arc<::dimpl::Config>,
    fingerprint: Fingerprint,
}

impl Certificate {
    /// Makes a key on the curve P-256 and a self-signed certificate for it, valid a year.
    ///
    /// # Errors
    /// [`DtlsError::Certificate`] if the system gives no randomness.
    pub fn generate() -> Result<Self, DtlsError> {
        let der = ::dimpl::certificate::generate_self_signed_certificate()
            .map_err(|_| DtlsError::Certificate)?;
        let provider = key::provider(&der.private_key).ok_or(DtlsError::Certificate)?;
        let config = ::dimpl::Config::builder()
            .with_crypto_provider(provider)
            .mtu(MTU)
            .use_server_cookie(false) // only addresses that ICE has validated come this far
            .require_client_certificate(true)
            .flight_start_rto(FIRST_RETRANSMISSION)
            .flight_retries(RETRANSMISSIONS)
            .handshake_timeout(HANDSHAKE_LIMIT)
            .build()
            .map_err(|error| DtlsError::Backend { reason: error.to_string() })?;
        let fingerprint = fingerprint(&der.certificate);
        Ok(Self { der: Arc::new(der), config: Arc::new(config), fingerprint })
    }

    /// For `a=fingerprint:sha-256`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Certificate(…)")
    }
}

/// SHA-256 of a certificate in DER (RFC 8122, section 5).
pub(crate) fn fingerprint(der: &[u8]) -> Fingerprint {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, der);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    Fingerprint(bytes)
}

/// A handshake that is not done after this long has failed.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);
/// The largest datagram that a handshake makes; what browsers use themselves.
const MTU: usize = 1_200;
/// The path was just checked and answers in well under a second; doubled each time.
const FIRST_RETRANSMISSION: Duration = Duration::from_millis(400);
/// 0.4 s doubled six times is about the whole of [`HANDSHAKE_LIMIT`].
const RETRANSMISSIONS: usize = 6;

#[cfg(test)]
pub(crate) mod client;
#[cfg(test)]
mod tests;
