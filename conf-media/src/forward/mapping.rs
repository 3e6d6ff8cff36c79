//! Payload types and header extensions of a publisher in a subscriber's numbering.
//!
//! Made once for an edge; a packet only looks things up.

use crate::codec::Codec;
use crate::command::{Extensions, Payload};
use crate::track::ring::Stored;

/// One payload type of the publisher in the subscriber's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(super) from: u8,
    pub(crate) to: u8,
    pub(crate) repair: Option<u8>,
    /// The subscriber may ask for lost packets.
    pub(super) resend: bool,
}

/// Header extensions that are carried over, publisher's id to subscriber's.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ExtensionMap {
    pairs: [(u8, u8); CARRIED],
    descriptor: Option<(u8, u8)>,
    mid: Option<u8>,
}

/// How a header extension goes on.
pub(super) enum Carry {
    /// Unchanged, under this id.
    As(u8),
    /// A dependency descriptor, under this id.
    Descriptor(u8),
}

impl ExtensionMap {
    /// Pairs the ids of both sides.
    pub(super) fn new(from: Extensions, to: Extensions) -> Self {
        let same = [
            (from.audio_level, to.audio_level),
            (from.abs_capture_time, to.abs_capture_time),
            (from.video_orientation, to.video_orientation),
        ];
        // Id 0 is padding and never found in a packet.
        let pairs = same.map(|(from, to)| from.zip(to).unwrap_or_default());
        let descriptor = from.dependency_descriptor.zip(to.dependency_descriptor);
        Self { pairs, descriptor, mid: to.mid }
    }

    /// How an extension of the publisher goes on; `None` if it does not.
    pub(super) fn carry(&self, id: u8) -> Option<Carry> {
        if let Some((from, to)) = self.descriptor
            && from == id
        {
            return Some(Carry::Descriptor(to));
        }
        self.pairs.iter().find(|(from, _)| *from == id && id != 0).map(|&(_, to)| Carry::As(to))
    }

    /// Id of the media section's name at the subscriber.
    pub(super) fn mid(&self) -> Option<u8> {
        self.mid
    }

    /// Frame number of the dependency descriptor, if it is carried over.
    pub(super) fn frame_number(&self, packet: &Stored<'_>) -> Option<u16> {
        let (from, _) = self.descriptor?;
        let value = packet.entry.view.extension(packet.bytes, from)?;
        Some(u16::from_be_bytes([*value.get(1)?, *value.get(2)?]))
    }
}

/// A dependency descriptor with `offset` added to its frame number (AV1 RTP specification, A.8).
pub(super) fn renumber(value: &[u8], offset: u16) -> [u8; 256] {
    let mut copy = [0; 256];
    for (to, from) in copy.iter_mut().zip(value) {
        *to = *from;
    }
    let [_, high, low, ..] = &mut copy;
    [*high, *low] = u16::from_be_bytes([*high, *low]).wrapping_add(offset).to_be_bytes();
    copy
}

/// Pairs every payload type of the publisher with the subscriber's of the same codec.
pub(super) fn formats(from: &[Payload], to: &[Payload]) -> Vec<Format> {
    let pair = |payload: &Payload| {
        let exact = to.iter().find(|other| other.codec == payload.codec);
        let alike = || to.iter().find(|other| is_alike(other.codec, payload.codec));
        let other = exact.or_else(alike)?;
        Some(Format {
            from: payload.payload_type,
            to: other.payload_type,
            repair: other.rtx,
            resend: other.nack,
        })
    };
    from.iter().filter_map(pair).collect()
}

/// H.264 of one packetization mode and one profile decodes alike where only the constraint bits
/// that do not change the profile differ (RFC 6184, section 8.1, table 5).
fn is_alike(a: Codec, b: Codec) -> bool {
    let (Codec::H264 { profile: a, mode: mode_a }, Codec::H264 { profile: b, mode: mode_b }) =
        (a, b)
    else {
        return false;
    };
    let class = |profile: u16| match profile >> 8 {
        // Constrained baseline, in its three spellings.
        0x42 if profile & 0x40 != 0 => 0,
        0x4d if profile & 0x80 != 0 => 0,
        0x58 if profile & 0xc0 == 0xc0 => 0,
        other => other,
    };
    mode_a == mode_b && class(a) == class(b)
}

/// Extensions that are carried over unchanged.
pub(super) const CARRIED: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_util::payload;

    fn h264(profile: u16, mode: u8) -> Codec {
        Codec::H264 { profile, mode }
    }

    #[test]
    fn payload_types_are_paired_by_codec_profile_and_mode() {
        let from = [
            payload(96, Codec::Vp8, None),
            payload(98, Codec::Vp9 { profile: 0 }, None),
            payload(102, h264(0x42e0, 1), Some(103)),
            payload(104, h264(0x42e0, 0), None),
        ];
        let to = [
            payload(120, h264(0x42e0, 0), None),
            payload(121, h264(0x42c0, 1), Some(122)),
            payload(123, Codec::Vp9 { profile: 2 }, None),
            payload(124, Codec::Vp8, None),
        ];
        let pairs: Vec<_> = formats(&from, &to).iter().map(|f| (f.from, f.to, f.repair)).collect();
        assert_eq!(pairs, [(96, 124, None), (102, 121, Some(122)), (104, 120, None)]);
    }

    #[test]
    fn profiles_that_decode_differently_are_not_paired() {
        assert!(!is_alike(h264(0x42e0, 1), h264(0x6400, 1)));
        assert!(!is_alike(h264(0x42e0, 1), h264(0x42e0, 0)));
        assert!(!is_alike(h264(0x4200, 1), h264(0x42e0, 1)));
        assert!(!is_alike(Codec::Vp8, Codec::Opus));
    }

    #[test]
    fn a_frame_number_wraps_and_the_rest_stays() {
        let copy = renumber(&[0x80, 0xff, 0xff, 7], 2);
        assert_eq!(copy.get(..4), Some(&[0x80, 0x00, 0x01, 7][..]));
    }
}
