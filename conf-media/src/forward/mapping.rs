//! Payload types and header extensions of a publisher in a subscriber's numbering.
//!
//! Made once for an edge; a packet only looks things up.

use crate::codec::Codec;
use crate::command::{Extensions, Label, Payload};
use crate::rtp::{FIXED_HEADER, Header, View};

/// One payload type of the publisher in the subscriber's numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Format {
    pub(super) from: u8,
    pub(crate) to: u8,
    pub(crate) repair: Option<u8>,
    /// The subscriber may ask for lost packets.
    pub(super) resend: bool,
}

/// The header extensions of one packet that may go on, found once for all its subscribers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried<'a> {
    /// In the order of [`ids`]; one that is missing has no bytes.
    values: [&'a [u8]; CARRIED],
}

impl<'a> Carried<'a> {
    /// What a packet of a publisher with these ids has.
    pub(super) fn of(publisher: Extensions, view: &View, bytes: &'a [u8]) -> Self {
        let ids = ids(publisher);
        let mut values: [&[u8]; CARRIED] = [&[]; CARRIED];
        for (id, value) in view.extensions(bytes) {
            let place = ids.iter().zip(&mut values).find(|(known, _)| **known == Some(id));
            if let Some((_, place)) = place {
                *place = value;
            }
        }
        Self { values }
    }

    /// Frame number of the dependency descriptor.
    pub(super) fn frame_number(&self) -> Option<u16> {
        let [.., descriptor] = self.values;
        Some(u16::from_be_bytes([*descriptor.get(1)?, *descriptor.get(2)?]))
    }
}

/// Ids of the extensions that are carried over; the last one is the dependency descriptor.
fn ids(extensions: Extensions) -> [Option<u8>; CARRIED] {
    [
        extensions.audio_level,
        extensions.abs_capture_time,
        extensions.video_orientation,
        extensions.dependency_descriptor,
    ]
}

/// What an edge itself says in the extensions of one packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Own {
    /// Transport-wide number; 0 where none is negotiated.
    pub(super) transport: u16,
    /// What is added to the frame number of a dependency descriptor.
    pub(super) frame_offset: u16,
}

/// How the headers look at one subscriber: made once, so that a packet only fills numbers in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// The subscriber's ids of what both sides have, in the order of [`ids`].
    ids: [Option<u8>; CARRIED],
    /// Id of the transport-wide number.
    transport: Option<u8>,
    mid: Option<(u8, Label)>,
    /// The block of extensions of a packet that carries nothing over; empty without any.
    block: [u8; BLOCK],
    block_len: usize,
    /// Of these, the bytes before the padding.
    used: usize,
}

impl Layout {
    /// Pairs the ids of both sides.
    pub(super) fn new(from: Extensions, to: Extensions, mid: Label) -> Self {
        let mut both = ids(to);
        for (to, from) in both.iter_mut().zip(ids(from)) {
            *to = to.filter(|_| from.is_some());
        }
        let mut layout = Self {
            ids: both,
            transport: to.transport_cc,
            mid: to.mid.map(|id| (id, mid)),
            block: [0; BLOCK],
            block_len: 0,
            used: 0,
        };
        let mut block = [0; BLOCK];
        let own = layout.own_elements(&mut block, layout.is_long(None));
        (layout.used, layout.block_len) = own.unwrap_or_default();
        layout.block = block;
        layout
    }

    /// Packets have a transport-wide number.
    pub(super) fn has_transport(&self) -> bool {
        self.transport.is_some()
    }

    /// Dependency descriptors go on.
    pub(super) fn has_descriptor(&self) -> bool {
        let [.., descriptor] = self.ids;
        descriptor.is_some()
    }

