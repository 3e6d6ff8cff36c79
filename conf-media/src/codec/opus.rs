//! Opus (RFC 7587): every packet is a frame that decodes by itself.

use super::Picture;

/// Every packet starts and ends a "picture", and a decoder can start at any.
#[must_use]
pub fn describe() -> Picture {
    Picture { keyframe: true, start: true, end: Some(true), ..Picture::default() }
}
