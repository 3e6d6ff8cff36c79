//! Which backend does the handshakes, and what all handshakes of one process share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Certificate, Dtls, DtlsError, dimpl};
use crate::command::Fingerprint;

/// A DTLS implementation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// The crate `dimpl`, sans-IO.
    #[default]
    Dimpl,
    /// The crate `webrtc-dtls`, on tokio tasks of its own.
    #[cfg(feature = "webrtc-dtls")]
    WebrtcDtls,
}

/// Called when [`Dtls::poll`] has something new, by backends that work on threads of their own.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Makes the server's side of handshakes; they all show the same certificate. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Acceptor {
    kind: Kind,
    panics: Panics,
}

#[derive(Clone, Debug)]
enum Kind {
    Dimpl(Certificate),
    #[cfg(feature = "webrtc-dtls")]
    WebrtcDtls(super::webrtc::Engine),
}

impl Acceptor {
    /// Makes the certificate, and starts the threads where the backend has any.
    ///
    /// # Errors
    /// [`DtlsError::Certificate`] or [`DtlsError::Threads`].
    pub fn start(backend: Backend) -> Result<Self, DtlsError> {
        let kind = match backend {
            Backend::Dimpl => Kind::Dimpl(Certificate::generate()?),
            #[cfg(feature = "webrtc-dtls")]
            Backend::WebrtcDtls => Kind::WebrtcDtls(super::webrtc::Engine::start()?),
        };
        Ok(Self { kind, panics: Panics::default() })
    }

    /// One that works on the threads of `engine`.
    #[cfg(all(test, feature = "webrtc-dtls"))]
    pub(crate) fn with(engine: super::webrtc::Engine) -> Self {
        Self { kind: Kind::WebrtcDtls(engine), panics: Panics::default() }
    }

    /// For `a=fingerprint:sha-256`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        match &self.kind {
            Kind::Dimpl(certificate) => certificate.fingerprint(),
            #[cfg(feature = "webrtc-dtls")]
            Kind::WebrtcDtls(engine) => engine.fingerprint(),
        }
    }

    /// A handshake that waits for its ClientHello. `wake` may be called from any thread.
    #[cfg_attr(not(feature = "webrtc-dtls"), expect(unused_variables, reason = "nobody calls it"))]
    #[must_use]
    pub fn accept(&self, wake: Wake) -> Box<dyn Dtls> {
        match &self.kind {
            Kind::Dimpl(certificate) => Box::new(dimpl::Server::new(certificate.clone())),
            #[cfg(feature = "webrtc-dtls")]
            Kind::WebrtcDtls(engine) => Box::new(engine.accept(wake, self.panics.clone())),
        }
    }

    /// Where panics of handshakes are counted.
    #[must_use]
    pub fn panics(&self) -> &Panics {
        &self.panics
    }
}

/// How many panics were caught in handshakes; each ended one peer.
#[derive(Clone, Debug, Default)]
pub struct Panics(Arc<AtomicU64>);

impl Panics {
    /// Counts one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