    /// Writes a whole header; returns its length.
    pub(super) fn write(
        &self,
        header: &Header,
        own: Own,
        carried: &Carried<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let (fixed, rest) = out.split_first_chunk_mut::<FIXED_HEADER>()?;
        let carries = |(id, value): (&Option<u8>, &&[u8])| id.is_some() && !value.is_empty();
        let plain = !self.ids.iter().zip(&carried.values).any(carries);
        *fixed = header.fixed(!plain || self.block_len > 0);
        *rest.first_chunk_mut::<BLOCK>()? = self.block;
        let end = if plain { self.block_len } else { self.carry(own, carried, rest)? };
        if self.transport.is_some() {
            let at = if rest.first() == Some(&SHORT_FORM) { 5 } else { 6 };
            rest.get_mut(at..at + 2)?.copy_from_slice(&own.transport.to_be_bytes());
        }
        Some(FIXED_HEADER + end)
    }

    /// Completes the block with what is carried over; returns its length.
    fn carry(&self, own: Own, carried: &Carried<'_>, block: &mut [u8]) -> Option<usize> {
        let long = self.is_long(Some(carried));
        let mut at = self.used.max(4);
        if long || self.used == 0 {
            (at, _) = self.own_elements(block, long)?;
        }
        for (index, (id, value)) in self.ids.iter().zip(carried.values).enumerate() {
            let Some(id) = id.filter(|_| !value.is_empty()) else { continue };
            let start = at + if long { 2 } else { 1 };
            at = element(block, at, long, (id, value))?;
            if index == DESCRIPTOR
                && let Some([_, high, low, ..]) = block.get_mut(start..at)
            {
                let number = u16::from_be_bytes([*high, *low]).wrapping_add(own.frame_offset);
                [*high, *low] = number.to_be_bytes();
            }
        }
        pad(block, at)
    }

    /// Writes head and elements that every packet has; returns their length without and with the
    /// padding. The transport-wide number comes first, so that its place is known.
    fn own_elements(&self, block: &mut [u8], long: bool) -> Option<(usize, usize)> {
        let form = if long { [0x10, 0x00] } else { [SHORT_FORM, 0xde] };
        block.get_mut(..2)?.copy_from_slice(&form);
        let mut at = 4;
        if let Some(id) = self.transport {
            at = element(block, at, long, (id, &[0; 2]))?;
        }
        if let Some((id, mid)) = &self.mid {
            at = element(block, at, long, (*id, mid.as_bytes()))?;
        }
        let end = pad(block, at)?;
        Some(if at == 4 { (4, 0) } else { (at, end) })
    }

    /// An element does not fit the one-byte form (RFC 8285, section 4.2).
    fn is_long(&self, carried: Option<&Carried<'_>>) -> bool {
        let values = carried.map(|carried| carried.values).unwrap_or_default();
        let theirs = self.ids.iter().zip(values).any(|(id, value)| {
            id.is_some_and(|id| !value.is_empty() && (id > 14 || value.len() > 16))
        });
        let ours = [self.transport, self.mid.map(|(id, _)| id)];
        theirs || ours.into_iter().flatten().any(|id| id > 14)
    }
}

/// Writes one element at `at`; returns where the next one goes.
fn element(block: &mut [u8], at: usize, long: bool, (id, value): (u8, &[u8])) -> Option<usize> {
    let len = u8::try_from(value.len()).ok()?;
    let start = if long {
        block.get_mut(at..at + 2)?.copy_from_slice(&[id, len]);
        at + 2
    } else {
        *block.get_mut(at)? = id << 4 | (len.wrapping_sub(1) & 0x0f);
        at + 1
    };
    let end = start + value.len();
    block.get_mut(start..end)?.copy_from_slice(value);
    Some(end)
}

