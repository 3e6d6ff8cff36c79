//! A whole peer over real sockets: connectivity check, handshake, fingerprint, data.

use super::*;
use crate::command::{PeerId, RoomId, TrackId};
use crate::dtls::client::{BACKENDS, Client};
use crate::ice::Credentials;
use crate::rtp::{Class as Kind, Header, classify};
use crate::srtp::{Keys, MasterKey, Profile, Sealer};
use crate::stun::{self, IntegrityKey, Role, TransactionId, Writer};
use crate::test_util::{microphone, subscription};

pub(super) const PEER: PeerId = PeerId(3);
pub(super) const PASSWORD: &str = "0123456789abcdef01234567";

struct Peer {
    socket: UdpSocket,
    client: Client,
}

/// A connectivity check that nominates.
pub(super) fn check(request: &mut Vec<u8>, ufrag: &str) {
    Writer::new(request, stun::Class::Request, TransactionId([5; 12]))
        .username(&format!("{ufrag}:theirs"))
        .priority(1)
        .role(Role::Controlling { tie_breaker: 9 })
        .use_candidate()
        .integrity(&IntegrityKey::new(PASSWORD))
        .fingerprint();
}

/// A socket of a browser, another one each time.
fn socket(media: &Media) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(media.candidates()[0].address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket
}

impl Peer {
    /// Added at the engine, its address checked.
    fn checked(media: &Media) -> Self {
        let credentials = Credentials { ufrag: "ours".into(), password: PASSWORD.into() };
        media.send(Command::AddPeer { peer: PEER, room: RoomId(1), credentials });
        let peer = Self { socket: socket(media), client: Client::new(Instant::now()) };
        peer.check(50);
        peer
    }

    /// A check is answered after at most `tries`.
    fn check(&self, tries: usize) {
        let key = IntegrityKey::new(PASSWORD);
        let mut request = Vec::new();
        check(&mut request, "ours");
        let mut buffer = [0; 2_048];
        let own = self.socket.local_addr().unwrap();
        for _ in 0..tries {
            self.socket.send(&request).unwrap(); // the peer may not be there yet: ask again
            let Ok(len) = self.socket.recv(&mut buffer) else { continue };
            let answer = stun::parse(&buffer[..len]).unwrap();
            if answer.class() == stun::Class::Success {
                answer.verify(&key).unwrap();
                assert_eq!(answer.mapped_address(), Some(own));
                return;
            }
        }
        panic!("no answer to the check");
    }

    /// Speaks DTLS until `done`.
    fn run(&mut self, mut done: impl FnMut(&Client) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut buffer = [0; 2_048];
        while Instant::now() < deadline {
            for datagram in self.client.poll() {
                self.socket.send(&datagram).unwrap();
            }
            if done(&self.client) {
                return;
            }
            match self.socket.recv(&mut buffer) {
                Ok(len) if classify(&buffer[..len]) == Kind::Dtls => {
                    self.client.handle(Instant::now(), &buffer[..len]);
                }
                _ => self.client.dtls.handle_timeout(Instant::now()).unwrap(),
            }
        }
        panic!("not done within 20 s");
    }
}

#[test]
fn a_peer_is_checked_connects_and_the_server_shows_the_announced_certificate() {
    for backend in BACKENDS {
        let (media, events) = started_with(backend);
        let mut peer = Peer::checked(&media);
        let fingerprint = peer.client.fingerprint;
        media.send(Command::ExpectFingerprint { peer: PEER, fingerprint });
        peer.run(|client| client.connected);
        assert_eq!(peer.client.seen, Some(media.fingerprint()));
        let connected = events.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(connected, Event::Connected { peer: PEER, .. }), "{connected:?}");
        media.stop();
    }
}

#[test]
fn a_peer_with_another_certificate_fails() {
    for backend in BACKENDS {
        let (media, events) = started_with(backend);
        let mut peer = Peer::checked(&media);
        let fingerprint = Fingerprint([7; 32]);
        media.send(Command::ExpectFingerprint { peer: PEER, fingerprint });
        peer.run(|client| client.connected); // the client's part is done before ours
        let failed = events.recv_timeout(Duration::from_secs(5)).unwrap();
        assert!(matches!(failed, Event::Failed { peer: PEER, .. }), "{failed:?}");
        assert!(events.try_recv().is_err());
        media.stop();
    }
}

#[test]
fn a_removed_peer_gets_no_answer_any_more() {
    let (media, _events) = started();
    let mut peer = Peer::checked(&media);
    media.send(Command::RemovePeer { peer: PEER });
    let before = media.counters().datagrams_in;
    for datagram in peer.client.poll() {
        peer.socket.send(&datagram).unwrap();
    }
    let mut buffer = [0; 2_048];
    assert!(peer.socket.recv(&mut buffer).is_err());
    assert!(media.counters().datagrams_in > before);
    media.stop();
}

/// Several shards, whatever the machine has.
pub(super) fn several() -> (Media, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel();
    let config = MediaConfig { shards: 4, ..loopback() };
    let media = start(config, Box::new(move |event| drop(sender.send(event)))).unwrap();
    assert_eq!(media.shards(), 4);
    (media, events)
}

