//! Peers over TCP: the whole way over real connections, torn streams, strangers, slow readers.
#![expect(clippy::disallowed_types, reason = "real sockets")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::peer::{Known, PASSWORD, PEER, check, sealer, several, sound};
use super::*;
use crate::command::{PeerId, RoomId, TrackId};
use crate::dtls::client::Client;
use crate::ice::{Candidate, Credentials};
use crate::rtp::{Class as Kind, classify};
use crate::stun::{self, IntegrityKey};
use crate::tcp::framing::{Deframer, frame};
use crate::test_util::{microphone, subscription};

/// The far end of one connection.
struct Line {
    stream: TcpStream,
    deframer: Deframer,
    came: Vec<Vec<u8>>,
}

impl Line {
    fn open(media: &Media) -> Self {
        let tcp = media.candidates().iter().find(|it| it.transport == Transport::Tcp).unwrap();
        let stream = TcpStream::connect(tcp.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { stream, deframer: Deframer::default(), came: Vec::new() }
    }

    fn send(&mut self, datagram: &[u8]) {
        self.stream.write_all(&frame(datagram).unwrap()).unwrap();
    }

    /// The next datagram, if one comes within 100 ms.
    fn receive(&mut self) -> Option<Vec<u8>> {
        if self.came.is_empty() {
            let mut buffer = [0; 4_096];
            let len = self.stream.read(&mut buffer).ok()?;
            self.deframer.feed(&buffer[..len], |it| self.came.push(it.to_vec())).unwrap();
        }
        if self.came.is_empty() { None } else { Some(self.came.remove(0)) }
    }

    /// A check is answered, with the address that the connection comes from.
    fn check(&mut self, ufrag: &str) {
        let (own, mut request) = (self.stream.local_addr().unwrap(), Vec::new());
        check(&mut request, ufrag);
        for _ in 0..500 {
            self.send(&request); // the peer may not be there yet: ask again
            let Some(answer) = self.receive() else { continue };
            let Ok(answer) = stun::parse(&answer) else { continue }; // media that was on its way
            if answer.class() == stun::Class::Success {
                answer.verify(&IntegrityKey::new(PASSWORD)).unwrap();
                assert_eq!(answer.mapped_address(), Some(own));
                return;
            }
        }
        panic!("no answer to the check");
    }

    /// The other end has closed it.
    fn is_closed(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut buffer = [0; 4_096];
        while Instant::now() < deadline {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return true,
            }
        }
        false
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < deadline, "{what} within 10 s");
    }
}

fn handshake(media: &Media, events: &mpsc::Receiver<Event>) {
    let credentials = Credentials { ufrag: "ours".into(), password: PASSWORD.into() };
    media.send(Command::AddPeer { peer: PEER, room: RoomId(1), credentials });
    let (mut line, mut client) = (Line::open(media), Client::new(Instant::now()));
    line.check("ours");
    let fingerprint = client.fingerprint;
    media.send(Command::ExpectFingerprint { peer: PEER, fingerprint });
    wait_for("a handshake", || {
        client.poll().iter().for_each(|datagram| line.send(datagram));
        match line.receive() {
            Some(it) if classify(&it) == Kind::Dtls => client.handle(Instant::now(), &it),
            _ => client.dtls.handle_timeout(Instant::now()).unwrap(),
        }
        client.connected
    });
    let connected = events.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(matches!(connected, Event::Connected { peer: PEER, .. }), "{connected:?}");
    let counters = media.tcp_counters();
    assert_eq!((counters.connections, counters.half_open), (1, 0));
}

#[test]
fn a_peer_connects_over_tcp_alone() {
    let (media, events) = started();
    handshake(&media, &events);
    media.stop();
}

