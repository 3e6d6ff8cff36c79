//! What forwarding must know of a codec: is this a keyframe, which layer, does a picture end here.

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
