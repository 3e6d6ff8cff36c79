//! A packet as it leaves for one subscriber: what differs from the one in the ring, and how it is
//! written.

use crate::codec::numbers;
use crate::rtp::Header;

use super::mapping::{Carried, Own};
use super::{Edge, Packet};

/// A packet as it leaves: everything that differs from the one in the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rewritten {
    pub(crate) header: Header,
    /// The number before it was cut to 16 bits.
    pub(super) sequence: u64,
    pub(super) numbers: Option<numbers::Numbers>,
    pub(super) own: Own,
    /// A byte of padding ends it.
    pub(super) padded: bool,
    /// Original sequence number, in front of the payload of a retransmission.
    pub(super) original: Option<u16>,
    pub(super) content: Content,
}

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The payload of the one in the ring.
    Payload,
    /// The same, and it is the very packet that was sent before, under the same number.
    Repeated,
    /// Nothing.
    Empty,
}

impl Rewritten {
    /// A packet with nothing but a header of its own.
    #[inline]
    pub(super) fn plain(header: Header, sequence: u64) -> Self {
        Self {
            header,
            sequence,
            numbers: None,
            own: Own::default(),
            padded: false,
            original: None,
            content: Content::Payload,
        }
    }

    /// The very packet that was sent before, under the same number.
    pub(crate) fn repeats(&self) -> bool {
        self.content == Content::Repeated
    }

    /// It was sent before, under the same number or another.
    pub(crate) fn is_again(&self) -> bool {
        self.repeats() || self.original.is_some()
    }

    /// A byte of padding ends it.
    pub(crate) fn is_padded(&self) -> bool {
        self.padded
    }

    /// It goes out under this transport-wide number.
    pub(crate) fn set_transport(&mut self, number: u16) {
        self.own.transport = number;
    }
}

impl Edge {
    /// Most bytes that a packet of `len` bytes can have when it leaves, without its seal.
    pub(crate) fn room(len: usize) -> usize {
        len + GROWTH
    }

    /// Writes a packet as it leaves, unsealed, and returns its length.
    pub(crate) fn write(
        &self,
        rewritten: &Rewritten,
        packet: &Packet<'_>,
        out: &mut [u8],
    ) -> Option<usize> {
        let stored = &packet.stored;
        let empty = rewritten.content == Content::Empty;
        let nothing = Carried::default();
        let carried = if empty { &nothing } else { &packet.carried };
        let mut at = self.layout.write(&rewritten.header, rewritten.own, carried, out)?;
        if let Some(original) = rewritten.original {
            out.get_mut(at..at + 2)?.copy_from_slice(&original.to_be_bytes());
            at += 2;
        }
        let payload = if empty { &[] } else { stored.entry.view.payload(stored.bytes) };
        let mut end = at + payload.len();
        let place = out.get_mut(at..end)?;
        place.copy_from_slice(payload);
        if let (Some(numbers), Some(descriptor)) =
            (rewritten.numbers, &stored.entry.picture.numbers)
        {
            numbers.apply(descriptor, place);
        }
        if rewritten.padded {
            *out.get_mut(end)? = 1;
            *out.first_mut()? |= PADDED;
            end += 1;
        }
        Some(end)
    }
}

impl Edge {
    /// Writes a packet of nothing but padding, unsealed, and returns its length.
    pub(crate) fn write_padding(&self, rewritten: &Rewritten, out: &mut [u8]) -> Option<usize> {
        let nothing = Carried::default();
        let at = self.layout.write(&rewritten.header, rewritten.own, &nothing, out)?;
        let end = at + usize::from(u8::MAX);
        let padding = out.get_mut(at..end)?;
        padding.fill(0);
        *padding.last_mut()? = u8::MAX;
        *out.first_mut()? |= PADDED;
        Some(end)
    }
}

/// The header's flag of padding (RFC 3550, section 5.1).
const PADDED: u8 = 0x20;
/// Header extensions of ours that a packet may not have had, the number of the original, padding.
const GROWTH: usize = 64;
