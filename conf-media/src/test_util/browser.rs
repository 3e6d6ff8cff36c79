//! The far end of a real transport: connectivity checks, handshake, sealed packets. Sans-IO, so that
//! examples, benches and tests drive it in memory or over a socket alike.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Outgoing, Received};
use crate::command::Fingerprint;
use crate::dtls;
use crate::ice::Credentials;
use crate::rtp::{self, Class};
use crate::srtp::{Keys, Opener, Profile, Sealer};
use crate::stun::{self, IntegrityKey, Role, TransactionId, Writer};

/// A certificate of a far end; may be used for many handshakes.
#[derive(Clone)]
pub struct Identity {
    certificate: ::dimpl::DtlsCertificate,
    config: Arc<::dimpl::Config>,
}

impl Identity {
    /// Makes a key and a self-signed certificate.
    ///
    /// # Panics
    /// If the system gives no randomness.
    #[must_use]
    pub fn generate() -> Self {
        let certificate = ::dimpl::certificate::generate_self_signed_certificate();
        let certificate = certificate.expect("randomness");
        Self { certificate, config: Arc::new(::dimpl::Config::default()) }
    }

    /// What the engine is told to expect.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        dtls::fingerprint(&self.certificate.certificate)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(…)")
    }
}

/// The client's side of one DTLS handshake.
pub struct Handshake {
    dtls: ::dimpl::Dtls,
    datagrams: VecDeque<Vec<u8>>,
    buffer: Vec<u8>,
    timeout: Instant,
    seen: Option<Fingerprint>,
    keys: Option<Keys>,
}

impl Handshake {
    /// Begins; the first datagram can be polled.
    ///
    /// # Panics
    /// If the machine refuses to start.
    #[must_use]
    pub fn new(now: Instant, identity: &Identity) -> Self {
        let Identity { certificate, config } = identity.clone();
        let mut dtls = ::dimpl::Dtls::new_12(config, certificate, now);
        dtls.set_active(true);
        let datagrams = VecDeque::new();
        let buffer = vec![0; 2_048];
        let mut this = Self { dtls, datagrams, buffer, timeout: now, seen: None, keys: None };
        this.handle_timeout(now);
        this
    }

    /// Takes a datagram of the server.
    ///
    /// # Panics
    /// If the handshake fails.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        self.dtls.handle_timeout(now).expect("a handshake in time");
        self.dtls.handle_packet(datagram).expect("a handshake that is taken");
        self.pump();
    }

    /// Sends again what is due.
    ///
    /// # Panics
    /// If the server has not answered for too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.dtls.handle_timeout(now).expect("an answer of the server");
        self.pump();
    }

    /// The next datagram for the server, until `None`.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    /// When to call [`Handshake::handle_timeout`].
    #[must_use]
    pub fn timeout(&self) -> Instant {
        self.timeout
    }

    /// The keys, once it is done.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }

    /// Of the certificate that the server has shown.
    #[must_use]
    pub fn seen(&self) -> Option<Fingerprint> {
        self.seen
    }

    fn pump(&mut self) {
        loop {
            match self.dtls.poll_output(&mut self.buffer) {
                ::dimpl::Output::Packet(bytes) => self.datagrams.push_back(bytes.to_vec()),
                ::dimpl::Output::PeerCert(der) => self.seen = Some(dtls::fingerprint(der)),
                ::dimpl::Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        ::dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        ::dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        _ => Profile::AesCm128HmacSha1_80,
                    };
                    self.keys = Keys::from_exporter(profile, &material, false).ok();
                }
                ::dimpl::Output::Timeout(at) => {
                    self.timeout = at;
                    return;
                }
                _ => {}
            }
        }
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake").field("done", &self.keys.is_some()).finish_non_exhaustive()
    }
}

/// A whole far end: it checks its path, shakes hands, then sends and receives media.
#[derive(Debug)]
pub struct Browser {
    credentials: Option<Credentials>,
    identity: Identity,
    handshake: Option<Handshake>,
    media: Option<(Sealer, Opener)>,
    datagrams: VecDeque<Vec<u8>>,
    received: Vec<Received>,
    check_at: Instant,
    checks: u8,
}

