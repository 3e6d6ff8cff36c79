//! Tests of descriptors, written by a writer of its own after the specification's tables.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]

use super::*;
use crate::test_util::scalable::{Described, L1T3, L2T1, Scalability};

fn key(structure: &Scalability, number: u16) -> Vec<u8> {
    let template = structure.first[0];
    structure.describe(Described { start: true, end: true, template, number, key: true })
}

fn delta(structure: &Scalability, template: u8, number: u16) -> Vec<u8> {
    structure.describe(Described { start: true, end: false, template, number, key: false })
}

fn read(reader: &mut Reader, value: &[u8]) -> Option<Frame> {
    reader.read(7, value)
}

fn reader(structure: &Scalability) -> Reader {
    let mut reader = Reader::default();
    read(&mut reader, &key(structure, 0)).expect("a key frame");
    reader
}

#[test]
fn a_keyframe_carries_the_structure_and_later_packets_name_their_template() {
    let mut reader = reader(&L1T3);
    let structure = reader.structure().unwrap();
    assert_eq!(structure.top(), Layer { spatial: 0, temporal: 2 });
    assert_eq!(structure.resolution(0), Some((1280, 720)));
    let frame = read(&mut reader, &delta(&L1T3, 2, 0xfffe)).unwrap();
    assert!(frame.start && !frame.end && !frame.key);
    assert_eq!((frame.number, frame.layer), (0xfffe, Layer { spatial: 0, temporal: 1 }));
    use Indication::{Absent, Discardable, Switch};
    assert_eq!([0, 1, 2].map(|target| frame.indication(target)), [Absent, Discardable, Switch]);
    assert_eq!((frame.needs, frame.chain(0)), (0b10, Some(2)));
}

#[test]
fn a_decode_target_is_found_by_the_layers_that_are_wanted() {
    let layers = |reader: &Reader, spatial, temporal| {
        let structure = reader.structure().unwrap();
        structure.layer(structure.target(Layer { spatial, temporal }))
    };
    let smooth = reader(&L1T3);
    assert_eq!(layers(&smooth, 0, 1), Layer { spatial: 0, temporal: 1 });
    assert_eq!(layers(&smooth, 9, 9), Layer { spatial: 0, temporal: 2 });
    let sharp = reader(&L2T1);
    assert_eq!(layers(&sharp, 0, 9), Layer { spatial: 0, temporal: 0 });
    assert_eq!(layers(&sharp, 1, 0), Layer { spatial: 1, temporal: 0 });
    let structure = sharp.structure().unwrap();
    assert_eq!((structure.chain(0), structure.chain(1)), (Some(0), Some(1)));
    assert_eq!((structure.resolution(0), structure.resolution(2)), (Some((640, 360)), None));
}

#[test]
fn a_frame_may_differ_from_its_template() {
    let mut reader = reader(&L1T3);
    // Start, template 1, number 7; own indications, needs and chains.
    let bits = concat!(
        "10",
        "000001",
        "0000000000000111",
        "00111",
        "000111", // - D R
        "01",
        "0001",
        "10",
        "01000001",
        "00", // needs 2 and 66 back
        "00001010",
        "0000"
    );
    let frame = read(&mut reader, &packed(bits)).unwrap();
    use Indication::{Absent, Discardable, Required};
    assert_eq!([0, 1, 2].map(|target| frame.indication(target)), [Absent, Discardable, Required]);
    assert_eq!((frame.needs, frame.needs_older, frame.chain(0)), (0b10, true, Some(10)));
}

fn packed(bits: &str) -> Vec<u8> {
    let bits: Vec<u8> = bits.bytes().map(|bit| bit - b'0').collect();
    let byte = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | bit) << (8 - bits.len());
    bits.chunks(8).map(byte).collect()
}

#[test]
fn without_a_structure_or_with_an_unknown_template_nothing_is_known() {
    assert_eq!(read(&mut Reader::default(), &delta(&L1T3, 1, 5)), None);
    let mut reader = reader(&L1T3);
    assert_eq!(read(&mut reader, &delta(&L1T3, 5, 5)), None, "there are five templates");
    assert!(read(&mut reader, &delta(&L1T3, 4, 5)).is_some());
}

#[test]
fn an_old_keyframe_that_comes_again_does_not_bring_its_structure_back() {
    let mut reader = Reader::default();
    assert!(reader.read(10, &key(&L2T1, 1)).is_some());
    assert!(reader.read(90, &key(&L1T3, 50)).is_some());
    assert_eq!(reader.read(10, &key(&L2T1, 1)), None);
    assert!(reader.read(91, &delta(&L1T3, 4, 51)).is_some());
}

#[test]
fn a_structure_that_ends_early_does_not_replace_the_one_before() {
    let mut reader = reader(&L1T3);
    let whole = key(&L2T1, 9);
    for len in 0..whole.len() {
        let cut = read(&mut reader, &whole[..len]);
        let before = reader.structure().unwrap().top() == Layer { spatial: 0, temporal: 2 };
        assert!(before, "{len} bytes: {cut:?}");
    }
    assert!(read(&mut reader, &whole).is_some_and(|frame| frame.key));
    assert_eq!(reader.structure().unwrap().top(), Layer { spatial: 1, temporal: 0 });
}

#[test]
fn more_layers_or_templates_than_there_can_be_are_refused() {
    let mut reader = Reader::default();
    for step in ["00", "01", "10"] {
        let bits = format!("11{}{}100000000000000{}", "000000", "0".repeat(16), step.repeat(80));
        assert_eq!(read(&mut reader, &packed(&bits)), None);
        assert!(reader.structure().is_none());
    }
}

#[test]
fn any_bytes_are_read_or_refused() {
    let mut reader = reader(&L2T1);
    let mut random = 1u32;
    for _ in 0..20_000 {
        let mut bytes = key(&L2T1, 1);
        for _ in 0..3 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = usize::try_from(random >> 16).unwrap() % bytes.len();
            bytes[at] ^= u8::try_from(random >> 8 & 0xff).unwrap();
        }
        let _ = read(&mut reader, &bytes);
    }
}
