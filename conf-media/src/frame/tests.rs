//! What is packed comes out again; the payloads are those that another implementation makes and
//! reads. The way through a shard is in `tests/frames.rs`.
#![allow(clippy::cast_possible_truncation, reason = "small numbers, in tests")]

use rtp::packetizer::{Depacketizer, Payloader};

use super::unpack::MAX_FRAME;
use super::*;
use crate::dtls::client::Random;

const VP9: Codec = Codec::Vp9 { profile: 0 };
const H264: Codec = Codec::H264 { profile: 0x42E0, mode: 1 };
const AV1: Codec = Codec::Av1 { profile: 0 };

fn noise(random: &mut Random, len: usize) -> Vec<u8> {
    // Never zero, so that no start code arises.
    (0..len).map(|_| (random.next() % 255) as u8 + 1).collect()
}

/// A picture in the form of its codec.
fn frame(codec: Codec, random: &mut Random, len: usize) -> Vec<u8> {
    match codec {
        H264 => {
            let mut stream = Vec::new();
            for (kind, len) in [(7, 12), (8, 5), (5, len)] {
                stream.extend([0, 0, 0, 1, 0x60 | kind]);
                stream.extend(noise(random, len));
            }
            stream
        }
        AV1 => {
            let mut unit = Vec::new();
            for (kind, len) in [(1, 11), (6, len)] {
                unit.push(kind << 3 | 2);
                unpack::write_leb128(&mut unit, len);
                unit.extend(noise(random, len));
            }
            unit
        }
        _ => {
            let mut frame = noise(random, len);
            frame[0] &= 0xFE; // a keyframe of VP8
            frame
        }
    }
}

fn unpacked(codec: Codec, payloads: &[Vec<u8>]) -> Result<Vec<u8>, Torn> {
    let mut unpacker = Unpacker::new(codec);
    for payload in payloads {
        unpacker.push(payload)?;
    }
    unpacker.finish()
}

#[test]
fn a_frame_of_any_size_and_codec_comes_out_as_it_went_in() {
    let mut random = Random(0x5EED_0010);
    for codec in [Codec::Vp8, VP9, H264, AV1] {
        for len in [1, 2, 100, 1_149, 1_150, 1_151, 2_300, 50_000] {
            let frame = frame(codec, &mut random, len);
            let payloads = pack(codec, &frame, true, 7);
            assert!(payloads.iter().all(|it| it.len() <= pack::MAX_PAYLOAD), "{codec:?} {len}");
            assert_eq!(unpacked(codec, &payloads), Ok(frame), "{codec:?} {len}");
            let first = codec.describe(&payloads[0]);
            assert!(first.keyframe && first.start, "{codec:?} {len}");
        }
    }
    assert_eq!(unpacked(Codec::Opus, &pack(Codec::Opus, &[1, 2], true, 0)), Ok(vec![1, 2]));
}

#[test]
fn another_implementation_reads_what_we_pack() {
    let mut random = Random(0x5EED_0011);
    for len in [100, 5_000] {
        let data = frame(Codec::Vp8, &mut random, len);
        let mut vp8 = rtp::codecs::vp8::Vp8Packet::default();
        let read = |it: &mut dyn Depacketizer, payload: Vec<u8>| it.depacketize(&payload.into());
        let whole = pack(Codec::Vp8, &data, true, 300).into_iter();
        let read_all: Vec<u8> =
            whole.flat_map(|payload| read(&mut vp8, payload).unwrap()).collect();
        assert_eq!((read_all, vp8.picture_id), (data, 300));

        let data = frame(VP9, &mut random, len);
        let mut vp9 = rtp::codecs::vp9::Vp9Packet::default();
        let whole = pack(VP9, &data, false, 300).into_iter();
        let read_all: Vec<u8> =
            whole.flat_map(|payload| read(&mut vp9, payload).unwrap()).collect();
        assert_eq!((read_all, vp9.picture_id, vp9.p, vp9.e), (data, 300, true, true));

        let data = frame(H264, &mut random, len);
        let mut h264 = rtp::codecs::h264::H264Packet::default();
        let whole = pack(H264, &data, true, 0).into_iter();
        let read_all: Vec<u8> =
            whole.flat_map(|payload| read(&mut h264, payload).unwrap()).collect();
        assert_eq!(read_all, data);
    }
}

#[test]
fn we_read_what_another_implementation_packs() {
    let mut random = Random(0x5EED_0012);
    for len in [100, 5_000] {
        for codec in [Codec::Vp8, VP9, H264, AV1] {
            let mut payloader: Box<dyn Payloader> = match codec {
                Codec::Vp8 => Box::new(rtp::codecs::vp8::Vp8Payloader::default()),
                VP9 => Box::new(rtp::codecs::vp9::Vp9Payloader::default()),
                H264 => Box::new(rtp::codecs::h264::H264Payloader::default()),
                _ => Box::new(rtp::codecs::av1::Av1Payloader {}),
            };
            let data = frame(codec, &mut random, len);
            let payloads = payloader.payload(1_100, &data.clone().into()).unwrap();
            let payloads: Vec<_> = payloads.iter().map(|payload| payload.to_vec()).collect();
            assert_eq!(unpacked(codec, &payloads), Ok(data), "{codec:?} {len}");
        }
    }
}

#[test]
fn vp9_with_layers_references_and_a_structure_is_read_to_its_data() {
    let flexible = [0b1011_1010, 0x81, 0x02, 0x40, 0x28, 0, 0, 0, 9, 0, 1, 0, 0b100, 1, 77];
    // I, L, F, B, V: id of 15 bits, layers of one byte; V: two layers' sizes would be 8 bytes.
    let with_structure =
        [&[0b1011_1010, 0x81, 0x02, 0x40, 0b0001_1000][..], &[0, 9, 0, 9, 1, 0b0100, 5, 77]]
            .concat();
    assert_eq!(unpacked(VP9, &[with_structure]), Ok(vec![77]));
    let references = vec![0b1101_1000, 0x05, 0x03, 0x02, 77];
    assert_eq!(unpacked(VP9, &[references]), Ok(vec![77]));
    let endless = vec![0b0101_0000, 0x03, 0x03, 0x03, 0x03, 77];
    assert_eq!(unpacked(VP9, &[endless]), Err(Torn), "three references at most");
    let _torn = unpacked(VP9, &[flexible.to_vec()]);
}

#[test]
fn torn_payloads_are_refused_and_nothing_panics() {
    let mut random = Random(0x5EED_0013);
    for codec in [Codec::Opus, Codec::Vp8, VP9, H264, AV1] {
        for _ in 0..20_000 {
            let mut unpacker = Unpacker::new(codec);
            for _ in 0..3 {
                let len = random.below(12);
                let payload: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
                if unpacker.push(&payload).is_err() {
                    break;
                }
            }
            let _whatever = unpacker.finish();
            let len = random.below(40);
            let bytes: Vec<u8> = (0..len).map(|_| (random.next() % 4) as u8).collect();
            let _whatever = pack(codec, &bytes, false, 1);
        }
    }
    let mut unpacker = Unpacker::new(Codec::Vp8);
    let payload = [&[0x90, 0x80, 1][..], &[7; 1_400]].concat();
    let pushed = (0..).take_while(|_| unpacker.push(&payload).is_ok()).count();
    assert_eq!(pushed, (MAX_FRAME - 1_403) / 1_400 + 1, "a frame has a largest size");
}
