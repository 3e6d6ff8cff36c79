//! What forwarding must know of a codec: is this a keyframe, which layer, does a picture end here.
//!
//! [`Codec::describe`] looks at the first bytes of a payload and never at the picture itself. A
//! malformed payload is no keyframe; it is forwarded like any other, decoders reject it themselves.

#![warn(clippy::arithmetic_side_effects)]

pub mod av1;
pub mod dependency;
pub mod h264;
pub mod numbers;
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
#[expect(clippy::struct_excessive_bools, reason = "flags as they come")]
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
    /// It is a point where one can go up to higher temporal layers.
    pub switch: Option<Switch>,
    /// It needs no earlier picture, at most lower layers of its own (VP9).
    pub alone: bool,
    /// What [`numbers::Rewriter`] needs.
    pub numbers: Option<numbers::Descriptor>,
    /// What the dependency descriptor says of it, where there is one.
    pub frame: Option<dependency::Frame>,
}

/// How far one can go up at a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// To the picture itself: it needs nothing but the base layer (VP8).
    Here,
    /// To all that follows: higher layers need nothing from before it (VP9).
    Behind,
}

impl Picture {
    /// Its layers; those of the dependency descriptor where there is one.
    #[must_use]
    pub fn layer(&self) -> dependency::Layer {
        let told = dependency::Layer {
            spatial: self.spatial.unwrap_or_default(),
            temporal: self.temporal.unwrap_or_default(),
        };
        self.frame.map_or(told, |frame| frame.layer)
    }

    /// With what a dependency descriptor says, which counts alone: the payload may be encrypted for
    /// the receivers only, and look like anything.
    #[must_use]
    pub fn with(mut self, frame: Option<dependency::Frame>) -> Self {
        if let Some(frame) = frame {
            self.start = frame.start;
            self.end = Some(frame.end);
            self.keyframe = frame.key;
            self.frame = Some(frame);
        }
        self
    }
}

impl Codec {
    /// Describes one packet by its decrypted payload, without padding.
    #[must_use]
    pub fn describe(self, payload: &[u8]) -> Picture {
        match self {
            Self::Opus => opus::describe(),
            Self::Vp8 => vp8::describe(payload),
            Self::Vp9 { .. } => vp9::describe(payload),
            Self::H264 { .. } => h264::describe(payload),
            Self::Av1 { .. } => av1::describe(payload),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
