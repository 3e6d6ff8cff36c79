//! Both sides of a handshake, for tests: `dimpl` as the browser, and either backend as the server.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::{Acceptor, Backend, Dtls, Output, Wake, fingerprint, webrtc};
use crate::command::Fingerprint;
use crate::srtp::Profile;

/// The peer of a [`Dtls`] server.
pub(crate) struct Client {
    pub(crate) dtls: ::dimpl::Dtls,
    pub(crate) fingerprint: Fingerprint,
    /// Of the server's certificate.
    pub(crate) seen: Option<Fingerprint>,
    pub(crate) material: Option<(Profile, Vec<u8>)>,
    pub(crate) connected: bool,
    pub(crate) data: Vec<Vec<u8>>,
    pub(crate) timeout: Instant,
}

impl Client {
    pub(crate) fn new(now: Instant) -> Self {
        let certificate = ::dimpl::certificate::generate_self_signed_certificate().unwrap();
        let own = fingerprint(&certificate.certificate);
        let config = Arc::new(::dimpl::Config::default());
        let mut dtls = ::dimpl::Dtls::new_12(config, certificate, now);
        dtls.set_active(true);
        dtls.handle_timeout(now).unwrap();
        Self {
            dtls,
            fingerprint: own,
            seen: None,
            material: None,
            connected: false,
            data: Vec::new(),
            timeout: now,
        }
    }

    pub(crate) fn handle(&mut self, now: Instant, datagram: &[u8]) {
        self.dtls.handle_timeout(now).unwrap();
        self.dtls.handle_packet(datagram).unwrap();
    }

    /// Datagrams for the server.
    pub(crate) fn poll(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 20_000];
        let mut datagrams = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                ::dimpl::Output::Packet(bytes) => datagrams.push(bytes.to_vec()),
                ::dimpl::Output::PeerCert(der) => self.seen = Some(fingerprint(der)),
                ::dimpl::Output::Connected => self.connected = true,
                ::dimpl::Output::ApplicationData(bytes) => self.data.push(bytes.to_vec()),
                ::dimpl::Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        ::dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        ::dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        _ => Profile::AesCm128HmacSha1_80,
                    };
                    self.material = Some((profile, material.to_vec()));
                }
                ::dimpl::Output::Timeout(at) => {
                    self.timeout = at;
                    return datagrams;
                }
                _ => {}
            }
        }
    }

    /// Carries datagrams both ways until both are silent; what the server reported besides them.
    pub(crate) fn exchange(&mut self, now: Instant, server: &mut Side) -> Vec<Output> {
        self.exchange_over(now, server, |_| true)
    }

    /// The same over a network that loses what `arrives` says no to.
    pub(crate) fn exchange_over(
        &mut self,
        now: Instant,
        server: &mut Side,
        mut arrives: impl FnMut(&[u8]) -> bool,
    ) -> Vec<Output> {
        let mut reported = Vec::new();
        for _ in 0..50 {
            let mut datagrams = self.poll();
            let silent = datagrams.is_empty();
            datagrams.retain(|datagram| arrives(datagram));
            for datagram in datagrams {
                server.dtls.handle(now, &datagram).unwrap();
            }
            let outputs = server.poll();
            if silent && outputs.is_empty() {
                return reported;
            }
            for output in outputs {
                match output {
                    Output::Transmit(datagram) if arrives(&datagram) => self.handle(now, &datagram),
                    Output::Transmit(_) => {}
                    other => reported.push(other),
                }
            }
        }
        panic!("the two never fall silent");
    }
}

/// The server's side, of either backend, on counted time.
pub(crate) struct Side {
    pub(crate) dtls: Box<dyn Dtls>,
    pub(crate) acceptor: Acceptor,
    pub(crate) tasks: Tasks,
}

/// What a backend does on threads of its own, here on this one and on counted time.
#[derive(Clone)]
pub(crate) struct Tasks {
    runtime: Option<Rc<Runtime>>,
}

impl Tasks {
    /// Lets them work until they wait.
    pub(crate) fn settle(&self) {
        let Some(runtime) = &self.runtime else { return };
        runtime.block_on(async {
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
        });
    }

    pub(crate) fn elapse(&self, step: Duration) {
        if let Some(runtime) = &self.runtime {
            runtime.block_on(tokio::time::advance(step));
        }
    }
}

impl Side {
    pub(crate) fn new(backend: Backend) -> Self {
        let nobody: Wake = Arc::new(|| {});
        let (acceptor, runtime) = match backend {
            Backend::Dimpl => (Acceptor::start(backend).unwrap(), None),
            Backend::WebrtcDtls => {
                let builder = &mut tokio::runtime::Builder::new_current_thread();
                let runtime = builder.enable_time().start_paused(true).build().unwrap();
                let engine = webrtc::Engine::borrowing(runtime.handle().clone()).unwrap();
                (Acceptor::with(engine), Some(Rc::new(runtime)))
            }
        };
        Self { dtls: acceptor.accept(nobody), acceptor, tasks: Tasks { runtime } }
    }

    /// The threads of the second backend.
    pub(crate) fn engine(&self) -> webrtc::Engine {
        let runtime = self.tasks.runtime.as_ref().expect("the second backend");
        webrtc::Engine::borrowing(runtime.handle().clone()).unwrap()
    }

    /// Another handshake with the same certificate and threads.
    pub(crate) fn another(&self) -> Self {
        let dtls = self.acceptor.accept(Arc::new(|| {}));
        Self { dtls, acceptor: self.acceptor.clone(), tasks: self.tasks.clone() }
    }

    /// All that the server has to say by now.
    pub(crate) fn poll(&mut self) -> Vec<Output> {
        self.tasks.settle();
        std::iter::from_fn(|| self.dtls.poll()).collect()
    }

    /// `step` has passed, and it is `now`.
    pub(crate) fn elapse(&mut self, now: Instant, step: Duration) {
        self.tasks.elapse(step);
        if self.dtls.timeout().is_some_and(|at| at <= now) {
            self.dtls.handle_timeout(now).unwrap();
        }
    }
}

/// Rounds of the scheduler after which every task of a few waits for something.
const TURNS: usize = 100;

/// Both of them.
pub(crate) const BACKENDS: [Backend; 2] = [Backend::Dimpl, Backend::WebrtcDtls];

/// The one reading of the clock in these tests; from here on time is counted.
#[expect(clippy::disallowed_methods, reason = "a start to count from")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// Cuts a datagram with one unfragmented ClientHello into one datagram per fragment.
pub(crate) fn fragments(hello: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let (head, body) = (&hello[..25], &hello[25..]);
    let mut edges = vec![0];
    edges.extend(cuts);
    edges.push(body.len());
    let mut datagrams = Vec::new();
    for (number, edge) in edges.windows(2).enumerate() {
        let part = &body[edge[0]..edge[1]];
        let mut datagram = head.to_vec();
        datagram[10] = head[10] + number as u8; // record sequence number
        datagram[11..13].copy_from_slice(&(part.len() as u16 + 12).to_be_bytes());
        datagram[19..22].copy_from_slice(&(edge[0] as u32).to_be_bytes()[1..]);
        datagram[22..25].copy_from_slice(&(part.len() as u32).to_be_bytes()[1..]);
        datagram.extend(part);
        datagrams.push(datagram);
    }
    datagrams
}

/// Small random numbers that are the same every time.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
