//! Tests of the search: every spelling, every place, every way to cut the bytes.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::*;

const CANARY: &str = "canary-ÄÖ? ~7f3a>>zz";

fn encodings(hits: &[Hit]) -> Vec<Encoding> {
    let mut all: Vec<_> = hits.iter().map(|hit| hit.encoding).collect();
    all.sort();
    all.dedup();
    all
}

#[test]
fn a_canary_is_found_in_every_spelling() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let utf16 = |order: fn(u16) -> [u8; 2]| CANARY.encode_utf16().flat_map(order).collect();
    let hex: String = CANARY.bytes().map(|b| format!("{b:02x}")).collect();
    let spelled: [(Encoding, Vec<u8>); 9] = [
        (Encoding::Utf8, CANARY.into()),
        (Encoding::Utf16Le, utf16(u16::to_le_bytes)),
        (Encoding::Utf16Be, utf16(u16::to_be_bytes)),
        (Encoding::Hex, hex.to_uppercase().into()),
        (Encoding::Hex, hex.into()),
        (Encoding::Percent, "canary-%C3%84%C3%96%3F%20~7f3a%3E%3Ezz".into()),
        (Encoding::Percent, "canary-%c3%84%c3%96%3f%20~7f3a%3e%3ezz".into()),
        (Encoding::Percent, "canary-%C3%84%C3%96%3F+%7E7f3a%3E%3Ezz".into()),
        (Encoding::Base64 { alignment: 0 }, STANDARD.encode(CANARY).into()),
    ];
    for (encoding, bytes) in spelled {
        let text = [b"before ", bytes.as_slice(), b" after"].concat();
        let hits = needles.search(&text);
        assert_eq!(hits, [Hit { needle: 0, encoding, offset: 7 }], "{encoding:?}");
    }
}

#[test]
fn a_canary_inside_base64_is_found_whatever_stands_around_it() {
    let needles = Needles::new(&[CANARY]).unwrap();
    for before in 0..9_u8 {
        for after in 0..4_u8 {
            let mut inside: Vec<u8> = (0..before).map(|i| 0xff - i).collect();
            inside.extend_from_slice(CANARY.as_bytes());
            inside.extend((0..after).map(|i| 0xfc - i));
            for text in [STANDARD.encode(&inside), URL_SAFE.encode(&inside)] {
                let expected = [Encoding::Base64 { alignment: before % 3 }];
                assert_eq!(encodings(&needles.search(text.as_bytes())), expected);
            }
        }
    }
}

#[test]
fn a_canary_with_the_escapes_of_json_is_found() {
    let canary = "sie sagt \"Grüße 😀\"\n";
    let needles = Needles::new(&[canary]).unwrap();
    let everything: String = canary.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    // Short escapes exist for these two, and writers use them.
    let everything = everything.replace("\\u0022", "\\\"").replace("\\u000A", "\\n");
    for written in [
        serde_json::to_string(canary).unwrap(),
        r#""sie sagt \"Gr\u00fc\u00dfe \ud83d\ude00\"\n""#.to_owned(),
        r#""sie sagt \"Gr\u00FC\u00DFe \uD83D\uDE00\"\n""#.to_owned(),
        format!("\"{everything}\""),
    ] {
        let hits = needles.search(written.as_bytes());
        assert_eq!(hits, [Hit { needle: 0, encoding: Encoding::Json, offset: 1 }], "{written}");
    }
}

#[test]
fn a_canary_of_random_bytes_is_a_needle() {
    let planted = [Canary::from_bytes([7; 18]), Canary::from_bytes([9; 18])];
    let text: &str = planted[1].borrow();
    assert_eq!(text.len(), 24);
    let needles = Needles::new(&planted).unwrap();
    let hits = needles.search(text.as_bytes());
    assert_eq!(hits, [Hit { needle: 1, encoding: Encoding::Utf8, offset: 0 }]);
}

#[test]
fn other_bytes_are_not_found() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let noise: Vec<u8> =
        (0..100_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(needles.search(&noise), []);
    assert_eq!(needles.search(&CANARY.as_bytes()[1..]), []);
    assert_eq!(Needles::new::<&str>(&[]).unwrap().search(&noise), []);
}

#[test]
fn cutting_the_bytes_anywhere_finds_the_same() {
    let needles = Needles::new(&[CANARY, "second needle", "needle needle"]).unwrap();
    let text = format!(
        "{CANARY}{CANARY}--second needle needle--{}{}",
        STANDARD.encode(CANARY),
        "second needle".bytes().map(|b| format!("{b:02X}")).collect::<String>()
    );
    let whole = {
        let mut hits = needles.search(text.as_bytes());
        hits.sort();
        hits
    };
    assert_eq!(whole.len(), 6);
    for size in 1..=text.len() {
        let mut scanner = needles.scanner();
        let mut hits: Vec<Hit> = Vec::new();
        for chunk in text.as_bytes().chunks(size) {
            hits.extend(scanner.feed(chunk));
        }
        hits.sort();
        assert_eq!(hits, whole, "chunks of {size}");
    }
}

#[test]
fn an_offset_counts_from_the_first_byte_ever_fed() {
    let needles = Needles::new(&["canary-0001"]).unwrap();
    let mut scanner = needles.scanner();
    for _ in 0..1_000 {
        assert_eq!(scanner.feed(&[b'x'; 999]), []);
    }
    assert_eq!(scanner.feed(b"xcana"), []);
    assert_eq!(scanner.feed(b"ry-00"), []);
    let hits = scanner.feed(b"01");
    assert_eq!(hits, [Hit { needle: 0, encoding: Encoding::Utf8, offset: 999_001 }]);
}

#[test]
fn a_scanner_remembers_less_than_one_needle() {
    let needles = Needles::new(&[CANARY]).unwrap();
    let mut scanner = needles.scanner();
    for size in [1, 7, 100_000, 3, 0, 50] {
        let _hits = scanner.feed(&vec![b'x'; size]);
        assert!(scanner.tail.len() < needles.longest);
    }
}

#[test]
fn needles_that_chance_could_write_are_refused() {
    assert_eq!(
        Needles::new(&["long enough", "short"]).unwrap_err(),
        NeedleError::TooShort { index: 1 }
    );
    assert_eq!(Needles::new(&["x".repeat(1_025)]).unwrap_err(), NeedleError::TooLong { index: 0 });
}
