//! Handshakes with `dimpl`: no threads, a machine on the client's own.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Instant;

use conf_media::command::Fingerprint;
use conf_media::srtp::{Keys, Profile};
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};

use super::{FIRST_REPEAT, LONGEST, MTU, Outcome, WRONG_CERTIFICATE, digest};

/// Certificate and settings.
#[derive(Clone)]
pub(in crate::client) struct Identity {
    config: Arc<Config>,
    certificate: DtlsCertificate,
    fingerprint: Fingerprint,
}

impl Identity {
    pub(super) fn generate() -> anyhow::Result<Self> {
        let certificate = dimpl::certificate::generate_self_signed_certificate()?;
        let config = Config::builder()
            .mtu(MTU)
            .flight_start_rto(FIRST_REPEAT)
            .flight_retries(REPEATS)
            .handshake_timeout(LONGEST)
            .build()?;
        let fingerprint = digest(&certificate.certificate);
        Ok(Self { config: Arc::new(config), certificate, fingerprint })
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// One handshake.
pub(in crate::client) struct SansIo {
    dtls: Dtls,
    expected: Fingerprint,
    seen: Option<Fingerprint>,
    keys: Option<Keys>,
    failed: Option<String>,
    timeout: Instant,
}

impl SansIo {
    pub(super) fn begin(identity: &Identity, expected: Fingerprint, now: Instant) -> Self {
        let (config, certificate) = (identity.config.clone(), identity.certificate.clone());
        let mut dtls = Dtls::new_12(config, certificate, now);
        dtls.set_active(true);
        let mut machine =
            Self { dtls, expected, seen: None, keys: None, failed: None, timeout: now };
        machine.handle_timeout(now);
        machine
    }

    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8]) {
        self.handle_timeout(now);
        if let Err(error) = self.dtls.handle_packet(datagram) {
            self.failed.get_or_insert(error.to_string());
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Err(error) = self.dtls.handle_timeout(now) {
            self.failed.get_or_insert(error.to_string());
        }
    }

    pub(super) fn poll(&mut self, socket: &UdpSocket) -> Option<Outcome> {
        let mut buffer = [0; BUFFER];
        let mut connected = false;
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(datagram) => drop(socket.send(datagram)), // else it is repeated
                Output::PeerCert(der) => self.seen = Some(digest(der)),
                Output::KeyingMaterial(material, profile) => {
                    self.keys = Keys::from_exporter(known(profile), &material, false).ok();
                }
                Output::Connected => connected = true,
                Output::Timeout(at) => {
                    self.timeout = at;
                    break;
                }
                _ => {}
            }
        }
        if let Some(reason) = self.failed.take() {
            return Some(Err(reason));
        }
        if !connected && self.keys.is_none() {
            return None;
        }
        let keys = self.keys.take()?;
        Some(if self.seen == Some(self.expected) {
            Ok(keys)
        } else {
            Err(WRONG_CERTIFICATE.into())
        })
    }

    pub(super) fn timeout(&self) -> Instant {
        self.timeout
    }
}

fn known(profile: SrtpProfile) -> Profile {
    match profile {
        SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
        SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
        _ => Profile::AesCm128HmacSha1_80,
    }
}

/// 50 ms doubled eight times is 13 s.
const REPEATS: usize = 8;
/// What a record may be at most.
const BUFFER: usize = 18_000;