/// Fills up to whole words and says how many there are; returns the block's length.
fn pad(block: &mut [u8], at: usize) -> Option<usize> {
    let end = at.next_multiple_of(4);
    block.get_mut(at..end)?.fill(0);
    let words = u16::try_from(end / 4 - 1).ok()?;
    block.get_mut(2..4)?.copy_from_slice(&words.to_be_bytes());
    Some(end)
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

/// Extensions that may be carried over.
const CARRIED: usize = 4;
/// The one whose frame numbers change.
const DESCRIPTOR: usize = CARRIED - 1;
/// Longest block of our own elements: head, transport-wide number and mid in the two-byte form.
const BLOCK: usize = 28;
/// First byte of a block in the one-byte form.
const SHORT_FORM: u8 = 0xbe;

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

    fn layout(to: Extensions) -> Layout {
        Layout::new(crate::test_util::FROM, to, crate::test_util::label("7"))
    }

    /// A header as it leaves, for a packet of the publisher with these extensions.
    fn written(layout: &Layout, extensions: &[(u8, &[u8])]) -> (View, Vec<u8>) {
        let header = Header { marker: true, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3 };
        let mut packet = vec![0; 400];
        let len = header.write(extensions, &mut packet).unwrap();
        packet.truncate(len);
        let view = crate::rtp::parse(&packet).unwrap();
        let carried = Carried::of(crate::test_util::FROM, &view, &packet);
        let own = Own { transport: 0x1234, frame_offset: 2 };
        let mut out = vec![0xee; 400];
        let len = layout.write(&header, own, &carried, &mut out).unwrap();
        out.truncate(len);
        let view = crate::rtp::parse(&out).unwrap();
        assert_eq!(usize::from(view.header_len), len, "nothing behind the header");
        (view, out)
    }

    #[test]
    fn a_plain_packet_gets_number_and_section_and_nothing_else() {
        let (view, out) = written(&layout(crate::test_util::TO), &[(5, &[9, 9]), (6, &[1, 2, 3])]);
        let all: Vec<_> = view.extensions(&out).collect();
        assert_eq!(all, [(13, &[0x12, 0x34][..]), (11, b"7")]);
    }

    #[test]
    fn what_is_carried_over_follows_and_a_frame_number_wraps() {
        let descriptor = [0x80, 0xff, 0xff, 7];
        let extensions: &[(u8, &[u8])] = &[(9, &descriptor), (4, &[30]), (1, b"0")];
        let (view, out) = written(&layout(crate::test_util::TO), extensions);
        let all: Vec<_> = view.extensions(&out).collect();
        let renumbered = [0x80, 0x00, 0x01, 7];
        assert_eq!(
            all,
            [(13, &[0x12, 0x34][..]), (11, b"7"), (12, &[30]), (9, &renumbered)],
            "one-byte form"
        );
    }

    #[test]
    fn a_long_value_or_a_high_id_takes_the_two_byte_form() {
        let descriptor = [0x80; 40];
        let (view, out) = written(&layout(crate::test_util::TO), &[(9, &descriptor)]);
        let lengths: Vec<_> = view.extensions(&out).map(|(id, value)| (id, value.len())).collect();
        assert_eq!(lengths, [(13, 2), (11, 1), (9, 40)]);
        assert_eq!(view.extension(&out, 13), Some(&[0x12, 0x34][..]));
        let high = Extensions { transport_cc: Some(15), ..crate::test_util::TO };
        let (view, out) = written(&layout(high), &[]);
        assert_eq!(view.extension(&out, 15), Some(&[0x12, 0x34][..]));
        assert_eq!(view.extension(&out, 11), Some(&b"7"[..]));
    }

    #[test]
    fn a_subscriber_without_extensions_gets_none() {
        let (view, out) = written(&layout(Extensions::default()), &[(4, &[30])]);
        assert_eq!((view.extensions(&out).count(), out.len()), (0, FIXED_HEADER));
        let level = Extensions { audio_level: Some(3), ..Extensions::default() };
        let (view, out) = written(&layout(level), &[(4, &[30])]);
        assert_eq!(view.extensions(&out).collect::<Vec<_>>(), [(3, &[30][..])]);
        assert_eq!(written(&layout(level), &[]).1.len(), FIXED_HEADER);
    }
}
