//! VP9 payload descriptor (RFC 9628, section 4.2).

use super::Picture;

/// Reads the first bytes of the payload descriptor.
///
/// A keyframe starts where the picture is not predicted from another one (P = 0) at the beginning
/// of spatial layer 0.
#[must_use]
pub fn describe(payload: &[u8]) -> Picture {
    read(payload).unwrap_or_default()
}

fn read(payload: &[u8]) -> Option<Picture> {
    let (&first, mut rest) = payload.split_first()?;
    let predicted = first & 0x40 != 0;
    let start = first & 0x08 != 0;
    let end = first & 0x04 != 0;
    if first & 0x80 != 0 {
        let wide = rest.first()? & 0x80 != 0;
        rest = rest.get(if wide { 2 } else { 1 }..)?;
    }
    let layer = if first & 0x20 != 0 { Some(*rest.first()?) } else { None };
    let spatial = layer.map(|layer| (layer >> 1) & 0x07);
    Some(Picture {
        keyframe: !predicted && start && spatial.unwrap_or(0) == 0,
        start,
        end: Some(end),
        temporal: layer.map(|layer| layer >> 5),
        spatial,
        vp8: None,
    })
}
