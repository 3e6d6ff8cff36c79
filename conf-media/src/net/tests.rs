//! The threads and sockets over loopback: the one place in the engine where tests use real ones.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "real sockets, real time")]

use std::net::UdpSocket;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::egress::{Destination, TxBatch};
use crate::ingress::RxBatch;

fn loopback() -> MediaConfig {
    MediaConfig { seed: 7, ..MediaConfig::default() }
}

fn started() -> (Media, mpsc::Receiver<Event>) {
    started_with(Backend::Dimpl)
}

fn started_with(dtls: Backend) -> (Media, mpsc::Receiver<Event>) {
    let (sender, events) = mpsc::channel();
    let config = MediaConfig { dtls, ..loopback() };
    let media = start(config, Box::new(move |event| drop(sender.send(event)))).unwrap();
    (media, events)
}

fn receiver() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

#[test]
fn the_engine_starts_names_its_address_and_stops() {
    let (media, _events) = started();
    let [udp, tcp] = media.candidates() else { panic!("{:?}", media.candidates()) };
    assert_eq!((udp.transport, tcp.transport), (Transport::Udp, Transport::Tcp));
    assert_eq!(udp.address, tcp.address, "one port for both");
    assert!(udp.address.ip().is_loopback() && udp.address.port() != 0);
    let clone = media.clone();
    media.stop();
    clone.stop(); // once more does no harm
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _holder = UdpSocket::bind(taken).unwrap();
    let refused =
        start(MediaConfig { listen: vec![taken], ..loopback() }, Box::new(|_| {})).unwrap_err();
    assert_eq!(refused.to_string(), format!("media cannot listen on {taken} (UDP)"));
    assert!(std::error::Error::source(&refused).is_some());
}

#[test]
#[cfg_attr(
    any(conf_plain, not(target_os = "linux")),
    ignore = "needs batched calls or several shards"
)]
fn runs_of_different_sizes_arrive_in_one_batch_whole_and_in_order() {
    let (first, second) = (receiver(), receiver());
    let socket = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut batch = TxBatch::new();
    for number in 0..10u8 {
        let to = Destination { slot: 0, address: first.local_addr().unwrap() };
        assert!(batch.push(to, &[number; 1_000]));
        let to = Destination { slot: 1, address: second.local_addr().unwrap() };
        assert!(batch.push(to, &vec![number; 100 + usize::from(number % 2)]));
    }
    let mut sender = batch::Sender::new(false);
    let sent = sender.send(&socket, &batch);
    assert_eq!(sent.refused, 0);
    assert!(sent.messages < 20, "runs go as one message each: {sent:?}");
    let mut buffer = [0; 2_048];
    for number in 0..10u8 {
        assert_eq!(first.recv(&mut buffer).unwrap(), 1_000);
        assert!(buffer[..1_000].iter().all(|&byte| byte == number));
        assert_eq!(second.recv(&mut buffer).unwrap(), 100 + usize::from(number % 2));
        assert_eq!(buffer[0], number);
    }
}

#[test]
fn a_destination_that_cannot_be_reached_does_not_hold_up_the_others() {
    let good = receiver();
    let socket = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let mut batch = TxBatch::new();
    let nowhere = Destination { slot: 0, address: "[2001:db8::1]:9".parse().unwrap() };
    assert!(batch.push(nowhere, b"lost")); // another family than the socket's
    assert!(batch.push(Destination { slot: 1, address: good.local_addr().unwrap() }, b"here"));
    let sent = batch::Sender::new(false).send(&socket, &batch);
    assert_eq!(sent, batch::Sent { messages: 1, refused: 1, passed_over: 0 });
    let mut buffer = [0; 16];
    assert_eq!(good.recv(&mut buffer).unwrap(), 4);
}

#[test]
fn a_dual_stack_socket_speaks_ipv4_with_ipv4_peers() {
    let Ok(socket) = socket::bind("[::]:0".parse().unwrap()) else { return }; // no IPv6 here
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let peer = receiver();
    peer.send_to(b"question", ("127.0.0.1", port)).unwrap();
    let from = receive_one(&socket, b"question");
    assert_eq!(from, peer.local_addr().unwrap());
    let mut batch = TxBatch::new();
    assert!(batch.push(Destination { slot: 0, address: from }, b"answer"));
    assert_eq!(batch::Sender::new(true).send(&socket, &batch).messages, 1);
    let mut buffer = [0; 16];
    assert_eq!(peer.recv(&mut buffer).unwrap(), 6);
}

fn receive_one(socket: &Socket, wanted: &[u8]) -> SocketAddr {
    let mut batch = RxBatch::new();
    let mut receiver = batch::Receiver::new();
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if receiver.receive(socket, &mut batch, batch::now()).unwrap() > 0 {
            let (from, bytes, _) = batch.iter_mut().next().unwrap();
            assert_eq!(bytes, wanted);
            return from;
        }
    }
    panic!("nothing came within 5 s");
}

