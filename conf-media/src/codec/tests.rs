//! Tests of the codecs.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]

use super::vp8::{Descriptor, PictureId, Rewriter};
use super::*;

const ALL: [Codec; 5] = [
    Codec::Opus,
    Codec::Vp8,
    Codec::Vp9 { profile: 0 },
    Codec::H264 { profile: 0x42e0, mode: 1 },
    Codec::Av1 { profile: 0 },
];

/// Describes a payload as every codec, and rewrites it as VP8.
pub(crate) fn read_everything(payload: &mut [u8], dependency_descriptor: Option<&[u8]>) {
    for codec in ALL {
        let _ = codec.describe(payload, dependency_descriptor);
        let picture = codec.describe(payload, None);
        if let Some(descriptor) = picture.vp8 {
            Rewriter::new().rewrite(&descriptor, payload);
            assert_eq!(Descriptor::read(payload), Some(descriptor));
        }
    }
}

fn flags(codec: Codec, payload: &[u8]) -> (bool, bool, Option<bool>) {
    let picture = codec.describe(payload, None);
    (picture.keyframe, picture.start, picture.end)
}

#[test]
fn an_empty_payload_is_no_keyframe() {
    for codec in &ALL[1..] {
        assert_eq!(codec.describe(&[], None), Picture::default());
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
    let long = Descriptor::read(&[0x90, 0xe0, 0x92, 0x34, 5, 0x40, 0]).unwrap();
    assert_eq!(long.picture_id, Some(PictureId::Long(0x1234)));
    assert_eq!((long.tl0, long.temporal, long.len()), (Some(5), Some(1), 6));
    let short = Descriptor::read(&[0x90, 0x80, 0x12, 0]).unwrap();
    assert_eq!((short.picture_id, short.tl0), (Some(PictureId::Short(0x12)), None));
    let key_index = Descriptor::read(&[0x90, 0x10, 0xff, 0]).unwrap();
    assert_eq!((key_index.temporal, key_index.len()), (None, 3));
}

#[test]
fn a_vp9_keyframe_starts_unpredicted_in_spatial_layer_zero() {
    let vp9 = |payload: &[u8]| flags(Codec::Vp9 { profile: 0 }, payload);
    // I P L F B E V Z.
    assert_eq!(vp9(&[0b0000_1000]), (true, true, Some(false)));
    assert_eq!(vp9(&[0b0100_1100]), (false, true, Some(true)));
    assert_eq!(vp9(&[0b0000_0100]), (false, false, Some(true)));
    assert_eq!(vp9(&[0b1010_1000, 0x81, 2, 0x20]), (true, true, Some(false)));
    assert_eq!(vp9(&[0b1010_1000, 0x11, 0x22]), (false, true, Some(false)));
    assert_eq!(vp9(&[0b1010_1000, 0x81, 2]), (false, false, None));
    let picture = Codec::Vp9 { profile: 0 }.describe(&[0b1010_1000, 0x11, 0x42], None);
    assert_eq!((picture.temporal, picture.spatial), (Some(2), Some(1)));
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
fn a_dependency_descriptor_tells_where_av1_pictures_start_and_end() {
    let av1 = |dd: &[u8]| {
        let picture = Codec::Av1 { profile: 0 }.describe(&[0x18, 0x0a], Some(dd));
        (picture.keyframe, picture.start, picture.end)
    };
    assert_eq!(av1(&[0x80, 0, 1]), (true, true, Some(false)));
    assert_eq!(av1(&[0xc0, 0, 1]), (true, true, Some(true)));
    assert_eq!(av1(&[0x40, 0, 1]), (false, false, Some(true)));
    assert_eq!(av1(&[0x80, 0]), (true, true, None));
}

/// Payload of one packet of a picture with 15-bit id.
fn packet(id: u16, tl0: u8, temporal: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![0x90, 0xe0, high | 0x80, low, tl0, temporal << 6, 1, 2, 3]
}

/// What the subscriber gets: id and index, or `None` where the packet must not be sent.
fn sent(rewriter: &mut Rewriter, mut payload: Vec<u8>) -> Option<(u16, u8)> {
    let descriptor = Descriptor::read(&payload).unwrap();
    let goes = rewriter.rewrite(&descriptor, &mut payload);
    let after = Descriptor::read(&payload).unwrap();
    assert_eq!(&payload[after.len()..], [1, 2, 3]);
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
fn a_packet_without_ids_is_left_as_it_is() {
    let mut rewriter = Rewriter::new();
    let mut payload = vec![0x10, 1, 2, 3];
    let descriptor = Descriptor::read(&payload).unwrap();
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
