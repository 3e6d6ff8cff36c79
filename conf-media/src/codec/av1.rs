//! AV1 payloads (RTP payload specification for AV1, version 1.0, section 4).

use super::Picture;

const SEQUENCE_HEADER: u8 = 1;
/// Most units of one packet that are looked at.
const MOST_UNITS: usize = 16;

/// Reads the aggregation header and the types of the units.
///
/// A keyframe starts with a new coded video sequence: the N bit, or a sequence header among the
/// units. Without a dependency descriptor the marker bit tells where a picture ends, and its start
/// is only known for keyframes.
#[must_use]
pub fn describe(payload: &[u8]) -> Picture {
    let Some((&aggregation, units)) = payload.split_first() else { return Picture::default() };
    let continues = aggregation & 0x80 != 0;
    let new_sequence = aggregation & 0x08 != 0;
    let keyframe =
        !continues && (new_sequence || has_sequence_header(units, (aggregation >> 4) & 0x03));
    Picture { keyframe, start: keyframe, ..Picture::default() }
}

/// `count` is W of the aggregation header: 0 where every unit has its length in front, otherwise
/// all but the last have.
fn has_sequence_header(mut units: &[u8], count: u8) -> bool {
    for at in 1..=MOST_UNITS {
        let unit = if usize::from(count) == at {
            std::mem::take(&mut units)
        } else {
            let Some((length, rest)) = leb128(units) else { return false };
            let Some((unit, rest)) = rest.split_at_checked(length) else { return false };
            units = rest;
            unit
        };
        match unit.first() {
            Some(header) if (header >> 3) & 0x0f == SEQUENCE_HEADER => return true,
            None if units.is_empty() => return false,
            _ => {}
        }
    }
    false
}

/// A length of up to four bytes (AV1 specification, section 4.10.5), and what follows it.
fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    let mut rest = bytes;
    for shift in [0u32, 7, 14, 21] {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}
