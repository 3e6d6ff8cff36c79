//! A tool that publishes or plays over WHIP and WHEP: real checks, handshake and packets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conf_media::command::Fingerprint;

use conf_media::rtp::{self, Class, Header};
use conf_media::srtp::{Keys, Opener, Profile, Sealer};
use conf_media::stun::{self, IntegrityKey, Role, TransactionId, Writer};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{Response, exchange};

/// One media connection of a tool.
pub struct Tool {
    socket: UdpSocket,
    dtls: dimpl::Dtls,
    fingerprint: Fingerprint,
    keys: Option<(Sealer, Opener)>,
    pub session: String,
    pub answer: String,
}

/// A packet that was received and opened.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet {
    pub ssrc: u32,
    pub sequence: u16,
    pub payload: Vec<u8>,
}

impl Tool {
    #[allow(clippy::disallowed_methods, reason = "a real handshake")]
    pub async fn new() -> Self {
        let certificate = dimpl::certificate::generate_self_signed_certificate().unwrap();
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &certificate.certificate);
        let fingerprint = Fingerprint(digest.as_ref().try_into().unwrap());
        let now = Instant::now();
        let mut dtls = dimpl::Dtls::new_12(Arc::new(dimpl::Config::default()), certificate, now);
        dtls.set_active(true);
        dtls.handle_timeout(now).unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let (session, answer) = Default::default();
        Self { socket, dtls, fingerprint, keys: None, session, answer }
    }

    /// An offer with these sections, each `(audio or video, direction, ssrc)`.
    pub fn offer(&self, sections: &[(&str, &str, u32)]) -> String {
        let mids: String = (0..sections.len()).map(|mid| format!(" {mid}")).collect();
        let mut offer = format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE{mids}\r\n\
             a=ice-ufrag:tool\r\na=ice-pwd:0123456789abcdef01234567\r\na=setup:actpass\r\n\
             a=fingerprint:sha-256 {}\r\n",
            self.fingerprint
        );
        for (mid, (kind, direction, ssrc)) in sections.iter().enumerate() {
            let (number, codec) =
                if *kind == "audio" { (111, "opus/48000/2") } else { (96, "VP8/90000") };
            offer.push_str(&format!(
                "m={kind} 9 UDP/TLS/RTP/SAVPF {number}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n\
                 a=rtcp-mux\r\na={direction}\r\na=rtpmap:{number} {codec}\r\n"
            ));
            if *direction == "sendonly" {
                offer.push_str(&format!("a=ssrc:{ssrc} cname:tool\r\n"));
            }
        }
        offer
    }

    /// Asks, and connects where the answer says.
    pub async fn enter(&mut self, at: SocketAddr, path: &str, token: &str, offer: &str) {
        let response = ask(at, path, token, offer).await;
        assert_eq!(response.status, 201, "{}", response.body);
        assert_eq!(response.header("content-type"), Some("application/sdp"));
        self.session = response.header("location").unwrap().to_owned();
        self.answer = response.body;
        self.connect().await;
    }

    pub async fn leave(&self, at: SocketAddr, token: &str) -> Response {
        let bearer = format!("Bearer {token}");
        exchange(at, "DELETE", &self.session, &[("authorization", &bearer)], "").await
    }

    fn line(&self, start: &str) -> &str {
        self.answer.lines().find_map(|line| line.strip_prefix(start)).expect(start)
    }

    /// The numbers that the server sends with, section by section.
    pub fn sources(&self) -> Vec<u32> {
        let sections = self.answer.split("m=").skip(1);
        let source = |section: &str| {
            let line = section.lines().find_map(|line| line.strip_prefix("a=ssrc:"))?;
            line.split(' ').next()?.parse().ok()
        };
        sections.filter_map(source).collect()
    }

    async fn connect(&mut self) {
        let candidate: Vec<&str> = self.line("a=candidate:").split(' ').collect();
        self.socket.connect(format!("{}:{}", candidate[4], candidate[5])).await.unwrap();
        let password = IntegrityKey::new(self.line("a=ice-pwd:"));
        let username = format!("{}:tool", self.line("a=ice-ufrag:"));
        let mut check = Vec::new();
        Writer::new(&mut check, stun::Class::Request, TransactionId([5; 12]))
            .username(&username)
            .priority(1)
            .role(Role::Controlling { tie_breaker: 9 })
            .use_candidate()
            .integrity(&password)
            .fingerprint();
        let mut checked = false;
        for _ in 0..200 {
            if checked {
                self.shake_hands().await;
            } else {
                self.socket.send(&check).await.unwrap();
            }
            if self.keys.is_some() {
                return;
            }
            let Some(datagram) = self.datagram(Duration::from_millis(100)).await else { continue };
            match rtp::classify(&datagram) {
                Class::Stun => {
                    checked |= stun::parse(&datagram).unwrap().class() == stun::Class::Success
                }
                Class::Dtls => self.dtls.handle_packet(&datagram).unwrap(),
                _ => {}
            }
        }
        panic!("not connected");
    }

    #[allow(clippy::disallowed_methods, reason = "a real handshake")]
    async fn shake_hands(&mut self) {
        self.dtls.handle_timeout(Instant::now()).unwrap();
        let mut buffer = vec![0; 20_000];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                dimpl::Output::Packet(bytes) => {
                    self.socket.send(bytes).await.unwrap();
                }
                dimpl::Output::KeyingMaterial(material, profile) => {
                    let profile = match profile {
                        dimpl::SrtpProfile::AEAD_AES_256_GCM => Profile::AeadAes256Gcm,
                        dimpl::SrtpProfile::AEAD_AES_128_GCM => Profile::AeadAes128Gcm,
                        other => panic!("{other:?} although GCM was offered"),
                    };
                    let keys = Keys::from_exporter(profile, &material, false).unwrap();
                    let sealer = Sealer::new(profile, &keys.local).unwrap();
                    self.keys = Some((sealer, Opener::new(profile, &keys.remote).unwrap()));
                }
                dimpl::Output::Timeout(_) => return,
                _ => {}
            }
        }
    }

    async fn datagram(&self, patience: Duration) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 2_048];
        let len = timeout(patience, self.socket.recv(&mut buffer)).await.ok()?.unwrap();
        buffer.truncate(len);
        Some(buffer)
    }

    /// Sends one packet of sound, sealed.
    pub async fn send(&mut self, ssrc: u32, sequence: u16, payload: &[u8]) {
        let mut packet = vec![0; 1_500];
        let timestamp = u32::from(sequence) * 960;
        let header = Header { marker: false, payload_type: 111, sequence, timestamp, ssrc };
        let head = header.write(&[], &mut packet).unwrap();
        packet[head..head + payload.len()].copy_from_slice(payload);
        let (sealer, _) = self.keys.as_mut().unwrap();
        let len = sealer.seal_rtp(&mut packet, head + payload.len()).unwrap();
        self.socket.send(&packet[..len]).await.unwrap();
    }

    /// The next packet of media that comes within `patience`.
    pub async fn receive(&mut self, patience: Duration) -> Option<Packet> {
        loop {
            let mut datagram = self.datagram(patience).await?;
            if rtp::classify(&datagram) != Class::Rtp {
                continue;
            }
            let (_, opener) = self.keys.as_mut().unwrap();
            let len = opener.open_rtp(&mut datagram).unwrap();
            let view = rtp::parse(&datagram[..len]).unwrap();
            let payload = view.payload(&datagram[..len]).to_vec();
            return Some(Packet { ssrc: view.ssrc, sequence: view.sequence, payload });
        }
    }
}

/// Sends packets until the other one receives one of them.
pub async fn until_heard(from: &mut Tool, ssrc: u32, to: &mut Tool, payload: &[u8]) -> Packet {
    for sequence in 0..300 {
        from.send(ssrc, sequence, payload).await;
        let packet = to.receive(Duration::from_millis(50)).await;
        if let Some(packet) = packet.filter(|packet| packet.payload == payload) {
            return packet;
        }
    }
    panic!("nothing came");
}

/// `POST`s an offer with a bearer token.
pub async fn ask(at: SocketAddr, path: &str, token: &str, offer: &str) -> Response {
    let bearer = format!("Bearer {token}");
    let headers = [("content-type", "application/sdp"), ("authorization", &*bearer)];
    exchange(at, "POST", path, &headers, offer).await
}
