//! A browser's side of the handshake, for tests: `dimpl` as client.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

use std::sync::Arc;
use std::time::Instant;

use super::{Certificate, Dtls, Output, fingerprint};
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
    pub(crate) fn exchange(&mut self, now: Instant, server: &mut dyn Dtls) -> Vec<Output> {
        let mut reported = Vec::new();
        for _ in 0..50 {
            let datagrams = self.poll();
            let silent = datagrams.is_empty();
            for datagram in datagrams {
                server.handle(now, &datagram).unwrap();
            }
            let outputs: Vec<Output> = std::iter::from_fn(|| server.poll()).collect();
            if silent && outputs.is_empty() {
                return reported;
            }
            for output in outputs {
                match output {
                    Output::Transmit(datagram) => self.handle(now, &datagram),
                    other => reported.push(other),
                }
            }
        }
        panic!("the two never fall silent");
    }
}

/// The one reading of the clock in these tests; from here on time is counted.
#[expect(clippy::disallowed_methods, reason = "a start to count from")]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) fn server() -> super::dimpl::Server {
    super::dimpl::Server::new(Certificate::generate().unwrap())
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
