//! Tests of the RTP reader and writer.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]

use super::random::Random;
use super::*;

const HEADER: Header =
    Header { marker: true, payload_type: 96, sequence: 0x1234, timestamp: 0xdead_beef, ssrc: 7 };

/// Header with these extensions, and the payload.
fn packet(extensions: &[(u8, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xaa; 1_500];
    let length = HEADER.write(extensions, &mut out).unwrap();
    out.truncate(length);
    out.extend_from_slice(payload);
    out
}

/// A header of 12 bytes, an extension block of this profile with these bytes, and the payload.
fn with_block(profile: u16, block: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = packet(&[], &[]);
    out[0] |= 0x10;
    out.extend_from_slice(&profile.to_be_bytes());
    out.extend_from_slice(&u16::try_from(block.len() / 4).unwrap().to_be_bytes());
    out.extend_from_slice(block);
    out.extend_from_slice(payload);
    out
}

fn elements(datagram: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let view = parse(datagram).unwrap();
    view.extensions(datagram).map(|(id, value)| (id, value.to_vec())).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let mid: (u8, &[u8]) = (4, b"0");
    let level: (u8, &[u8]) = (14, &[1; 16]);
    let datagram = packet(&[mid, level], b"payload");
    let view = parse(&datagram).unwrap();
    assert_eq!((view.marker, view.payload_type, view.sequence), (true, 96, 0x1234));
    assert_eq!((view.timestamp, view.ssrc, view.padding), (0xdead_beef, 7, 0));
    assert_eq!(view.form(), Form::OneByte);
    assert_eq!(view.payload(&datagram), b"payload");
    assert_eq!(view.extension(&datagram, 4), Some(&b"0"[..]));
    assert_eq!(view.extension(&datagram, 14), Some(&[1; 16][..]));
    assert_eq!(view.extension(&datagram, 5), None);
}

#[test]
fn large_ids_and_odd_lengths_take_the_two_byte_form() {
    let long = [9; 255];
    let cases: [(u8, &[u8]); 4] = [(15, b"x"), (1, b""), (2, &[7; 17]), (255, &long)];
    for element in cases {
        let datagram = packet(&[element, (3, b"abc")], b"!");
        assert_eq!(parse(&datagram).unwrap().form(), Form::TwoByte);
        let expected = vec![(element.0, element.1.to_vec()), (3, b"abc".to_vec())];
        assert_eq!(elements(&datagram), expected);
    }
}

#[test]
fn a_header_without_extensions_has_no_block() {
    let datagram = packet(&[], b"");
    let view = parse(&datagram).unwrap();
    assert_eq!((view.header_len, view.form()), (12, Form::None));
    assert_eq!(view.extensions(&datagram).count(), 0);
    assert!(view.payload(&datagram).is_empty());
}

#[test]
fn impossible_extensions_and_short_buffers_are_refused() {
    let mut out = [0; 1_500];
    let refused = HEADER.write(&[(0, b"x")], &mut out);
    assert_eq!(refused, Err(RtpError::Extension { id: 0, length: 1 }));
    let refused = HEADER.write(&[(1, &[0; 256])], &mut out);
    assert_eq!(refused, Err(RtpError::Extension { id: 1, length: 256 }));
    for room in 0..20 {
        let refused = HEADER.write(&[(1, b"x")], &mut out[..room]);
        let needed = if room < 12 { 12 } else { 20 };
        assert_eq!(refused, Err(RtpError::NoRoom { needed, room }));
    }
    assert_eq!(HEADER.write(&[(1, b"x")], &mut out[..20]), Ok(20));
}

#[test]
fn padding_between_elements_is_skipped() {
    let block = [0, 0, 0x10, 7, 0, 0x21, 8, 9];
    assert_eq!(elements(&with_block(0xbede, &block, b"")), [(1, vec![7]), (2, vec![8, 9])]);
    let block = [0, 0, 1, 1, 7, 0, 2, 0];
    assert_eq!(elements(&with_block(0x1000, &block, b"")), [(1, vec![7]), (2, vec![])]);
}

#[test]
fn the_reserved_id_ends_the_one_byte_form() {
    let block = [0x10, 7, 0xf0, 0x20, 8, 0, 0, 0];
    assert_eq!(elements(&with_block(0xbede, &block, b"")), [(1, vec![7])]);
}

#[test]
fn an_element_longer_than_its_block_ends_the_iteration() {
    assert_eq!(elements(&with_block(0xbede, &[0x10, 7, 0x2f, 1], b"payload")), [(1, vec![7])]);
    assert_eq!(elements(&with_block(0x1003, &[1, 0, 2, 9], b"payload")), [(1, vec![])]);
    assert_eq!(elements(&with_block(0x1003, &[1, 1, 2, 9], b"payload")), [(1, vec![2])]);
}

#[test]
fn a_block_of_an_unknown_profile_is_skipped() {
    let datagram = with_block(0xabcd, &[0x10, 7, 0, 0], b"payload");
    assert!(elements(&datagram).is_empty());
    assert_eq!(parse(&datagram).unwrap().payload(&datagram), b"payload");
}

#[test]
fn contributing_sources_are_skipped() {
    let mut datagram = packet(&[], &[0; 8]);
    datagram[0] |= 2;
    datagram.extend_from_slice(b"payload");
    let view = parse(&datagram).unwrap();
    assert_eq!((view.header_len, view.payload(&datagram)), (20, &b"payload"[..]));
}

#[test]
fn padding_is_cut_off_the_payload() {
    let mut datagram = packet(&[], b"payload\0\0\x03");
    datagram[0] |= 0x20;
    let view = parse(&datagram).unwrap();
    assert_eq!((view.payload(&datagram), view.padding), (&b"payload"[..], 3));
    // Still encrypted, the count cannot be read.
    let view = parse_header(&datagram).unwrap();
    assert_eq!((view.payload(&datagram).len(), view.padding), (10, 0));
}

#[test]
fn padding_that_is_zero_or_reaches_into_the_header_is_refused() {
    for (payload, padding) in [(&b"abc\0"[..], 0), (b"abc\x05", 5), (b"", 0)] {
        let mut datagram = packet(&[], payload);
        datagram[0] |= 0x20;
        assert_eq!(parse(&datagram), Err(RtpError::Padding { padding, body: payload.len() }));
    }
    let mut all = packet(&[], b"abc\x04");
    all[0] |= 0x20;
    assert!(parse(&all).unwrap().payload(&all).is_empty());
}

#[test]
fn every_cut_of_a_header_is_refused_with_what_it_needs() {
    let datagram = packet(&[(1, b"abc")], b"");
    assert_eq!(datagram.len(), 20);
    for length in 0..20 {
        let needed = if length < 12 {
            12
        } else if length < 16 {
            16
        } else {
            20
        };
        assert_eq!(parse(&datagram[..length]), Err(RtpError::Truncated { needed, length }));
    }
}

#[test]
fn other_versions_and_oversized_datagrams_are_refused() {
    for version in [0, 1, 3] {
        let mut datagram = packet(&[], b"");
        datagram[0] = version << 6;
        assert_eq!(parse(&datagram), Err(RtpError::Version { version }));
    }
    let mut datagram = packet(&[], b"");
    datagram.resize(65_536, 0);
    assert_eq!(parse(&datagram), Err(RtpError::TooLong { length: 65_536 }));
}

#[test]
fn a_retransmission_becomes_the_packet_that_was_lost() {
    let original = packet(&[(1, b"0"), (3, b"abc")], b"payload");
    let mut repair = packet(&[(1, b"0"), (3, b"abc")], b"\x12\x34payload\0\x02");
    repair[0] |= 0x20;
    repair[1] = 0x80 | 97;
    repair[2..4].copy_from_slice(&[9, 9]);
    repair[8..12].copy_from_slice(&[8, 8, 8, 8]);
    let view = parse(&repair).unwrap();
    let length = restore(&mut repair, &view, 96, 7).unwrap();
    assert_eq!(&repair[..length], original);
}

#[test]
fn a_retransmission_without_a_sequence_number_is_refused() {
    for length in 0..2 {
        let mut repair = packet(&[], &vec![0; length]);
        let view = parse(&repair).unwrap();
        assert_eq!(restore(&mut repair, &view, 96, 7), Err(RtpError::Repair { length }));
    }
}

#[test]
fn a_view_of_a_longer_packet_changes_nothing() {
    let mut datagram = packet(&[], b"payload");
    let view = parse(&datagram).unwrap();
    datagram.truncate(15);
    assert!(matches!(restore(&mut datagram, &view, 96, 7), Err(RtpError::Truncated { .. })));
    assert!(view.payload(&datagram).is_empty());
}

#[test]
fn the_first_two_bytes_tell_the_protocols_apart() {
    for first in 0..=255u8 {
        let expected = match first {
            0..=3 => Class::Stun,
            20..=63 => Class::Dtls,
            128..=191 => Class::Rtp,
            _ => Class::Unknown,
        };
        assert_eq!(classify(&[first, 96]), expected);
    }
    for second in 0..=255u8 {
        assert_eq!(is_rtcp(&[0x80, second]), (192..=223).contains(&second));
    }
    assert_eq!(classify(&[]), Class::Unknown);
}

/// Calls everything that reads a network's bytes.
fn read_everything(bytes: &mut [u8]) {
    let _ = classify(bytes);
    let _ = parse_header(bytes).map(|view| view.extensions(bytes).count());
    for packet in crate::rtcp::walk(bytes).flatten() {
        crate::rtcp::tests::read_everything(packet);
    }
    let Ok(view) = parse(bytes) else { return };
    assert!(view.header_len <= view.payload_end);
    assert_eq!(usize::from(view.payload_end) + usize::from(view.padding), bytes.len());
    let descriptor = view.extension(bytes, 1).map(<[u8]>::to_vec);
    let start = usize::from(view.header_len);
    crate::codec::tests::read_everything(&mut bytes[start..], descriptor.as_deref());
    if let Ok(length) = restore(bytes, &view, 96, 1) {
        assert!(length < bytes.len());
    }
}

#[test]
fn two_hundred_thousand_broken_inputs_cause_no_panic() {
    let mut random = Random(20_260_101);
    let mut seeds = crate::rtcp::tests::valid_compounds();
    let long = [5; 40];
    seeds.push(packet(&[(1, &[1, 2, 3]), (2, &[4])], &[0x90, 0xe0, 0x81, 2, 3, 0x20, 0, 1, 2]));
    seeds.push(packet(&[(1, &long), (20, b"")], &[0x78, 3, 0x67, 1, 2, 3, 0x65, 0x88, 1]));
    seeds.push(packet(&[(3, b"a")], &[0x18, 0x0a, 0x0b, 0, 0, 1]));
    let mut bytes = Vec::with_capacity(2_048);
    for round in 0..200_000 {
        bytes.clear();
        if round % 4 == 0 {
            let length = random.below(64);
            bytes.extend((0..length).map(|_| random.byte()));
            if let Some(first) = bytes.first_mut() {
                *first = 0x80 | *first & 0x3f;
            }
        } else {
            bytes.extend_from_slice(&seeds[random.below(seeds.len())]);
            random.mutate(&mut bytes);
        }
        read_everything(&mut bytes);
    }
}
