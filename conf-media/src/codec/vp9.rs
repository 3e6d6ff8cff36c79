//! VP9 payload descriptor (RFC 9628, section 4.2).

use super::numbers::{Descriptor, PictureId};
use super::{Picture, Switch};

/// Reads the first bytes of the payload descriptor.
///
/// A keyframe starts where the picture is not predicted from another one (P = 0) at the beginning
/// of spatial layer 0. Behind a picture that is a switching-up point (U = 1) the higher temporal
/// layers need nothing from before it.
#[must_use]
pub fn describe(payload: &[u8]) -> Picture {
    read(payload).unwrap_or_default()
}

fn read(payload: &[u8]) -> Option<Picture> {
    let first = *payload.first()?;
    let (predicted, layered, flexible) = (first & 0x40 != 0, first & 0x20 != 0, first & 0x10 != 0);
    let mut picture = Picture {
        start: first & 0x08 != 0,
        end: Some(first & 0x04 != 0),
        alone: !predicted,
        ..Picture::default()
    };
    let mut numbers = Descriptor::default();
    let mut at: u8 = 1;
    if first & 0x80 != 0 {
        let (id, len) = PictureId::read(payload.get(1..)?)?;
        numbers.picture_id = Some(id);
        numbers.picture_id_at = at;
        at = at.saturating_add(len);
    }
    if layered {
        let layer = *payload.get(usize::from(at))?;
        picture.temporal = Some(layer >> 5);
        picture.switch = (layer & 0x10 != 0).then_some(Switch::Behind);
        picture.spatial = Some((layer >> 1) & 0x07);
        at = at.saturating_add(1);
        if !flexible {
            numbers.tl0 = Some(*payload.get(usize::from(at))?);
            numbers.tl0_at = at;
        }
    }
    picture.keyframe = !predicted && picture.start && picture.spatial.unwrap_or(0) == 0;
    picture.numbers = Some(numbers);
    Some(picture)
}
