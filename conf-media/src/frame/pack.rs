//! A frame cut into payloads that fit packets.
//!
//! Sources: RFC 7741, section 4.2 (VP8); RFC 9628, section 4.2 (VP9, non-flexible mode); RFC 6184,
//! sections 5.6 and 5.8 (H.264: single units and FU-A); RTP payload specification for AV1 1.0,
//! section 4.4 (one unit a packet, cut where it is too long).

use super::unpack::{FU_A, HAS_SIZE, TEMPORAL_DELIMITER, is_unit, read_leb128};
use crate::codec::Codec;

/// The payloads of a frame, in order. `picture` counts frames; `keyframe` says what this one is.
///
/// `frame` has the form that [`super::Frame::payload`] has. Empty if it cannot be read as such.
#[must_use]
pub fn pack(codec: Codec, frame: &[u8], keyframe: bool, picture: u16) -> Vec<Vec<u8>> {
    match codec {
        Codec::Opus => vec![frame.to_vec()],
        Codec::Vp8 => {
            let [high, low] = (picture | 0x8000).to_be_bytes();
            cut(frame, |first, _| vec![0x80 | u8::from(first) << 4, 0x80, high, low])
        }
        Codec::Vp9 { .. } => {
            let [high, low] = (picture | 0x8000).to_be_bytes();
            cut(frame, |first, last| {
                let flags = u8::from(!keyframe) << 6 | u8::from(first) << 3 | u8::from(last) << 2;
                vec![0x80 | flags, high, low]
            })
        }
        Codec::H264 { .. } => units(frame).into_iter().flat_map(h264).collect(),
        Codec::Av1 { .. } => av1(frame, keyframe).unwrap_or_default(),
    }
}

/// Pieces of about the same length, each with its descriptor in front.
fn cut(frame: &[u8], descriptor: impl Fn(bool, bool) -> Vec<u8>) -> Vec<Vec<u8>> {
    let count = frame.len().div_ceil(MAX_PAYLOAD - 8).max(1);
    let chunks = frame.chunks(frame.len().div_ceil(count).max(1));
    let last = chunks.len().saturating_sub(1);
    let piece = |(at, chunk): (usize, &[u8])| {
        let mut piece = descriptor(at == 0, at == last);
        piece.extend_from_slice(chunk);
        piece
    };
    chunks.enumerate().map(piece).collect()
}

/// The units between start codes of three or four bytes.
fn units(stream: &[u8]) -> Vec<&[u8]> {
    let mut units = Vec::new();
    let mut rest = stream;
    let mut inside = false;
    while let Some(at) = rest.windows(3).position(|window| window == [0, 0, 1]) {
        let (before, behind) = rest.split_at(at);
        if inside {
            // A zero in front of the start code belongs to it: no unit ends with one.
            let end = before.iter().rposition(|&byte| byte != 0).map_or(0, |end| end + 1);
            units.extend(before.get(..end));
        }
        inside = true;
        rest = behind.get(3..).unwrap_or_default();
    }
    if inside {
        units.push(rest);
    }
    units.retain(|unit| is_unit(unit));
    units
}

fn h264(unit: &[u8]) -> Vec<Vec<u8>> {
    if unit.len() <= MAX_PAYLOAD {
        return vec![unit.to_vec()];
    }
    let Some((&header, data)) = unit.split_first() else { return Vec::new() };
    cut(data, |first, last| {
        let ends = u8::from(first) << 7 | u8::from(last) << 6;
        vec![header & 0xE0 | FU_A, ends | header & 0x1F]
    })
}

fn av1(mut unit: &[u8], keyframe: bool) -> Option<Vec<Vec<u8>>> {
    let mut payloads = Vec::new();
    while let Some((&header, rest)) = unit.split_first() {
        let extension = usize::from(header & 0x04 != 0);
        let (extension, rest) = rest.split_at_checked(extension)?;
        let (data, behind) = if header & HAS_SIZE != 0 {
            let (length, rest) = read_leb128(rest)?;
            rest.split_at_checked(length)?
        } else {
            (rest, &[][..])
        };
        unit = behind;
        if header >> 3 & 0x0F == TEMPORAL_DELIMITER {
            continue;
        }
        let mut whole = vec![header & !HAS_SIZE];
        whole.extend_from_slice(extension);
        whole.extend_from_slice(data);
        let new = u8::from(keyframe && payloads.is_empty()) << 3;
        payloads.extend(cut(&whole, |first, last| {
            let cuts = u8::from(!first) << 7 | u8::from(!last) << 6;
            vec![cuts | 1 << 4 | if first { new } else { 0 }]
        }));
    }
    Some(payloads)
}

/// Bytes of a payload: with header, tag and a few extensions it fits every path of the Internet.
pub(super) const MAX_PAYLOAD: usize = 1_150;
