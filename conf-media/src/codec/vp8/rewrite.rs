//! Keeps picture ids and base-layer indices without gaps, per subscriber.
//!
//! A receiver takes a gap in the picture ids for a loss, and the layers of a simulcast count each
//! for themselves. A [`Rewriter`] subtracts the difference, so that a layer goes on where the one
//! before it stopped. Pictures that were lost on the way to us keep their hole: they may still come.

use super::{Descriptor, PictureId};

/// The numbers that one packet gets at one subscriber: small enough to be kept for resending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Picture id, cut to the width that the packet has.
    pub picture_id: u16,
    /// Index of the temporal base layer.
    pub tl0: u8,
}

impl Numbers {
    /// Writes the numbers over those of `payload`, which `descriptor` describes.
    ///
    /// Nothing grows: what the descriptor does not have is not written.
    pub fn apply(self, descriptor: &Descriptor, payload: &mut [u8]) {
        let [high, low] = self.picture_id.to_be_bytes();
        match descriptor.picture_id {
            Some(PictureId::Short(_)) => put(payload, 2, &[low & 0x7f]),
            Some(PictureId::Long(_)) => put(payload, 2, &[high | 0x80, low]),
            None => {}
        }
        if descriptor.tl0.is_some() {
            put(payload, usize::from(descriptor.tl0_at), &[self.tl0]);
        }
    }
}

fn put(payload: &mut [u8], at: usize, bytes: &[u8]) {
    if let Some(place) = payload.get_mut(at..).and_then(|rest| rest.get_mut(..bytes.len())) {
        place.copy_from_slice(bytes);
    }
}

/// What is subtracted from the pictures `from` and later.
#[derive(Clone, Copy, Debug, Default)]
struct Offset {
    from: u64,
    picture_id: u16,
    tl0: u8,
}

/// One subscriber's numbering of one VP8 track.
#[derive(Clone, Debug, Default)]
pub struct Rewriter {
    /// Of the current layer; `None` before its first packet.
    offset: Option<Offset>,
    /// Newest picture of the current layer that was seen, unwrapped, and its width.
    seen: Option<(u64, u16)>,
    /// Newest numbers that were given out.
    last: Option<Numbers>,
    last_picture: u64,
}

impl Rewriter {
    /// A numbering that keeps the ids of the first layer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From the next packet on another layer is forwarded, or the same one after a pause: its
    /// numbers go on behind the last ones given out.
    pub fn switch(&mut self) {
        self.offset = None;
        self.seen = None;
    }

    /// The numbers of a packet that is forwarded.
    ///
    /// `None` if it belongs to a time before the last switch: then it must not be sent. A packet
    /// without picture id keeps what it has.
    pub fn forward(&mut self, descriptor: &Descriptor) -> Option<Numbers> {
        let tl0 = descriptor.tl0.unwrap_or_default();
        let Some(id) = descriptor.picture_id else { return Some(Numbers { picture_id: 0, tl0 }) };
        let picture = self.picture(id);
        let offset = self.offset.unwrap_or_else(|| self.begin(picture, id, tl0));
        if picture < offset.from {
            return None;
        }
        let numbers = Numbers {
            picture_id: id.value().wrapping_sub(offset.picture_id) & id.mask(),
            tl0: tl0.wrapping_sub(offset.tl0),
        };
        if self.last.is_none() || picture >= self.last_picture {
            self.last = Some(numbers);
            self.last_picture = picture;
        }
        Some(numbers)
    }

    /// [`Self::forward`] and [`Numbers::apply`] in one; `false` if the packet must not be sent.
    pub fn rewrite(&mut self, descriptor: &Descriptor, payload: &mut [u8]) -> bool {
        let numbers = self.forward(descriptor);
        if let Some(numbers) = numbers {
            numbers.apply(descriptor, payload);
        }
        numbers.is_some()
    }

    /// First picture of a layer: the offset makes it follow the last one given out.
    fn begin(&mut self, picture: u64, id: PictureId, tl0: u8) -> Offset {
        let offset = self.last.map_or(Offset::default(), |last| Offset {
            from: 0,
            picture_id: id.value().wrapping_sub(last.picture_id.wrapping_add(1)),
            tl0: tl0.wrapping_sub(last.tl0.wrapping_add(1)),
        });
        self.last_picture = picture;
        *self.offset.insert(Offset { from: picture, ..offset })
    }

    /// The unwrapped picture id; a change of width counts as a switch.
    fn picture(&mut self, id: PictureId) -> u64 {
        let mask = id.mask();
        let Some((highest, _)) = self.seen.filter(|(_, width)| *width == mask) else {
            self.switch();
            // Far from zero, so that there is room for packets from before.
            let first = u64::from(id.value()).saturating_add(0x8000);
            self.seen = Some((first, mask));
            return first;
        };
        let low = u16::try_from(highest & u64::from(mask)).unwrap_or_default();
        let ahead = id.value().wrapping_sub(low) & mask;
        let picture = if ahead <= mask >> 1 {
            highest.saturating_add(u64::from(ahead))
        } else {
            highest.saturating_sub(u64::from(low.wrapping_sub(id.value()) & mask))
        };
        self.seen = Some((highest.max(picture), mask));
        picture
    }
}