#[test]
fn a_full_socket_is_emptied_in_batches() {
    let socket = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let to = socket.local_addr().unwrap().as_socket().unwrap();
    let peer = receiver();
    for number in 0..100u8 {
        peer.send_to(&[number], to).unwrap();
    }
    let mut batch = RxBatch::new();
    let mut receiver = batch::Receiver::new();
    let mut came = Vec::new();
    while receiver.receive(&socket, &mut batch, batch::now()).unwrap() > 0 {
        assert!(batch.len() <= RxBatch::SLOTS);
        for (from, bytes, _) in batch.iter_mut() {
            assert_eq!(from, peer.local_addr().unwrap());
            came.push(bytes[0]);
        }
    }
    assert_eq!(came, (0..100).collect::<Vec<u8>>());
    assert!(batch.is_empty());
}

/// A socket as the engine's, and a batch with runs towards it.
fn runs_to_ourselves() -> (Socket, TxBatch) {
    let socket = socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut batch = TxBatch::new();
    for number in 0..20u8 {
        let to = Destination { slot: u32::from(number) % 2, address };
        assert!(batch.push(to, &vec![number; 1_000 + usize::from(number % 2)]));
    }
    (socket, batch)
}

/// All that is in the socket: first byte and length of each datagram.
fn drain(socket: &Socket) -> Vec<(u8, usize)> {
    let (mut batch, mut receiver, mut all) = (RxBatch::new(), batch::Receiver::new(), Vec::new());
    while receiver.receive(socket, &mut batch, batch::now()).unwrap() > 0 {
        all.extend(batch.iter_mut().map(|(_, bytes, _)| {
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            (bytes[0], bytes.len())
        }));
    }
    all
}

#[test]
fn sockets_that_take_one_datagram_a_call_carry_the_same() {
    let (socket, batch) = runs_to_ourselves();
    let mut sender = batch::plain::Sender::new(false);
    assert_eq!(
        sender.send(&socket, &batch),
        batch::Sent { messages: 20, refused: 0, passed_over: 0 }
    );
    let (mut received, mut receiver) = (RxBatch::new(), batch::plain::Receiver::new());
    let mut all = Vec::new();
    while receiver.receive(&socket, &mut received, batch::now()).unwrap() > 0 {
        all.extend(received.iter_mut().map(|(from, bytes, _)| (from, bytes[0], bytes.len())));
    }
    let local = socket.local_addr().unwrap().as_socket().unwrap();
    all.sort_unstable();
    let expected = (0..20u8).map(|number| (local, number, 1_000 + usize::from(number % 2)));
    assert_eq!(all, expected.collect::<Vec<_>>());
}

#[test]
fn a_datagram_of_nothing_does_not_hide_those_behind_it_from_either_socket() {
    for plain in [true, false] {
        let (socket, peer) = (runs_to_ourselves().0, receiver());
        let to = socket.local_addr().unwrap().as_socket().unwrap();
        for datagram in [&b"one"[..], b"", b"two"] {
            peer.send_to(datagram, to).unwrap();
        }
        let mut batch = RxBatch::new();
        let count = if plain {
            batch::plain::Receiver::new().receive(&socket, &mut batch, batch::now())
        } else {
            batch::Receiver::new().receive(&socket, &mut batch, batch::now())
        };
        let bytes: Vec<_> = batch.iter_mut().map(|(_, bytes, _)| bytes.to_vec()).collect();
        assert_eq!((count.unwrap(), bytes), (2, vec![b"one".to_vec(), b"two".to_vec()]));
    }
}

#[test]
fn a_plain_socket_leaves_out_a_destination_that_cannot_be_reached_and_goes_on() {
    let (socket, _) = runs_to_ourselves();
    let reachable = socket.local_addr().unwrap().as_socket().unwrap();
    let mut batch = TxBatch::new();
    for address in ["[2001:db8::1]:9".parse().unwrap(), reachable] {
        assert!(batch.push(Destination { slot: Destination::NO_SLOT, address }, b"x"));
    }
    let sent = batch::plain::Sender::new(false).send(&socket, &batch);
    assert_eq!(sent, batch::Sent { messages: 1, refused: 1, passed_over: 0 });
}

#[test]
fn a_thousand_destinations_are_reached_in_one_batch() {
    let (socket, _) = runs_to_ourselves();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut batch = TxBatch::new();
    for slot in 0..1_500u32 {
        assert!(batch.push(Destination { slot, address }, &slot.to_be_bytes()));
    }
    let sent = batch::Sender::new(false).send(&socket, &batch);
    assert_eq!(sent, batch::Sent { messages: 1_500, refused: 0, passed_over: 0 });
}

#[cfg(all(target_os = "linux", not(conf_plain)))]
mod linux;
mod peer;
mod tcp;
