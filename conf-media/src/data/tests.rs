//! The association against a client of the same library, in memory, on counted time.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

mod bounds;
mod lossy;

use std::time::Duration;

use sctp_proto::{ClientConfig, Event, StreamEvent};

use super::*;
use crate::dtls::client::{Random, start};

/// A browser's side of the association.
pub(crate) struct Browser {
    endpoint: Endpoint,
    handle: AssociationHandle,
    pub(crate) association: sctp_proto::Association,
    pub(crate) received: Vec<(u16, Ppid, Vec<u8>)>,
    pub(crate) connected: bool,
    pub(crate) lost: bool,
}

impl Browser {
    pub(crate) fn new() -> Self {
        let mut endpoint = Endpoint::new(Arc::new(EndpointConfig::new()), None);
        let mut config = ClientConfig::new();
        let transport = TransportConfig::default().with_max_send_message_size(1 << 20);
        config.transport = Arc::new(transport);
        let (handle, association) = endpoint.connect(config, PEER).unwrap();
        Self { endpoint, handle, association, received: Vec::new(), connected: false, lost: false }
    }

    /// Packets for the server.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Bytes> {
        let mut packets = Vec::new();
        while let Some(transmit) = self.association.poll_transmit(now) {
            if let Payload::RawEncode(some) = transmit.payload {
                packets.extend(some);
            }
        }
        packets
    }

    pub(crate) fn handle(&mut self, now: Instant, packet: Bytes) {
        let event = self.endpoint.handle(now, PEER, None, None, packet);
        if let Some((handle, DatagramEvent::AssociationEvent(event))) = event {
            assert_eq!(handle, self.handle);
            self.association.handle_event(event);
        }
        while let Some(event) = self.association.poll() {
            match event {
                Event::Connected => self.connected = true,
                Event::AssociationLost { .. } | Event::HandshakeFailed { .. } => self.lost = true,
                Event::Stream(StreamEvent::Readable { id }) => {
                    let mut stream = self.association.stream(id).unwrap();
                    while let Ok(Some(chunks)) = stream.read_sctp() {
                        let mut bytes = vec![0; chunks.len()];
                        chunks.read(&mut bytes).unwrap();
                        self.received.push((id, chunks.ppi, bytes));
                    }
                }
                _ => {}
            }
        }
    }

    /// Opens a channel as a browser does.
    pub(crate) fn open(&mut self, stream: u16, kind: u8, parameter: u32, label: &str) {
        let mut message = vec![dcep::OPEN, kind, 1, 0];
        message.extend(parameter.to_be_bytes());
        message.extend((label.len() as u16).to_be_bytes());
        message.extend([0, 0]);
        message.extend(label.as_bytes());
        let mut stream = self.association.open_stream(stream, Ppid::Dcep).unwrap();
        stream.write_with_ppi(&message, Ppid::Dcep).unwrap();
        let repeat = [Repeat::Always, Repeat::Times(parameter), Repeat::For(parameter)];
        let (reliability, value) = repeat[usize::from(kind & 0x7F)].parameters();
        stream.set_reliability_params(kind & 0x80 != 0, reliability, value).unwrap();
    }

    pub(crate) fn send(&mut self, stream: u16, bytes: &[u8], ppid: Ppid) {
        self.association.stream(stream).unwrap().write_with_ppi(bytes, ppid).unwrap();
    }

    /// Carries packets both ways until both are silent; what the server reported besides them.
    fn exchange(&mut self, mut now: Instant, server: &mut Association) -> Vec<Output> {
        let mut reported = Vec::new();
        let mut silent = 0;
        for _ in 0..5_000 {
            let packets = self.poll(now);
            let mut quiet = packets.is_empty();
            for packet in packets {
                server.handle(now, packet);
            }
            while let Some(output) = server.poll(now) {
                match output {
                    Output::Transmit(packet) => {
                        quiet = false;
                        self.handle(now, packet);
                    }
                    other => reported.push(other),
                }
            }
            silent = if quiet { silent + 1 } else { 0 };
            if silent == 2 {
                return reported;
            }
            now += Duration::from_millis(250); // delayed acknowledgements wait 200 ms
            server.handle_timeout(now);
            self.association.handle_timeout(now);
        }
        panic!("the two never fall silent");
    }
}

pub(crate) fn outgoing(bytes: &[u8]) -> Outgoing {
    let bytes = Bytes::copy_from_slice(bytes);
    Outgoing { binary: true, bytes, credit: Credit::default() }
}

fn connected(now: Instant) -> (Browser, Association) {
    let (mut browser, mut server) = (Browser::new(), Association::new());
    browser.exchange(now, &mut server);
    assert!(browser.connected);
    (browser, server)
}

