//! VP8 payload descriptor (RFC 7741, section 4.2).

mod rewrite;

pub use rewrite::{Numbers, Rewriter};

use super::Picture;
use crate::rtp::read;

/// The numbers of one payload descriptor, and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Picture id, where there is one.
    pub picture_id: Option<PictureId>,
    /// Index of the temporal base layer, where there is one.
    pub tl0: Option<u8>,
    /// Temporal layer, where there is one.
    pub temporal: Option<u8>,
    /// Offset of `tl0` in the payload; its picture id is at offset 2.
    tl0_at: u8,
    /// Length of the descriptor.
    len: u8,
}

/// A picture id of 7 or 15 bits; a stream keeps its width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureId {
    /// 7 bits.
    Short(u8),
    /// 15 bits.
    Long(u16),
}

impl PictureId {
    /// The number.
    #[must_use]
    pub fn value(self) -> u16 {
        match self {
            Self::Short(id) => u16::from(id),
            Self::Long(id) => id,
        }
    }

    /// The highest number of this width, a mask.
    #[must_use]
    pub fn mask(self) -> u16 {
        match self {
            Self::Short(_) => 0x7f,
            Self::Long(_) => 0x7fff,
        }
    }
}

impl Descriptor {
    /// Length of the descriptor: the offset of the VP8 data in the payload.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Never: a descriptor has one byte at least.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads a descriptor; `None` if the payload ends within it.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let first = *payload.first()?;
        let mut descriptor = Self { len: 1, ..Self::default() };
        if first & 0x80 != 0 {
            descriptor.read_optional(payload)?;
        }
        // The descriptor alone is no VP8 payload.
        (payload.len() > descriptor.len()).then_some(descriptor)
    }

    fn read_optional(&mut self, payload: &[u8]) -> Option<()> {
        let flags = *payload.get(1)?;
        self.len = 2;
        if flags & 0x80 != 0 {
            let id = *payload.get(2)?;
            let (id, len) = if id & 0x80 == 0 {
                (PictureId::Short(id), 3)
            } else {
                (PictureId::Long(read::u16_at(payload, 2)? & 0x7fff), 4)
            };
            self.picture_id = Some(id);
            self.len = len;
        }
        if flags & 0x40 != 0 {
            self.tl0 = Some(*payload.get(self.len())?);
            self.tl0_at = self.len;
            self.len = self.len.saturating_add(1);
        }
        if flags & 0x30 != 0 {
            let layer = *payload.get(self.len())?;
            self.temporal = (flags & 0x20 != 0).then_some(layer >> 6);
            self.len = self.len.saturating_add(1);
        }
        Some(())
    }
}

/// Reads the descriptor and the first byte of the VP8 data.
///
/// A picture starts at the beginning of partition 0; it is a keyframe where the inverse-key bit of
/// the VP8 header is clear (RFC 7741, section 4.3). Only the marker bit tells where it ends.
#[must_use]
pub fn describe(payload: &[u8]) -> Picture {
    let Some(descriptor) = Descriptor::read(payload) else { return Picture::default() };
    let first = payload.first().copied().unwrap_or_default();
    let start = first & 0x10 != 0 && first & 0x07 == 0;
    let keyframe = start && payload.get(descriptor.len()).is_some_and(|byte| byte & 0x01 == 0);
    let temporal = descriptor.temporal;
    Picture { keyframe, start, temporal, vp8: Some(descriptor), ..Picture::default() }
}
