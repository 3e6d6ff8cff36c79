//! SCTP inside DTLS: whoever has finished a handshake can send any of it.
//!
//! An input is met twice: by an association that waits for its peer, as it is, and by one that has
//! open channels, with the association's tag and a checksum that is right, so that it is read.

use std::sync::Arc;

use bytes::Bytes;
use conf_media::data::{Association, Outgoing, Output};
use sctp_proto::{DatagramEvent, Endpoint, Payload, PayloadProtocolIdentifier as Ppid};

use crate::{Shape, start};

pub(crate) fn run(input: &[u8]) -> Shape {
    let mut shape = Shape::NOTHING;
    let mut association = Association::new();
    let (first, second) = input.split_at(input.len() / 2);
    for packet in [input, first, second] {
        shape = shape.and(handle(&mut association, Bytes::copy_from_slice(packet)).len());
    }
    let (mut open, tag) = connected();
    for packet in [input, second] {
        let outputs = handle(&mut open, addressed(packet, tag));
        let kinds: Vec<_> = outputs.iter().map(std::mem::discriminant).collect();
        shape = shape.and(kinds.into_iter().take(4).collect::<Vec<_>>());
    }
    let message =
        Outgoing { binary: true, bytes: Bytes::from_static(b"x"), credit: Default::default() };
    // It may be closed by now.
    let _closed = open.send_to(start(), "_reliable", message);
    open.handle_timeout(start() + std::time::Duration::from_secs(3));
    shape.and(drain(&mut open).len().min(4))
}

fn handle(association: &mut Association, packet: Bytes) -> Vec<Output> {
    association.handle(start(), packet);
    drain(association)
}

fn drain(association: &mut Association) -> Vec<Output> {
    std::iter::from_fn(|| association.poll(start())).collect()
}

/// An association with two open channels, and the tag that its packets must carry.
fn connected() -> (Association, [u8; 4]) {
    let (mut client, mut server) = (Client::new(), Association::new());
    let mut tag = [0; 4];
    for round in 0..6 {
        if round == 3 {
            client.open(0, 0, b"_reliable");
            client.open(2, 0x81, b"_lossy");
        }
        for packet in client.poll() {
            tag.copy_from_slice(packet.get(4..8).unwrap_or(&[0; 4]));
            for output in handle(&mut server, packet) {
                if let Output::Transmit(packet) = output {
                    client.handle(packet);
                }
            }
        }
    }
    assert!(server.channel(0).is_some() && server.channel(2).is_some(), "the channels are open");
    (server, tag)
}

struct Client {
    endpoint: Endpoint,
    association: sctp_proto::Association,
}

impl Client {
    fn new() -> Self {
        let mut endpoint = Endpoint::new(Arc::default(), None);
        let peer = ([127, 0, 0, 1], 5000).into();
        let opened = endpoint.connect(sctp_proto::ClientConfig::new(), peer);
        let (_, association) = opened.expect("a fresh endpoint connects");
        Self { endpoint, association }
    }

    fn poll(&mut self) -> Vec<Bytes> {
        let mut packets = Vec::new();
        while let Some(transmit) = self.association.poll_transmit(start()) {
            if let Payload::RawEncode(some) = transmit.payload {
                packets.extend(some);
            }
        }
        packets
    }

    fn handle(&mut self, packet: Bytes) {
        let peer = ([127, 0, 0, 1], 5000).into();
        let event = self.endpoint.handle(start(), peer, None, None, packet);
        if let Some((_, DatagramEvent::AssociationEvent(event))) = event {
            self.association.handle_event(event);
        }
        while self.association.poll().is_some() {}
    }

    fn open(&mut self, stream: u16, kind: u8, label: &[u8]) {
        let mut message = vec![3, kind, 1, 0, 0, 0, 0, 0, 0];
        message.push(u8::try_from(label.len()).unwrap_or(0));
        message.extend([0, 0]);
        message.extend(label);
        let opened = self.association.open_stream(stream, Ppid::Dcep);
        let mut stream = opened.expect("the stream is new");
        stream.write_with_ppi(&message, Ppid::Dcep).expect("a short message");
    }
}

/// The same packet, as one of the association's.
fn addressed(packet: &[u8], tag: [u8; 4]) -> Bytes {
    let mut bytes = packet.to_vec();
    bytes.resize(bytes.len().max(16), 0);
    if let Some(head) = bytes.first_chunk_mut::<12>() {
        let [p0, p1, p2, p3, t0, t1, t2, t3, sum @ ..] = head;
        [*p0, *p1, *p2, *p3] = [0x13, 0x88, 0x13, 0x88]; // port 5000, both
        [*t0, *t1, *t2, *t3] = tag;
        *sum = [0; 4];
    }
    let sum = crc32c(&bytes).to_le_bytes();
    if let Some(place) = bytes.get_mut(8..12) {
        place.copy_from_slice(&sum);
    }
    bytes.into()
}

/// RFC 9260, appendix A; bit by bit, for few bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 }
        })
    })
}

/// Every packet of a client that opens channels, says something and closes one.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let (mut client, mut server, mut seeds) = (Client::new(), Association::new(), Vec::new());
    for round in 0..9 {
        match round {
            3 => client.open(0, 0, b"_reliable"),
            5 => {
                let stream = client.association.stream(0);
                let mut stream = stream.expect("it was opened");
                stream.write_with_ppi(&[7; 40], Ppid::Binary).expect("a short message");
            }
            7 => {
                let stream = client.association.stream(0);
                stream.and_then(|mut stream| stream.close()).expect("it was opened");
            }
            _ => {}
        }
        for packet in client.poll() {
            seeds.push(packet.to_vec());
            for output in handle(&mut server, packet) {
                if let Output::Transmit(packet) = output {
                    client.handle(packet);
                }
            }
        }
    }
    seeds
}
