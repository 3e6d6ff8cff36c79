//! Tests of the codecs.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]

use super::numbers::{Descriptor, PictureId, Rewriter};
use super::*;

const ALL: [Codec; 5] = [
    Codec::Opus,
    Codec::Vp8,
    Codec::Vp9 { profile: 0 },
    Codec::H264 { profile: 0x42e0, mode: 1 },
    Codec::Av1 { profile: 0 },
];

/// Describes a payload as every codec, and rewrites it.
pub(crate) fn read_everything(payload: &mut [u8], dependency_descriptor: Option<&[u8]>) {
    for codec in ALL {
        let picture = codec.describe(payload);
        let _ = dependency_descriptor.map(|value| dependency::Reader::default().read(1, value));
        if let Some(descriptor) = picture.numbers {
            Rewriter::new().rewrite(&descriptor, payload);
            assert_eq!(codec.describe(payload), picture);
        }
    }
}

fn flags(codec: Codec, payload: &[u8]) -> (bool, bool, Option<bool>) {
    let picture = codec.describe(payload);
    (picture.keyframe, picture.start, picture.end)
}

#[test]
fn an_empty_payload_is_no_keyframe() {
    for codec in &ALL[1..] {
        assert_eq!(codec.describe(&[]), Picture::default());
    }
}

#[test]
fn every_opus_packet_stands_for_itself() {
    assert_eq!(flags(Codec::Opus, &[1]), (true, true, Some(true)));
}

#[test]
fn a_vp8_keyframe_starts_partition_zero_with_the_inverse_bit_clear() {
    let vp8 = |payload: &[u8]| flags(Codec::Vp8, payload);
    assert_eq!(vp8(&[0x10, 0x00]), (true, true, None));
    assert_eq!(vp8(&[0x10, 0x01]), (false, true, None));
    assert_eq!(vp8(&[0x00, 0x00]), (false, false, None));
    assert_eq!(vp8(&[0x11, 0x00]), (false, false, None));
    // X, I (15 bits), L, T.
    assert_eq!(vp8(&[0x90, 0xe0, 0x92, 0x34, 5, 0x40, 0x00]), (true, true, None));
    for length in 0..7 {
        assert_eq!(vp8(&[0x90, 0xe0, 0x92, 0x34, 5, 0x40, 0x00][..length]), (false, false, None));
    }
}

#[test]
fn a_vp8_descriptor_gives_its_numbers() {
    let read = |payload: &[u8]| {
        let picture = Codec::Vp8.describe(payload);
        let numbers = picture.numbers.unwrap();
        let ids = (numbers.picture_id, numbers.tl0, numbers.key_index);
        (ids, picture.temporal, picture.switch)
    };
    let long = read(&[0x90, 0xe0, 0x92, 0x34, 5, 0x40, 0]);
    assert_eq!(long, ((Some(PictureId::Long(0x1234)), Some(5), None), Some(1), None));
    let short = read(&[0x90, 0x80, 0x12, 0]);
    assert_eq!(short, ((Some(PictureId::Short(0x12)), None, None), None, None));
    let key_index = read(&[0x90, 0x10, 0xff, 0]);
    assert_eq!(key_index, ((None, None, Some(31)), None, None));
    let sync = read(&[0x90, 0x30, 0b0110_0011, 0]);
    assert_eq!(sync, ((None, None, Some(3)), Some(1), Some(Switch::Here)));
}

#[test]
fn a_vp9_keyframe_starts_unpredicted_in_spatial_layer_zero() {
    let vp9 = |payload: &[u8]| flags(Codec::Vp9 { profile: 0 }, payload);
    // I P L F B E V Z.
    assert_eq!(vp9(&[0b0000_1000]), (true, true, Some(false)));
    assert_eq!(vp9(&[0b0100_1100]), (false, true, Some(true)));
    assert_eq!(vp9(&[0b0000_0100]), (false, false, Some(true)));
    assert_eq!(vp9(&[0b1010_1000, 0x81, 2, 0x20, 0]), (true, true, Some(false)));
    assert_eq!(vp9(&[0b1010_1000, 0x11, 0x22, 0]), (false, true, Some(false)));
    assert_eq!(vp9(&[0b1011_1000, 0x11, 0x20]), (true, true, Some(false)));
    assert_eq!(vp9(&[0b1010_1000, 0x81, 2]), (false, false, None));
    let picture = Codec::Vp9 { profile: 0 }.describe(&[0b1010_1000, 0x11, 0x52, 9]);
    assert_eq!((picture.temporal, picture.spatial), (Some(2), Some(1)));
    assert_eq!((picture.switch, picture.alone), (Some(Switch::Behind), true));
    let numbers = picture.numbers.unwrap();
    assert_eq!((numbers.picture_id, numbers.tl0), (Some(PictureId::Short(0x11)), Some(9)));
}

