//! Handshakes with `webrtc-dtls`: each a task, on threads of their own.

use std::any::Any;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use async_trait::async_trait;
use conf_media::command::Fingerprint;
use conf_media::srtp::{Keys, Profile};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, mpsc};
use tokio::task::AbortHandle;
use webrtc_dtls::config::{Config, ExtendedMasterSecretType};
use webrtc_dtls::conn::DTLSConn;
use webrtc_dtls::crypto::Certificate;
use webrtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use webrtc_dtls_util::{Conn, Error, KeyingMaterialExporter as _};

use super::{Done, FIRST_REPEAT, LONGEST, MTU, Outcome, WRONG_CERTIFICATE, digest};

/// Certificate, profile and threads.
pub(in crate::client) struct Identity {
    certificate: Certificate,
    fingerprint: Fingerprint,
    profile: Profile,
    runtime: Threads,
}

/// Does not wait for tasks when it goes, so that it may go anywhere.
struct Threads(Option<Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Identity {
    pub(super) fn generate(profile: Profile) -> anyhow::Result<Self> {
        // The crate sets up a verifier that it never asks; an error says that one was chosen before.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let certificate = Certificate::generate_self_signed(Vec::new())?;
        let der = certificate.certificate.first().map(|der| digest(der));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("load-dtls")
            .enable_time()
            .build()?;
        Ok(Self {
            fingerprint: der.ok_or_else(|| anyhow::anyhow!("no certificate was made"))?,
            certificate,
            profile,
            runtime: Threads(Some(runtime)),
        })
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    pub(super) fn begin(&self, expected: Fingerprint, socket: &Arc<UdpSocket>, done: Done) -> Task {
        let (sender, incoming) = mpsc::channel(QUEUE);
        let line = Line { incoming: Mutex::new(incoming), socket: socket.clone() };
        let (config, profile) = (self.config(), self.profile);
        let work = async move {
            let handshake = shake(line, config, (expected, profile));
            let silent = |_| Err(format!("no handshake within {} s", LONGEST.as_secs()));
            done(tokio::time::timeout(LONGEST, handshake).await.unwrap_or_else(silent));
        };
        let abort = self.runtime.0.as_ref().map(|runtime| runtime.spawn(work).abort_handle());
        Task { incoming: sender, abort }
    }

    fn config(&self) -> Config {
        let profile = match self.profile {
            Profile::AeadAes256Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_256_Gcm,
            Profile::AeadAes128Gcm => SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
            Profile::AesCm128HmacSha1_80 => SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
        };
        Config {
            certificates: vec![self.certificate.clone()],
            srtp_protection_profiles: vec![profile],
            extended_master_secret: ExtendedMasterSecretType::Require,
            insecure_skip_verify: true, // the fingerprint is compared instead
            flight_interval: FIRST_REPEAT,
            mtu: MTU,
            ..Config::default()
        }
    }
}

/// One handshake, seen from the client's thread; dropping it ends the task.
pub(in crate::client) struct Task {
    incoming: mpsc::Sender<Vec<u8>>,
    abort: Option<AbortHandle>,
}

impl Task {
    pub(super) fn handle(&self, datagram: &[u8]) {
        let _ = self.incoming.try_send(datagram.to_vec()); // lost when full: it is repeated
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(abort) = self.abort.take() {
            abort.abort();
        }
    }
}

async fn shake(line: Line, config: Config, wanted: (Fingerprint, Profile)) -> Outcome {
    let (expected, profile) = wanted;
    let dtls = DTLSConn::new(Arc::new(line), config, true, None);
    let dtls = dtls.await.map_err(|error| error.to_string())?;
    if dtls.selected_srtpprotection_profile() as u16 != profile.to_dtls() {
        return Err("the server took another SRTP profile than the one offered".into());
    }
    let state = dtls.connection_state().await;
    if state.peer_certificates.first().map(|der| digest(der)) != Some(expected) {
        return Err(WRONG_CERTIFICATE.into());
    }
    let length = profile.exporter_len();
    let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], length).await;
    let material = material.map_err(|error| error.to_string())?;
    Keys::from_exporter(profile, &material, false).map_err(|error| error.to_string())
}

/// What the crate takes for its socket.
struct Line {
    incoming: Mutex<mpsc::Receiver<Vec<u8>>>,
    socket: Arc<UdpSocket>,
}

#[async_trait]
impl Conn for Line {
    async fn connect(&self, _: SocketAddr) -> Result<(), Error> {
        Ok(())
    }

    async fn recv(&self, buffer: &mut [u8]) -> Result<usize, Error> {
        let Some(datagram) = self.incoming.lock().await.recv().await else {
            return std::future::pending().await; // the client is gone and ends the task
        };
        let place = buffer.get_mut(..datagram.len()).ok_or(Error::ErrBufferShort)?;
        place.copy_from_slice(&datagram);
        Ok(datagram.len())
    }

    async fn recv_from(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr), Error> {
        Ok((self.recv(buffer).await?, self.local_addr()?))
    }

    async fn send(&self, datagram: &[u8]) -> Result<usize, Error> {
        let _ = self.socket.send(datagram); // else it is repeated
        Ok(datagram.len())
    }

    async fn send_to(&self, datagram: &[u8], _: SocketAddr) -> Result<usize, Error> {
        self.send(datagram).await
    }

    fn local_addr(&self) -> Result<SocketAddr, Error> {
        Ok(self.socket.local_addr()?)
    }

    fn remote_addr(&self) -> Option<SocketAddr> {
        self.socket.peer_addr().ok()
    }

    async fn close(&self) -> Result<(), Error> {
        Ok(())
    }

    fn as_any(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}

/// Datagrams of one handshake that wait for its task.
const QUEUE: usize = 32;
