//! The second DTLS backend: `webrtc-dtls` as a DTLS 1.2 server (feature `webrtc-dtls`).
//!
//! That crate wants tokio and trusts its input, so it lives in a cage:
//!
//! ```text
//!  handle ─► Gate (checks) ─► bounded queue ─► Line (its "socket") ─► webrtc-dtls, tasks of the peer
//!  poll   ◄─ bounded queue ◄───────────────────────┘        wake ─► whoever polls
//! ```
//!
//! - No task exists before a sound ClientHello; what goes in has passed [`super::gate`].
//! - A full queue drops a datagram, as a network would: no task ever waits for the peer's worker.
//! - A panic ends the tasks of one peer, is counted, and comes out as [`Output::Failed`].
//! - The crate takes the peer's first SRTP profile and never repeats its last flight. So it is told
//!   only the best profile that is offered, and the last flight is kept and repeated here.
//!
//! What remains: it answers with a cookie (one more round trip), and its records carry random
//! nonces where counted ones are usual. For the data channels of one peer that is harmless: after a
//! million records the chance of a repetition is below 1 in 10 million.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use ::webrtc_dtls::cipher_suite::CipherSuiteId;
use ::webrtc_dtls::config::{ClientAuthType, Config, ExtendedMasterSecretType};
use ::webrtc_dtls::crypto;
use ::webrtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use bytes::Bytes;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use self::line::{Line, Outputs};
use super::acceptor::{Panics, Wake};
use super::gate::Gate;
use super::{Dtls, DtlsError, FIRST_RETRANSMISSION, MTU, Output, fingerprint};
use crate::command::Fingerprint;
use crate::srtp::Profile;

mod line;
mod task;

/// Certificate and threads of all handshakes. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    certificate: Arc<crypto::Certificate>,
    fingerprint: Fingerprint,
    threads: Arc<Threads>,
}

struct Threads {
    handle: Handle,
    own: Option<Runtime>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.own.take() {
            runtime.shutdown_background(); // waits for nothing, so it may be dropped anywhere
        }
    }
}

impl Engine {
    /// Makes the certificate and starts the threads.
    ///
    /// # Errors
    /// [`DtlsError::Certificate`] or [`DtlsError::Threads`].
    pub fn start() -> Result<Self, DtlsError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("conf-webrtc-dtls")
            .enable_time()
            .build()
            .map_err(|_| DtlsError::Threads)?;
        Self::on(Threads { handle: runtime.handle().clone(), own: Some(runtime) })
    }

    /// One that works on the threads of somebody else.
    ///
    /// # Errors
    /// [`DtlsError::Certificate`].
    #[cfg(test)]
    pub(crate) fn borrowing(handle: Handle) -> Result<Self, DtlsError> {
        Self::on(Threads { handle, own: None })
    }

    fn on(threads: Threads) -> Result<Self, DtlsError> {
        // The crate sets up a verifier that it never asks; with two providers linked that needs one
        // to be chosen. An error says that the binary has chosen before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificate = crypto::Certificate::generate_self_signed(Vec::new())
            .map_err(|_| DtlsError::Certificate)?;
        let der = certificate.certificate.first().ok_or(DtlsError::Certificate)?;
        let fingerprint = fingerprint(der);
        Ok(Self { certificate: Arc::new(certificate), fingerprint, threads: Arc::new(threads) })
    }

    /// For `a=fingerprint:sha-256`.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// A handshake that waits for its ClientHello.
    #[must_use]
    pub fn accept(&self, wake: Wake, panics: Panics) -> Server {
        Server {
            engine: self.clone(),
            wake,
            panics,
            gate: Gate::new(),
            stage: Stage::Hello,
            outputs: VecDeque::new(),
            last_flight: Vec::new(),
            repeated: 0,
        }
    }

    fn config(&self, profile: Profile) -> Config {
        let profile = match profile {
            Profile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            Profile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            Profile::AesCm128HmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        };
        Config {
            certificates: vec![crypto::Certificate::clone(&self.certificate)],
            // The one with GCM; the crate's CBC suite is not worth its risks.
            cipher_suites: vec![CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256],
            srtp_protection_profiles: vec![profile],
            client_auth: ClientAuthType::RequireAnyClientCert,
            extended_master_secret: ExtendedMasterSecretType::Require,
            flight_interval: FIRST_RETRANSMISSION,
            mtu: MAX_DATA,
            ..Config::default()
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Engine(…)")
    }
}

/// One handshake; has no task until a sound ClientHello is there.
pub struct Server {
    engine: Engine,
    wake: Wake,
    panics: Panics,
    gate: Gate,
    stage: Stage,
    /// What comes from here, not from the task.
    outputs: VecDeque<Output>,
    /// Datagrams that carry our Finished.
    last_flight: Vec<Bytes>,
    repeated: usize,
}

enum Stage {
    Hello,
    Handshake(Task),
    Connected(Task),
    Closed,
}

