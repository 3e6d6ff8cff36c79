//! What forwarding must know of a codec: is this a keyframe, which layer, does a picture end here.
//!
//! [`Codec::describe`] looks at the first bytes of a payload and never at the picture itself. A
//! malformed payload is no keyframe; it is forwarded like any other, decoders reject it themselves.

#![warn(clippy::arithmetic_side_effects)]

pub mod av1;
pub mod dependency;
pub mod h264;
pub mod opus;
pub mod vp8;
pub mod vp9;

/// The codecs that are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Codec {
    /// RFC 7587.
    Opus,
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9 {
        /// `profile-id`.
        profile: u8,
    },
    /// RFC 6184.
    H264 {
        /// `profile-level-id`'s first two bytes: profile and constraints.
        profile: u16,
        /// `packetization-mode`.
        mode: u8,
    },
    /// AV1 RTP payload specification 1.0.
    Av1 {
        /// `profile`.
        profile: u8,
    },
}

/// What one packet is in the pictures of its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    /// A decoder can start at this packet: it is the first of a keyframe.
    pub keyframe: bool,
    /// First packet of a picture (of one of its spatial layers, where there are several).
    pub start: bool,
    /// Last packet of a picture (or spatial layer); `None` where only the marker bit tells.
    pub end: Option<bool>,
    /// Temporal layer, where the payload tells; 0 is the base.
    pub temporal: Option<u8>,
    /// Spatial layer, where the payload tells; 0 is the base.
    pub spatial: Option<u8>,
    /// What [`vp8::Rewriter`] needs.
    pub vp8: Option<vp8::Descriptor>,
}

impl Codec {
    /// Describes one packet by its decrypted payload, without padding, and, where the stream has
    /// one, the value of its dependency-descriptor extension.
    #[must_use]
    pub fn describe(self, payload: &[u8], dependency_descriptor: Option<&[u8]>) -> Picture {
        match self {
            Self::Opus => opus::describe(),
            Self::Vp8 => vp8::describe(payload),
            Self::Vp9 { .. } => vp9::describe(payload),
            Self::H264 { .. } => h264::describe(payload),
            Self::Av1 { .. } => av1::describe(payload, dependency_descriptor),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