#[test]
fn a_channel_opens_is_acknowledged_and_carries_messages_both_ways() {
    let now = start();
    let (mut browser, mut server) = connected(now);
    browser.open(0, 0, 0, "_reliable");
    browser.open(2, 0x81, 0, "_lossy");
    let opened = browser.exchange(now, &mut server);
    let reliable = Channel { label: "_reliable".into(), ordered: true, repeat: Repeat::Always };
    let lossy = Channel { label: "_lossy".into(), ordered: false, repeat: Repeat::Times(0) };
    assert_eq!(
        opened,
        [
            Output::Opened { stream: 0, channel: reliable },
            Output::Opened { stream: 2, channel: lossy }
        ]
    );
    let acknowledged: Vec<_> = browser.received.drain(..).collect();
    assert_eq!(acknowledged, [(0, Ppid::Dcep, vec![2]), (2, Ppid::Dcep, vec![2])]);

    browser.send(0, "grüß dich".as_bytes(), Ppid::String);
    browser.send(2, &[0], Ppid::BinaryEmpty);
    let messages = browser.exchange(now, &mut server);
    let message = |stream, label: &str, binary, bytes: &'static [u8]| Output::Message {
        stream,
        message: Message {
            label: label.into(),
            reliable: stream == 0,
            binary,
            bytes: Bytes::from_static(bytes),
            credit: Credit::default(),
        },
    };
    assert_eq!(messages.len(), 2);
    assert!(messages.contains(&message(0, "_reliable", false, "grüß dich".as_bytes())));
    assert!(messages.contains(&message(2, "_lossy", true, b"")));

    server.send(now, 0, outgoing(&[7; 5_000])).unwrap();
    browser.exchange(now, &mut server);
    assert_eq!(browser.received, [(0, Ppid::Binary, vec![7; 5_000])]);
}

#[test]
fn a_message_of_the_largest_size_passes_and_a_larger_one_ends_the_association() {
    let now = start();
    let (mut browser, mut server) = connected(now);
    browser.open(0, 0, 0, "a");
    browser.exchange(now, &mut server);
    browser.send(0, &vec![1; MAX_MESSAGE], Ppid::Binary);
    let reported = browser.exchange(now, &mut server);
    assert!(
        matches!(&reported[..], [Output::Message { message, .. }] if message.bytes.len() == MAX_MESSAGE)
    );

    browser.send(0, &vec![1; MAX_MESSAGE + 1], Ppid::Binary);
    let mut reported = Vec::new();
    for packet in browser.poll(now) {
        server.handle(now, packet);
    }
    for step in 0..200 {
        let now = now + Duration::from_millis(step * 100);
        while let Some(output) = server.poll(now) {
            match output {
                Output::Transmit(packet) => browser.handle(now, packet),
                other => reported.push(other),
            }
        }
        for packet in browser.poll(now) {
            server.handle(now, packet);
        }
    }
    assert_eq!(reported, [Output::Lost]);
    assert_eq!(server.send(now, 0, outgoing(b"late")), Err(DataError::NotOpen));
}

#[test]
fn our_own_messages_are_bounded_in_size() {
    let now = start();
    let (mut browser, mut server) = connected(now);
    assert_eq!(server.send(now, 0, outgoing(b"x")), Err(DataError::NotOpen));
    browser.open(0, 0, 0, "a");
    browser.exchange(now, &mut server);
    let too_large = DataError::TooLarge { len: MAX_SENT + 1, limit: MAX_SENT };
    assert_eq!(server.send(now, 0, outgoing(&[0; MAX_SENT + 1])), Err(too_large));
    assert_eq!(server.stats().dropped_closed, 2);
}

#[test]
fn no_more_channels_open_than_the_limit() {
    let now = start();
    let (mut browser, mut server) = connected(now);
    for stream in 0..100 {
        browser.open(stream, 0, 0, "a");
        if stream % 10 == 9 {
            browser.exchange(now, &mut server);
        }
    }
    browser.exchange(now, &mut server);
    assert_eq!(server.channels.len(), MAX_CHANNELS);
}

#[test]
fn a_second_association_is_not_accepted() {
    let now = start();
    let (_browser, mut server) = connected(now);
    let mut other = Browser::new();
    for packet in other.poll(now) {
        server.handle(now, packet);
    }
    assert_eq!(server.poll(now), None);
}

#[test]
fn malformed_control_messages_open_nothing() {
    let now = start();
    let (mut browser, mut server) = connected(now);
    browser.association.open_stream(0, Ppid::Dcep).unwrap();
    for message in [&[][..], &[3], &[3, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, b'a'], &[9; 12]] {
        if !message.is_empty() {
            browser.send(0, message, Ppid::Dcep);
        }
    }
    browser.send(0, b"before any channel", Ppid::String);
    assert_eq!(browser.exchange(now, &mut server), []);
}

#[test]
fn garbage_never_panics() {
    let mut random = Random(0x5EED_0003);
    for _ in 0..400 {
        let now = start();
        let (mut browser, mut server) = connected(now);
        browser.open(0, 0, 0, "a");
        let good = browser.poll(now).concat();
        for _ in 0..8 {
            server.handle(now, damaged(&good, &mut random).into());
            while server.poll(now).is_some() {}
            server.handle_timeout(now + Duration::from_secs(5));
        }
    }
}

/// Damaged behind its checksum, so that it is read.
fn damaged(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(3) {
        let at = 12 + random.below(bytes.len() - 12);
        bytes[at] = random.next() as u8;
    }
    bytes.truncate(bytes.len() - random.below(3));
    bytes[8..12].fill(0);
    let sum = crc32c(&bytes);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// RFC 9260, appendix A; bit by bit, for few bytes.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            if sum & 1 == 1 { sum >> 1 ^ 0x82F6_3B78 } else { sum >> 1 }
        })
    })
}
