//! Our RTP against the crate `rtp`: what one writes the other reads as the same.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use conf_media::rtp::{self as ours, Form, Header};
use rtp::header::Extension;
use rtp::packet::Packet;
use webrtc_util::marshal::{Marshal, Unmarshal};

#[path = "../src/rtp/random.rs"]
#[expect(dead_code, reason = "shared with the unit tests, which use the rest")]
mod random;
use random::Random;

const ROUNDS: u32 = 20_000;

fn bytes(random: &mut Random, length: usize) -> Vec<u8> {
    (0..length).map(|_| random.byte()).collect()
}

fn word(random: &mut Random) -> u32 {
    u32::from(random.short()) << 16 | u32::from(random.short())
}

/// Up to five elements with ids of their own, in the form of `profile`.
fn extensions(random: &mut Random, profile: u16) -> Vec<(u8, Vec<u8>)> {
    let count = random.below(6);
    let mut id = 0;
    (0..count)
        .map(|_| {
            let (step, length) = if profile == 0xbede {
                (1 + random.below(2), 1 + random.below(16))
            } else {
                (1 + random.below(50), random.below(40))
            };
            id += u8::try_from(step).unwrap();
            (id, bytes(random, length))
        })
        .collect()
}

fn theirs(random: &mut Random) -> Packet {
    let profile = if random.chance(50) { 0xbede } else { 0x1000 };
    let elements = if random.chance(80) { extensions(random, profile) } else { Vec::new() };
    let sources = random.below(16) * usize::from(random.chance(20));
    let length = random.below(1_200);
    Packet {
        header: rtp::header::Header {
            version: 2,
            padding: random.chance(30),
            extension: !elements.is_empty(),
            marker: random.chance(50),
            payload_type: random.byte() & 0x7f,
            sequence_number: random.short(),
            timestamp: word(random),
            ssrc: word(random),
            csrc: (0..sources).map(|_| word(random)).collect(),
            extension_profile: profile,
            extensions: elements
                .into_iter()
                .map(|(id, value)| Extension { id, payload: value.into() })
                .collect(),
            extensions_padding: 0,
        },
        payload: bytes(random, length).into(),
    }
}

#[test]
fn we_read_what_the_other_implementation_writes() {
    let mut random = Random(1);
    for round in 0..ROUNDS {
        let packet = theirs(&mut random);
        let datagram = packet.marshal().unwrap();
        let view = ours::parse(&datagram).unwrap();
        let header = &packet.header;
        assert_eq!(view.marker, header.marker, "round {round}");
        assert_eq!(view.payload_type, header.payload_type);
        assert_eq!(view.sequence, header.sequence_number);
        assert_eq!(view.timestamp, header.timestamp);
        assert_eq!(view.ssrc, header.ssrc);
        assert_eq!(view.payload(&datagram), packet.payload);
        assert_eq!(view.padding > 0, header.padding);
        let elements: Vec<_> = view.extensions(&datagram).collect();
        let expected: Vec<_> =
            header.extensions.iter().map(|element| (element.id, &element.payload[..])).collect();
        assert_eq!(elements, expected, "round {round}");
        assert_eq!(ours::parse_header(&datagram).unwrap().header_len, view.header_len);
    }
}

#[test]
fn the_other_implementation_reads_what_we_write() {
    let mut random = Random(2);
    let mut out = [0; 2_048];
    for round in 0..ROUNDS {
        let header = Header {
            marker: random.chance(50),
            payload_type: random.byte() & 0x7f,
            sequence: random.short(),
            timestamp: word(&mut random),
            ssrc: word(&mut random),
        };
        let profile = if random.chance(50) { 0xbede } else { 0x1000 };
        let elements = extensions(&mut random, profile);
        let borrowed: Vec<_> = elements.iter().map(|(id, value)| (*id, &value[..])).collect();
        let length = header.write(&borrowed, &mut out).unwrap();
        let payload_length = random.below(1_200);
        let payload = bytes(&mut random, payload_length);
        let mut datagram = out[..length].to_vec();
        datagram.extend_from_slice(&payload);

        let packet = Packet::unmarshal(&mut &datagram[..]).unwrap();
        assert_eq!(packet.header.marker, header.marker, "round {round}");
        assert_eq!(packet.header.payload_type, header.payload_type);
        assert_eq!(packet.header.sequence_number, header.sequence);
        assert_eq!(packet.header.timestamp, header.timestamp);
        assert_eq!(packet.header.ssrc, header.ssrc);
        assert_eq!(packet.payload, payload);
        let read: Vec<_> = packet
            .header
            .extensions
            .iter()
            .map(|element| (element.id, element.payload.to_vec()))
            .collect();
        assert_eq!(read, elements, "round {round}");
        // The shorter form wherever it can say it.
        let small = elements.iter().all(|(id, v)| *id < 15 && (1..=16).contains(&v.len()));
        let form = match (elements.is_empty(), small) {
            (true, _) => Form::None,
            (_, true) => Form::OneByte,
            (_, false) => Form::TwoByte,
        };
        assert_eq!(ours::parse(&datagram).unwrap().form(), form);
    }
}

#[test]
fn the_other_implementation_reads_a_restored_retransmission_as_the_original() {
    let mut random = Random(3);
    for round in 0..ROUNDS {
        let mut original = theirs(&mut random);
        let mut repair = original.clone();
        let sequence = original.header.sequence_number.to_be_bytes();
        repair.payload = [&sequence[..], &original.payload[..]].concat().into();
        repair.header.sequence_number = random.short();
        repair.header.ssrc = word(&mut random);
        repair.header.payload_type = 97;
        let mut datagram = repair.marshal().unwrap().to_vec();
        let view = ours::parse(&datagram).unwrap();
        let (payload_type, ssrc) = (original.header.payload_type, original.header.ssrc);
        let length = ours::restore(&mut datagram, &view, payload_type, ssrc).unwrap();

        let mut restored = Packet::unmarshal(&mut &datagram[..length]).unwrap();
        original.header.padding = false;
        // Counted while reading, not while making.
        restored.header.extensions_padding = 0;
        if !original.header.extension {
            original.header.extension_profile = 0;
        }
        assert_eq!(restored, original, "round {round}");
    }
}