impl Browser {
    /// With a new certificate; does nothing before [`Browser::told`].
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            credentials: None,
            identity: Identity::generate(),
            handshake: None,
            media: None,
            datagrams: VecDeque::new(),
            received: Vec::new(),
            check_at: now,
            checks: 0,
        }
    }

    /// The server's user name fragment and password are these, as from its answer.
    pub fn told(&mut self, credentials: Credentials) {
        self.credentials = Some(credentials);
    }

    /// Of its certificate, as its offer tells.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint()
    }

    /// Of the server's certificate, once it was shown.
    #[must_use]
    pub fn seen(&self) -> Option<Fingerprint> {
        self.handshake.as_ref()?.seen()
    }

    /// Media can be sent.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.media.is_some()
    }

    /// Takes a datagram of the server.
    ///
    /// # Panics
    /// If the server does what no browser takes.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        match rtp::classify(datagram) {
            Class::Stun => self.answered(now, datagram),
            Class::Dtls => {
                if let Some(handshake) = &mut self.handshake {
                    handshake.handle(now, datagram);
                }
                self.take_keys();
            }
            Class::Rtp => self.open(datagram),
            Class::Rtcp | Class::Unknown => {}
        }
    }

    /// Checks the path again, sends again what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.check_at
            && let Some(credentials) = &self.credentials
        {
            let every = if self.handshake.is_some() { CHECKS } else { FIRST_CHECKS };
            self.check_at = now + every;
            self.checks = self.checks.wrapping_add(1);
            let Credentials { ufrag, password } = credentials;
            self.datagrams.push_back(check(ufrag, password, self.checks));
        }
        if let Some(handshake) = &mut self.handshake
            && now >= handshake.timeout()
        {
            handshake.handle_timeout(now);
        }
    }

    /// The next datagram for the server, until `None`.
    pub fn poll(&mut self) -> Option<Vec<u8>> {
        let handshake = self.handshake.as_mut();
        self.datagrams.pop_front().or_else(|| handshake?.poll())
    }

    /// When to call [`Browser::handle_timeout`].
    #[must_use]
    pub fn timeout(&self) -> Instant {
        let handshake = self.handshake.as_ref().filter(|_| self.media.is_none());
        handshake.map_or(self.check_at, |handshake| handshake.timeout().min(self.check_at))
    }

    /// Queues a media packet, sealed; nothing before the handshake is done.
    ///
    /// # Panics
    /// If the packet cannot be written.
    pub fn send(&mut self, packet: &Outgoing<'_>) {
        let Some((sealer, _)) = &mut self.media else { return };
        let datagram = packet.seal(sealer);
        self.datagrams.push_back(datagram);
    }

    /// Takes the media that came in.
    pub fn received(&mut self) -> Vec<Received> {
        std::mem::take(&mut self.received)
    }

    fn answered(&mut self, now: Instant, datagram: &[u8]) {
        let Some(Credentials { password, .. }) = &self.credentials else { return };
        let answer = stun::parse(datagram).expect("an answer to a check");
        let key = IntegrityKey::new(password);
        answer.verify(&key).expect("an answer of the server");
        if answer.class() == stun::Class::Success && self.handshake.is_none() {
            self.handshake = Some(Handshake::new(now, &self.identity));
        }
    }

    fn take_keys(&mut self) {
        let keys = self.handshake.as_ref().and_then(Handshake::keys);
        if let (Some(keys), None) = (keys, &self.media) {
            let sealer = Sealer::new(keys.profile, &keys.local).expect("usable keys");
            let opener = Opener::new(keys.profile, &keys.remote).expect("usable keys");
            self.media = Some((sealer, opener));
        }
    }

    fn open(&mut self, datagram: &[u8]) {
        let Some((_, opener)) = &mut self.media else { return };
        let mut bytes = datagram.to_vec();
        let Ok(len) = opener.open_rtp(&mut bytes) else { return };
        bytes.truncate(len);
        let view = rtp::parse(&bytes).expect("a whole packet");
        self.received.push(Received { view, bytes });
    }
}

/// A connectivity check that nominates.
pub(super) fn check(ufrag: &str, password: &str, number: u8) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out, stun::Class::Request, TransactionId([number; 12]))
        .username(&format!("{ufrag}:remote"))
        .priority(1)
        .use_candidate()
        .role(Role::Controlling { tie_breaker: 1 })
        .integrity(&IntegrityKey::new(password))
        .fingerprint();
    out
}

/// Until the first answer.
const FIRST_CHECKS: Duration = Duration::from_millis(50);
/// As often as browsers do.
const CHECKS: Duration = Duration::from_millis(2_500);
