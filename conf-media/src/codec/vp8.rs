//! VP8 payload descriptor (RFC 7741, section 4.2).

use super::numbers::{Descriptor, PictureId};
use super::{Picture, Switch};

/// Reads the descriptor and the first byte of the VP8 data.
///
/// A picture starts at the beginning of partition 0; it is a keyframe where the inverse-key bit of
/// the VP8 header is clear (RFC 7741, section 4.3). Only the marker bit tells where it ends. A
/// picture of a higher temporal layer whose sync bit is set needs nothing but the base layer.
#[must_use]
pub fn describe(payload: &[u8]) -> Picture {
    read(payload).unwrap_or_default()
}

fn read(payload: &[u8]) -> Option<Picture> {
    let first = *payload.first()?;
    let mut picture =
        Picture { start: first & 0x10 != 0 && first & 0x07 == 0, ..Picture::default() };
    let mut numbers = Descriptor { dense: true, ..Descriptor::default() };
    let mut len = 1;
    if first & 0x80 != 0 {
        len = optional(payload, &mut numbers, &mut picture)?;
    }
    // The descriptor alone is no VP8 payload.
    let data = *payload.get(usize::from(len))?;
    picture.keyframe = picture.start && data & 0x01 == 0;
    picture.numbers = Some(numbers);
    Some(picture)
}

/// Reads the optional fields; returns the length of the descriptor.
fn optional(payload: &[u8], numbers: &mut Descriptor, picture: &mut Picture) -> Option<u8> {
    let flags = *payload.get(1)?;
    let mut at: u8 = 2;
    if flags & 0x80 != 0 {
        let (id, len) = PictureId::read(payload.get(usize::from(at)..)?)?;
        numbers.picture_id = Some(id);
        numbers.picture_id_at = at;
        at = at.saturating_add(len);
    }
    if flags & 0x40 != 0 {
        numbers.tl0 = Some(*payload.get(usize::from(at))?);
        numbers.tl0_at = at;
        at = at.saturating_add(1);
    }
    if flags & 0x30 != 0 {
        let layer = *payload.get(usize::from(at))?;
        if flags & 0x20 != 0 {
            picture.temporal = Some(layer >> 6);
            picture.switch = (layer & 0x20 != 0).then_some(Switch::Here);
        }
        if flags & 0x10 != 0 {
            numbers.key_index = Some(layer & 0x1f);
            numbers.key_index_at = at;
        }
        at = at.saturating_add(1);
    }
    Some(at)
}
