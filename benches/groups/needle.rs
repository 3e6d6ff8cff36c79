//! Group `needle`: how fast files are searched for planted canaries.

use std::hint::black_box;
use std::rc::Rc;

use conf_privacy::needle::{Canary, Needles};

use crate::Case;
use crate::Work::Bytes;

const BYTES: usize = 4 << 20;

/// Pseudorandom bytes, the same each time.
struct Random(u64);

impl Random {
    fn byte(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0.to_be_bytes()[0]
    }
}

/// Half pages of text, half noise, as in a database.
fn haystack() -> Vec<u8> {
    let mut random = Random(1);
    let byte = |at: usize| match at / 4_096 % 2 {
        0 => b'a' + random.byte() % 26,
        _ => random.byte(),
    };
    (0..BYTES).map(byte).collect()
}

fn needles(count: usize) -> Needles {
    let mut random = Random(2);
    let canary = |_| Canary::from_bytes(std::array::from_fn(|_| random.byte()));
    let canaries: Vec<_> = (0..count).map(canary).collect();
    Needles::new(&canaries).expect("canaries are needles")
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for count in [1, 64] {
        let both = move || (Rc::new(haystack()), needles(count));
        let work = Bytes(BYTES as u64);
        cases.push(Case::timed(format!("plain/needles={count}"), work, move || {
            let (haystack, needles) = both();
            move || drop(black_box(needles.search(&haystack)))
        }));
        cases.push(Case::timed(format!("packed/needles={count}"), work, move || {
            let (haystack, needles) = both();
            move || drop(black_box(needles.search_packed(&haystack)))
        }));
    }
    cases
}