/// The ways to the peer's task; dropping them ends it.
struct Task {
    datagrams: mpsc::Sender<Vec<u8>>,
    data: mpsc::Sender<Bytes>,
    outputs: Outputs<mpsc::Receiver<Output>>,
    abort: AbortHandle,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

impl Server {
    fn take(&mut self, datagram: &[u8]) -> Result<(), DtlsError> {
        let passed = self.gate.push(datagram)?;
        if let (Stage::Hello, Some(hello)) = (&self.stage, &passed.hello) {
            self.stage = Stage::Handshake(self.spawn(hello.profile));
        }
        if let Stage::Handshake(task) | Stage::Connected(task) = &self.stage {
            for datagram in passed.datagrams {
                let _ = task.datagrams.try_send(datagram); // full: the peer repeats it
            }
        }
        if passed.repeats && self.repeated < MAX_REPEATS {
            self.repeated += 1;
            self.outputs.extend(self.last_flight.iter().cloned().map(Output::Transmit));
        }
        Ok(())
    }

    fn spawn(&self, profile: Profile) -> Task {
        let (datagrams, incoming) = mpsc::channel(DATAGRAMS);
        let (data, to_send) = mpsc::channel(DATAGRAMS);
        let (for_task, outputs) = line::outputs(OUTPUTS, self.wake.clone());
        let config = self.engine.config(profile);
        let (line, gone) = Line::new(incoming, for_task.clone());
        let handle = &self.engine.threads.handle;
        let work = task::Work { line, config, profile, outputs: for_task.clone(), to_send };
        let task = handle.spawn(work.run());
        let abort = task.abort_handle();
        handle.spawn(task::watch(task, gone, for_task, self.panics.clone()));
        Task { datagrams, data, outputs, abort }
    }

    /// Notes what an output of the task means for the stage.
    fn passes(&mut self, output: &Output) {
        match output {
            Output::Transmit(datagram) if line::carries_finished(datagram) => {
                if matches!(self.stage, Stage::Handshake(_)) && self.last_flight.len() < MAX_KEPT {
                    self.last_flight.push(datagram.clone());
                }
            }
            Output::Connected { .. } => {
                if let Stage::Handshake(task) = std::mem::replace(&mut self.stage, Stage::Closed) {
                    self.stage = Stage::Connected(task);
                }
                self.gate.done();
            }
            Output::Closed | Output::Failed(_) => self.stage = Stage::Closed,
            Output::Transmit(_) | Output::Data(_) => {}
        }
    }

    /// What a bug in the crate does to the peer, on purpose.
    #[cfg(test)]
    pub(crate) fn plant_panic(&self) {
        if let Stage::Handshake(task) | Stage::Connected(task) = &self.stage {
            task.datagrams.try_send(line::PLANTED.to_vec()).unwrap();
        }
    }
}

impl Dtls for Server {
    fn handle(&mut self, _now: Instant, datagram: &[u8]) -> Result<(), DtlsError> {
        if matches!(self.stage, Stage::Closed) {
            return Ok(());
        }
        self.take(datagram).inspect_err(|_| self.stage = Stage::Closed)
    }

    /// The task has timers of its own.
    fn handle_timeout(&mut self, _now: Instant) -> Result<(), DtlsError> {
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> Result<(), DtlsError> {
        let Stage::Connected(task) = &self.stage else { return Err(DtlsError::NotConnected) };
        if bytes.len() > MAX_DATA {
            return Err(DtlsError::TooLarge { len: bytes.len(), limit: MAX_DATA });
        }
        let _ = task.data.try_send(Bytes::copy_from_slice(bytes)); // full: SCTP sends it again
        Ok(())
    }

    fn poll(&mut self) -> Option<Output> {
        if let Some(output) = self.outputs.pop_front() {
            return Some(output);
        }
        let (Stage::Handshake(task) | Stage::Connected(task)) = &mut self.stage else {
            return None;
        };
        let output = task.outputs.take()?;
        self.passes(&output);
        Some(output)
    }

    fn timeout(&self) -> Option<Instant> {
        None
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Hello => "Hello",
            Stage::Handshake(_) => "Handshake",
            Stage::Connected(_) => "Connected",
            Stage::Closed => "Closed",
        };
        f.debug_struct("Server").field("stage", &stage).finish_non_exhaustive()
    }
}

/// A handshake costs 0.5 ms, so one thread does more than a thousand a second.
const THREADS: usize = 1;
/// Queues of one peer in each direction; a flight has at most six datagrams.
const DATAGRAMS: usize = 32;
const OUTPUTS: usize = 128;
/// A flight with our Finished is one datagram, sent again when it seems lost.
const MAX_KEPT: usize = 4;
/// How often it is sent again: the peer doubles its timer each time and gives up before.
const MAX_REPEATS: usize = 16;
/// Plaintext that fits one datagram with its record header, nonce and tag.
const MAX_DATA: usize = MTU - 50;