#[test]
#[cfg_attr(
    any(conf_plain, not(target_os = "linux")),
    ignore = "needs batched calls or several shards"
)]
fn on_several_shards_a_peer_connects_wherever_it_arrives_and_its_address_may_change() {
    let (media, events) = several();
    let mut peer = Peer::checked(&media);
    let fingerprint = peer.client.fingerprint;
    media.send(Command::ExpectFingerprint { peer: PEER, fingerprint });
    peer.run(|client| client.connected);
    let connected = events.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(matches!(connected, Event::Connected { peer: PEER, .. }), "{connected:?}");
    // Of 32 new addresses some arrive at each of the shards.
    for _ in 0..32 {
        peer.socket = socket(&media);
        peer.check(50);
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while media.counters().handed_over == 0 {
        assert!(Instant::now() < deadline, "all 32 arrived at the same shard");
    }
    assert_eq!(media.counters().peers, 1);
    media.stop();
}

#[test]
#[cfg_attr(
    any(conf_plain, not(target_os = "linux")),
    ignore = "needs batched calls or several shards"
)]
fn on_several_shards_the_port_is_still_refused_to_a_second_engine() {
    let (media, _events) = several();
    let listen = vec![media.candidates()[0].address];
    let second = MediaConfig { shards: 2, ..MediaConfig { listen, ..loopback() } };
    assert!(matches!(start(second, Box::new(|_| {})), Err(NetError::Listen { .. })));
    media.stop();
}

/// A peer whose keys are known without a handshake.
pub(super) struct Known {
    pub(super) id: PeerId,
    pub(super) socket: UdpSocket,
}

impl Known {
    pub(super) fn connected(media: &Media, number: u8) -> Self {
        let (id, ufrag) = Self::added(media, number);
        let peer = Self { id, socket: socket(media) };
        let mut request = Vec::new();
        check(&mut request, &ufrag);
        let mut buffer = [0; 2_048];
        let mut tries = 0..50;
        while peer.socket.recv(&mut buffer).is_err() {
            tries.next().expect("an answer to one of 50 checks");
            peer.socket.send(&request).unwrap();
        }
        peer
    }

    /// At the engine, which has heard nothing of it yet; its user name there.
    pub(super) fn added(media: &Media, number: u8) -> (PeerId, String) {
        let (id, ufrag) = (PeerId(u64::from(number)), format!("peer{number}"));
        let credentials = Credentials { ufrag: ufrag.clone(), password: PASSWORD.into() };
        media.send(Command::AddPeer { peer: id, room: RoomId(1), credentials });
        let key = |side| MasterKey { key: vec![side; 16], salt: vec![number; 12] };
        let keys = Keys { profile: Profile::AeadAes128Gcm, local: key(1), remote: key(2) };
        media.send(Command::SetKeys { peer: id, keys });
        (id, ufrag)
    }
}

/// A sealed packet of the microphone that peer 0 publishes, with so much sound.
pub(super) fn sound(sealer: &mut Sealer, sequence: u16, payload: usize) -> Vec<u8> {
    let mut packet = vec![0; payload + 60];
    let timestamp = u32::from(sequence) * 960;
    let header = Header { marker: false, payload_type: 111, sequence, timestamp, ssrc: 5000 };
    let len = header.write(&[], &mut packet).unwrap() + payload;
    let len = sealer.seal_rtp(&mut packet, len).unwrap();
    packet.truncate(len);
    packet
}

/// What peer 0 seals with.
pub(super) fn sealer() -> Sealer {
    let key = MasterKey { key: vec![2; 16], salt: vec![0; 12] };
    Sealer::new(Profile::AeadAes128Gcm, &key).unwrap()
}

#[test]
#[cfg_attr(
    any(conf_plain, not(target_os = "linux")),
    ignore = "needs batched calls or several shards"
)]
fn sound_crosses_from_the_shard_of_its_publisher_to_all_others() {
    let (media, _events) = several();
    let ada = Known::connected(&media, 0);
    let publication = microphone("0", 5000);
    media.send(Command::Publish { track: TrackId(1), peer: ada.id, publication });
    let others: Vec<Known> = (1..17).map(|number| Known::connected(&media, number)).collect();
    for peer in &others {
        let subscription = subscription("3", 900);
        media.send(Command::Subscribe { track: TrackId(1), peer: peer.id, subscription });
    }
    let mut sealer = sealer();
    let mut heard = vec![false; others.len()];
    let deadline = Instant::now() + Duration::from_secs(20);
    for sequence in 0.. {
        ada.socket.send(&sound(&mut sealer, sequence, 20)).unwrap();
        let mut buffer = [0; 2_048];
        for (peer, heard) in others.iter().zip(&mut heard) {
            while !*heard && let Ok(len) = peer.socket.recv(&mut buffer) {
                *heard = classify(&buffer[..len]) == Kind::Rtp;
            }
        }
        if heard.iter().all(|&heard| heard) {
            break;
        }
        assert!(Instant::now() < deadline, "not all have heard it: {heard:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(5);
    while media.counters().relayed_in == 0 {
        assert!(Instant::now() < deadline, "all 17 arrived at the same shard");
    }
    assert_eq!((media.counters().peers, media.counters().edges), (17, 16));
    media.stop();
}