#[test]
#[cfg_attr(
    any(conf_plain, not(target_os = "linux")),
    ignore = "needs batched calls or several shards"
)]
fn on_several_shards_a_peer_may_go_from_udp_to_tcp_and_back() {
    let (media, events) = several();
    handshake(&media, &events);
    media.send(Command::RemovePeer { peer: PEER });
    let peer = Known::connected(&media, 7);
    for _ in 0..8 {
        Line::open(&media).check("peer7"); // each at another shard
    }
    let mut request = Vec::new();
    check(&mut request, "peer7");
    peer.socket.send(&request).unwrap();
    wait_for("an answer over UDP", || peer.socket.recv(&mut [0; 2_048]).is_ok());
    assert_eq!(media.counters().peers, 1);
    media.stop();
}

/// Peer 0 publishes a microphone over UDP.
fn publisher(media: &Media) -> Known {
    let ada = Known::connected(media, 0);
    let publication = microphone("0", 5000);
    media.send(Command::Publish { track: TrackId(1), peer: ada.id, publication });
    ada
}

fn subscribe(media: &Media, peer: PeerId) {
    let subscription = subscription("3", 900);
    media.send(Command::Subscribe { track: TrackId(1), peer, subscription });
}

#[test]
fn whoever_reads_slowly_over_tcp_loses_packets_and_nobody_else_does() {
    let (media, _events) = started();
    let ada = publisher(&media);
    let (slow, ufrag) = Known::added(&media, 1);
    let mut line = Line::open(&media);
    line.check(&ufrag);
    let quick = Known::connected(&media, 2);
    [slow, quick.id].into_iter().for_each(|peer| subscribe(&media, peer));
    let (mut sealer, mut buffer, mut sequence) = (sealer(), [0; 2_048], 0);
    let mut send = |bytes| {
        sequence += 1;
        ada.socket.send(&sound(&mut sealer, sequence, bytes)).unwrap();
        quick.socket.recv(&mut buffer).is_ok_and(|len| classify(&buffer[..len]) == Kind::Rtp)
    };
    wait_for("the first sound", || send(100));
    let before = media.counters().packets_out;
    let heard = (0..4_000).filter(|_| send(1_000)).count();
    assert!(heard >= 3_990, "{heard} of 4,000 packets");
    assert!(media.counters().packets_out - before > 7_900);
    let counters = media.tcp_counters();
    assert!(counters.dropped_slow > 1_000, "{counters:?}");
    // What is left out is whole packets: the stream goes on where it was.
    let mut sounds = 0;
    while let Some(datagram) = line.receive() {
        sounds += usize::from(classify(&datagram) == Kind::Rtp);
    }
    assert!(sounds > 100, "{sounds} packets");
    line.check(&ufrag);
    media.stop();
}

#[test]
fn a_thousand_half_open_connections_are_bounded_and_nobody_notices() {
    let files = rustix::process::Rlimit { current: Some(4_096), maximum: None };
    let hard = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    let files = rustix::process::Rlimit { maximum: hard, ..files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, files).unwrap();
    let (media, _events) = started();
    let ada = publisher(&media);
    let (friend, ufrag) = Known::added(&media, 1);
    let mut line = Line::open(&media);
    line.check(&ufrag);
    subscribe(&media, friend);
    let mut strangers: Vec<Line> = Vec::new();
    let (mut sealer, mut sequence) = (sealer(), 0);
    for number in 0..1_000 {
        let mut stranger = Line::open(&media);
        let _ = stranger.stream.write(&[0, 200, 0]); // the beginning of a frame
        strangers.push(stranger);
        if number % 10 == 0 {
            // The first ones may come before the subscription.
            wait_for("sound", || {
                sequence += 1;
                ada.socket.send(&sound(&mut sealer, sequence, 100)).unwrap();
                line.receive().is_some_and(|it| classify(&it) == Kind::Rtp)
            });
        }
    }
    wait_for("all strangers", || media.tcp_counters().accepted == 1_001);
    let counters = media.tcp_counters();
    assert!(counters.connections <= 129 && counters.half_open <= 128, "{counters:?}");
    assert_eq!(counters.pushed_out, 1_000 - 128);
    let (_, late) = Known::added(&media, 2);
    Line::open(&media).check(&late);
    media.stop();
}

