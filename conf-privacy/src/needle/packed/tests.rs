//! Tests of the search in compressed bytes: every format, nested, cut off, and bombs.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::*;
use crate::needle::Encoding;

const CANARY: &str = "canary-ÄÖ? ~7f3a>>zz";

fn text() -> Vec<u8> {
    // Few letters in no order: what cannot be repeated is coded bit by bit.
    let letter = |i: u32| char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 29) as u8);
    let letters: String = (0..6_000).map(letter).collect();
    let (before, after) = letters.split_at(3_000);
    format!("{before}{CANARY}{after}").into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn zip(bytes: &[u8]) -> Vec<u8> {
    let mut file = b"PK\x03\x04\x14\x00\x00\x00\x08\x00".to_vec();
    file.extend([0; 16]);
    file.extend([5, 0, 0, 0]);
    file.extend(b"a.txt");
    file.extend(deflate(bytes));
    file
}

fn encodings(packed: &Packed) -> Vec<Encoding> {
    packed.hits.iter().map(|hit| hit.encoding).collect()
}

#[test]
fn a_canary_is_found_in_every_compressed_form() {
    let needles = Needles::new(&[CANARY]).unwrap();
    for (name, packed) in [
        ("gzip", gzip(&text())),
        ("zlib", zlib(&text())),
        ("zstd", zstd(&text())),
        ("zip", zip(&text())),
    ] {
        // This encoder of zstd leaves texts without repetition as they are.
        assert!(name == "zstd" || needles.search(&packed).is_empty(), "{name} hides it");
        let file = [&b"\x00other bytes before it "[..], &packed, b"and after"].concat();
        let found = needles.search_packed(&file);
        let hit = Hit { needle: 0, encoding: Encoding::Utf8, offset: 23 };
        assert_eq!(found.hits, [hit], "{name}");
    }
    assert_eq!(encodings(&needles.search_packed(&deflate(&text()))), [Encoding::Utf8]);
}

#[test]
fn a_canary_is_found_in_another_spelling_two_levels_down() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let wide: Vec<u8> = CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let file = [&b"...."[..], &gzip(&zstd(&[&text()[..2_000], &wide].concat()))].concat();
    let found = needles.search_packed(&file);
    let expected = Hit { needle: 0, encoding: Encoding::Utf16Le, offset: 4 };
    assert!(found.hits.contains(&expected), "{found:?}");
}

#[test]
fn a_part_that_was_cut_off_is_searched_as_far_as_it_goes() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let packed = gzip(&[text(), (0..200_000_u32).flat_map(u32::to_le_bytes).collect()].concat());
    let cut = packed.get(..packed.len() / 2).unwrap();
    assert_eq!(encodings(&needles.search_packed(cut)), [Encoding::Utf8]);
}

#[test]
fn a_bomb_is_counted_and_not_unpacked_to_its_end() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let bomb = gzip(&vec![0; LARGEST + 10]);
    assert!(bomb.len() < 100_000);
    let found = needles.search_packed(&bomb);
    assert_eq!((found.hits.len(), found.unread), (0, 1));
    let deep = gzip(&gzip(&gzip(&gzip(&text()))));
    assert!(needles.search_packed(&deep).unread > 0);
}

#[test]
fn any_bytes_can_be_searched() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let mut state = 7_u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    for packed in [gzip(&text()), zlib(&text()), zstd(&text()), zip(&text())] {
        for _ in 0..200 {
            let mut broken = packed.clone();
            let at = usize::from(byte()) % broken.len();
            broken[at] = byte();
            let length = broken.len() - usize::from(byte()) % broken.len();
            broken.truncate(length);
            let _found = needles.search_packed(&broken);
        }
    }
    let noise: Vec<u8> = (0..300_000).map(|_| byte()).collect();
    assert_eq!(needles.search_packed(&noise).hits, []);
}