#[test]
fn an_h264_keyframe_starts_with_parameters_or_an_idr_slice() {
    let h264 = |payload: &[u8]| flags(Codec::H264 { profile: 0x42e0, mode: 1 }, payload);
    assert_eq!(h264(&[0x67, 0x42]), (true, true, None));
    assert_eq!(h264(&[0x65, 0x88]), (true, true, None));
    assert_eq!(h264(&[0x65, 0x08]), (false, false, None));
    assert_eq!(h264(&[0x41, 0x9a]), (false, true, None));
    assert_eq!(h264(&[0x41, 0x1a]), (false, false, None));
    // STAP-A with parameter sets.
    assert_eq!(h264(&[0x78, 0, 2, 0x67, 0x42, 0, 1, 0x68]), (true, true, None));
    assert_eq!(h264(&[0x78, 0, 2, 0x41, 0x9a]), (false, true, None));
    assert_eq!(h264(&[0x78, 0, 9, 0x67, 0x42]), (false, false, None));
    // FU-A: first, middle and last fragment.
    assert_eq!(h264(&[0x7c, 0x85, 0x88]), (true, true, None));
    assert_eq!(h264(&[0x7c, 0x05, 0x88]), (false, false, None));
    assert_eq!(h264(&[0x7c, 0x45, 0x88]), (false, false, None));
    assert_eq!(h264(&[0x5c, 0x81, 0x9a]), (false, true, None));
}

#[test]
fn an_av1_keyframe_starts_a_coded_video_sequence() {
    let av1 = |payload: &[u8]| flags(Codec::Av1 { profile: 0 }, payload);
    // Z Y W W N: new sequence.
    assert_eq!(av1(&[0x08, 2, 0x30, 0]), (true, true, None));
    // A sequence header as one of two units, then as the last.
    assert_eq!(av1(&[0x20, 2, 0x0a, 0, 0x30, 0]), (true, true, None));
    assert_eq!(av1(&[0x20, 1, 0x12, 0x0a, 0x0b]), (true, true, None));
    assert_eq!(av1(&[0x00, 1, 0x12, 1, 0x0a]), (true, true, None));
    // A frame; a continued unit.
    assert_eq!(av1(&[0x10, 0x32, 0]), (false, false, None));
    assert_eq!(av1(&[0x98, 0x0a, 0]), (false, false, None));
    assert_eq!(av1(&[0x00, 0xff, 0xff, 0xff, 0xff, 0xff]), (false, false, None));
}

#[test]
fn a_dependency_descriptor_tells_where_pictures_start_and_end_whatever_the_payload() {
    let frame = |start, end, key| {
        let mut frame = dependency::Frame::default();
        (frame.start, frame.end, frame.key) = (start, end, key);
        frame
    };
    let with = |payload: &[u8], frame| {
        let picture = Codec::Av1 { profile: 0 }.describe(payload).with(Some(frame));
        (picture.keyframe, picture.start, picture.end)
    };
    assert_eq!(with(&[0x18, 0x0a], frame(true, false, false)), (false, true, Some(false)));
    assert_eq!(with(&[0x18, 0x0a], frame(false, true, false)), (false, false, Some(true)));
    assert_eq!(with(&[0x31, 0x99], frame(true, true, true)), (true, true, Some(true)));
}

/// Payload of one packet of a picture with 15-bit id.
fn packet(id: u16, tl0: u8, temporal: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0x90, 0xe0, high | 0x80, low, tl0, temporal << 6, 1, 2, 3]
}

/// What the subscriber gets: id and index, or `None` where the packet must not be sent.
fn sent(rewriter: &mut Rewriter, mut payload: Vec<u8>) -> Option<(u16, u8)> {
    let read = |payload: &[u8]| -> Descriptor { Codec::Vp8.describe(payload).numbers.unwrap() };
    let descriptor = read(&payload);
    let goes = rewriter.rewrite(&descriptor, &mut payload);
    let after = read(&payload);
    assert_eq!(&payload[payload.len() - 3..], [1, 2, 3]);
    goes.then(|| (after.picture_id.unwrap().value(), after.tl0.unwrap_or_default()))
}

#[test]
fn the_first_layer_keeps_its_ids_over_the_wrap() {
    let mut rewriter = Rewriter::new();
    assert_eq!(sent(&mut rewriter, packet(0x7fff, 255, 0)), Some((0x7fff, 255)));
    assert_eq!(sent(&mut rewriter, packet(0x7fff, 255, 0)), Some((0x7fff, 255)));
    assert_eq!(sent(&mut rewriter, packet(0, 0, 0)), Some((0, 0)));
}

#[test]
fn pictures_lost_on_the_way_keep_their_place() {
    let mut rewriter = Rewriter::new();
    assert_eq!(sent(&mut rewriter, packet(10, 1, 0)), Some((10, 1)));
    assert_eq!(sent(&mut rewriter, packet(14, 4, 0)), Some((14, 4)));
    // Late ones: of a picture in between, and from before the first.
    assert_eq!(sent(&mut rewriter, packet(12, 2, 0)), Some((12, 2)));
    assert_eq!(sent(&mut rewriter, packet(10, 1, 0)), Some((10, 1)));
    assert_eq!(sent(&mut rewriter, packet(9, 1, 0)), None);
}