#[test]
fn a_stream_torn_into_single_bytes_is_understood_and_another_protocol_is_cut_off() {
    let (media, _events) = started();
    let (_, ufrag) = Known::added(&media, 1);
    let (mut line, mut request) = (Line::open(&media), Vec::new());
    check(&mut request, &ufrag);
    wait_for("an answer", || {
        for byte in frame(&request).unwrap() {
            line.stream.write_all(&[byte]).unwrap();
        }
        line.receive().is_some_and(|it| stun::parse(&it).unwrap().class() == stun::Class::Success)
    });
    for stranger in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0, 20, 22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ] {
        let mut line = Line::open(&media);
        line.stream.write_all(stranger).unwrap();
        assert!(line.is_closed());
    }
    assert_eq!(media.tcp_counters().malformed, 2);
    media.stop();
}

#[test]
fn a_port_that_is_taken_over_tcp_is_named_and_without_tcp_nobody_asks() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _holder = std::net::TcpListener::bind(taken).unwrap();
    let config = MediaConfig { listen: vec![taken], ..loopback() };
    let refused = start(config.clone(), Box::new(|_| {})).unwrap_err();
    assert_eq!(refused.to_string(), format!("media cannot listen on {taken} (TCP)"));
    let media = start(MediaConfig { tcp: false, ..config }, Box::new(|_| {})).unwrap();
    assert_eq!(media.candidates(), [Candidate::udp(taken)]);
    media.stop();
}

/// Answered over UDP and over TCP, as the client whose address has this family.
fn answers(media: &Media, number: u8, ours: &str) {
    let (_, ufrag) = Known::added(media, number);
    let port = |transport| {
        let of = media.candidates().iter().filter(|it| it.transport == transport);
        of.map(|it| it.address).filter(|it| it.ip().to_string() == ours).collect::<Vec<_>>()
    };
    let (udp, tcp) = (port(Transport::Udp), port(Transport::Tcp));
    assert_eq!((udp.len(), &udp), (1, &tcp), "{ours} is told once for each");
    let socket = UdpSocket::bind((ours, 0)).unwrap();
    socket.connect(udp[0]).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mut request, mut buffer) = (Vec::new(), [0; 2_048]);
    check(&mut request, &ufrag);
    wait_for("an answer", || {
        socket.send(&request).unwrap();
        let Ok(len) = socket.recv(&mut buffer) else { return false };
        let answer = stun::parse(&buffer[..len]).unwrap();
        assert_eq!(answer.mapped_address(), Some(socket.local_addr().unwrap()));
        true
    });
    let stream = TcpStream::connect(tcp[0]).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut line = Line { stream, deframer: Deframer::default(), came: Vec::new() };
    line.check(&ufrag); // compares the address too
}

#[test]
fn two_addresses_one_of_each_family_are_both_answered() {
    let listen = ["127.0.0.1:0", "[::1]:0"].map(|it| it.parse().unwrap()).to_vec();
    let config = MediaConfig { listen, ..loopback() };
    let Ok(media) = start(config, Box::new(|_| {})) else { return }; // no IPv6 here
    answers(&media, 1, "127.0.0.1");
    answers(&media, 2, "::1");
    media.stop();
}

#[test]
fn one_address_for_both_families_sees_ipv4_as_ipv4() {
    let listen = vec!["[::]:0".parse().unwrap()];
    let told = ["127.0.0.1:0", "[::1]:0"].map(|it| it.parse::<SocketAddr>().unwrap().into());
    let config = MediaConfig { listen, advertise: told.to_vec(), ..loopback() };
    let media = start(config, Box::new(|_| {})).unwrap();
    answers(&media, 1, "127.0.0.1");
    if UdpSocket::bind("[::1]:0").is_ok() {
        answers(&media, 2, "::1");
    }
    media.stop();
}

#[test]
fn two_addresses_of_one_family_are_refused_in_words() {
    let listen = ["127.0.0.1:0", "127.0.0.2:0"].map(|it| it.parse().unwrap()).to_vec();
    let refused = start(MediaConfig { listen, ..loopback() }, Box::new(|_| {})).unwrap_err();
    let words = "media listens on 2 addresses; allowed is one, or one of each family";
    assert_eq!(refused.to_string(), words);
}
