//! H.264 payloads (RFC 6184): single units, STAP-A and FU-A, the modes browsers use.

use super::Picture;
use crate::rtp::read;

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Reads the types of the units in one payload.
///
/// A keyframe starts with a sequence parameter set or, without one, with an IDR slice. A picture
/// starts with parameter sets, SEI or a delimiter, or with a slice of macroblock 0. Only the
/// marker bit tells where it ends.
#[must_use]
pub fn describe(payload: &[u8]) -> Picture {
    let mut picture = Picture::default();
    let Some((&indicator, rest)) = payload.split_first() else { return picture };
    match indicator & 0x1f {
        1..=23 => picture.add(payload),
        STAP_A => aggregate(rest, &mut picture),
        FU_A => fragment(rest, &mut picture),
        _ => {}
    }
    picture
}

/// STAP-A: units with their lengths in front (section 5.7.1).
fn aggregate(mut rest: &[u8], picture: &mut Picture) {
    while let Some(length) = read::u16_at(rest, 0) {
        let Some((unit, behind)) =
            rest.get(2..).and_then(|rest| rest.split_at_checked(usize::from(length)))
        else {
            return;
        };
        picture.add(unit);
        rest = behind;
    }
}

/// FU-A: only the first fragment starts anything (section 5.8).
fn fragment(rest: &[u8], picture: &mut Picture) {
    if let Some((&header, slice)) = rest.split_first()
        && header & 0x80 != 0
    {
        picture.add_unit(header & 0x1f, slice);
    }
}

impl Picture {
    fn add(&mut self, unit: &[u8]) {
        if let Some((header, slice)) = unit.split_first() {
            self.add_unit(header & 0x1f, slice);
        }
    }

    /// `slice` is what follows the unit's header.
    fn add_unit(&mut self, kind: u8, slice: &[u8]) {
        // `first_mb_in_slice` is 0 where its Exp-Golomb code starts with a one.
        let first_macroblock = slice.first().is_some_and(|byte| byte & 0x80 != 0);
        match kind {
            SPS => {
                self.keyframe = true;
                self.start = true;
            }
            IDR => {
                self.keyframe |= first_macroblock;
                self.start |= first_macroblock;
            }
            1 | 2 => self.start |= first_macroblock,
            6 | 8 | 9 => self.start = true,
            _ => {}
        }
    }
}