#[test]
fn another_layer_goes_on_where_the_last_one_stopped() {
    let mut rewriter = Rewriter::new();
    assert_eq!(sent(&mut rewriter, packet(100, 9, 0)), Some((100, 9)));
    rewriter.switch();
    assert_eq!(sent(&mut rewriter, packet(7_000, 200, 0)), Some((101, 10)));
    assert_eq!(sent(&mut rewriter, packet(7_001, 201, 0)), Some((102, 11)));
    assert_eq!(sent(&mut rewriter, packet(6_999, 199, 0)), None);
    rewriter.switch();
    assert_eq!(sent(&mut rewriter, packet(3, 1, 0)), Some((103, 12)));
    assert_eq!(sent(&mut rewriter, packet(4, 2, 0)), Some((104, 13)));
}

#[test]
fn ids_of_seven_bits_wrap_at_127() {
    let mut rewriter = Rewriter::new();
    let short = |id: u8| vec![0x90, 0x80, id, 1, 2, 3];
    assert_eq!(sent(&mut rewriter, short(126)), Some((126, 0)));
    assert_eq!(sent(&mut rewriter, short(127)), Some((127, 0)));
    assert_eq!(sent(&mut rewriter, short(0)), Some((0, 0)));
    // Wider ids go on, cut to what both can say.
    assert_eq!(sent(&mut rewriter, packet(500, 3, 0)), Some((1, 1)));
}

#[test]
fn pictures_that_are_left_out_of_vp8_leave_no_hole_and_those_of_vp9_do() {
    let vp8 = packet(20, 7, 0);
    let descriptor = Codec::Vp8.describe(&vp8).numbers.unwrap();
    let mut rewriter = Rewriter::new();
    assert_eq!(rewriter.forward(&descriptor, 0).map(|numbers| numbers.picture_id), Some(20));
    let later = Codec::Vp8.describe(&packet(23, 8, 0)).numbers.unwrap();
    assert_eq!(rewriter.forward(&later, 2).map(|numbers| numbers.picture_id), Some(21));
    let vp9 = |id| Codec::Vp9 { profile: 0 }.describe(&[0x88, id, 1]).numbers.unwrap();
    let mut rewriter = Rewriter::new();
    assert_eq!(rewriter.forward(&vp9(20), 0).map(|numbers| numbers.picture_id), Some(20));
    assert_eq!(rewriter.forward(&vp9(23), 2).map(|numbers| numbers.picture_id), Some(23));
    rewriter.switch();
    assert_eq!(rewriter.forward(&vp9(99), 0).map(|numbers| numbers.picture_id), Some(24));
}

#[test]
fn a_keyframe_index_of_five_bits_goes_on_over_a_switch() {
    let packet = |index: u8| vec![0x90, 0x90, 0x05, 0x60 | index, 0, 1];
    let mut rewriter = Rewriter::new();
    let mut sent = |index: u8, switch| {
        if switch {
            rewriter.switch();
        }
        let mut payload = packet(index);
        let descriptor = Codec::Vp8.describe(&payload).numbers.unwrap();
        assert!(rewriter.rewrite(&descriptor, &mut payload));
        assert_eq!(payload[3] & 0xe0, 0x60, "the other bits stay");
        payload[3] & 0x1f
    };
    assert_eq!((sent(31, false), sent(12, true), sent(13, false)), (31, 0, 1));
}

#[test]
fn a_packet_without_ids_is_left_as_it_is() {
    let mut rewriter = Rewriter::new();
    let mut payload = vec![0x10, 1, 2, 3];
    let descriptor = Codec::Vp8.describe(&payload).numbers.unwrap();
    assert!(rewriter.rewrite(&descriptor, &mut payload));
    assert_eq!(payload, [0x10, 1, 2, 3]);
}

#[test]
fn however_often_layers_switch_the_subscriber_sees_every_id_once_in_order() {
    for seed in 0..200 {
        let mut random = crate::rtp::random::Random(seed);
        let mut rewriter = Rewriter::new();
        let (mut id, mut tl0) = (random.short() & 0x7fff, random.byte());
        let mut last: Option<(u16, u8)> = None;
        for _ in 0..500 {
            let base = random.chance(50);
            id = (id + 1) & 0x7fff;
            tl0 = tl0.wrapping_add(base.into());
            let temporal = u8::from(!base);
            if random.chance(5) {
                rewriter.switch();
                (id, tl0) = (random.short() & 0x7fff, random.byte());
            }
            let got = sent(&mut rewriter, packet(id, tl0, temporal)).unwrap();
            if let Some((before, _)) = last {
                assert_eq!(got.0, (before + 1) & 0x7fff, "seed {seed}");
            }
            last = Some(got);
        }
    }
}
