//! Keeps picture ids and base-layer indices without gaps, per subscriber.
//!
//! A receiver takes a gap in the picture ids for a loss. Layers of a simulcast count each for
//! themselves, and pictures that are not forwarded leave holes. A [`Rewriter`] subtracts what was
//! left out. Pictures that were lost on the way to us keep their hole: they may still come.

use super::{Descriptor, PictureId};

/// Changes of the offset that are remembered, for packets that come late.
const REMEMBERED: usize = 16;

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
    /// Newest last; the first `used` count. All belong to the current layer.
    offsets: [Offset; REMEMBERED],
    used: usize,
    /// Newest picture of the current layer that was seen, unwrapped, and its width.
    seen: Option<(u64, u16)>,
    /// Newest picture that was left out.
    dropped: Option<u64>,
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
        self.used = 0;
        self.seen = None;
        self.dropped = None;
    }

    /// A picture of the current layer is left out. Call it for each of its packets, or for one.
    pub fn drop_picture(&mut self, descriptor: &Descriptor) {
        let Some(picture) = self.picture(descriptor) else { return };
        // A late packet of an older picture changes nothing any more.
        let given = self.last.is_some() && self.last_picture >= picture;
        if self.used == 0 || given || self.dropped.is_some_and(|dropped| dropped >= picture) {
            return;
        }
        self.dropped = Some(picture);
        let newest = self.newest();
        let base_layer =
            u8::from(descriptor.temporal.unwrap_or(0) == 0 && descriptor.tl0.is_some());
        self.remember(Offset {
            from: picture.saturating_add(1),
            picture_id: newest.picture_id.wrapping_add(1),
            tl0: newest.tl0.wrapping_add(base_layer),
        });
    }

    /// The numbers of a packet that is forwarded.
    ///
    /// `None` if it belongs to a time before the last switch or to a picture that was left out:
    /// then it must not be sent. A packet without picture id keeps what it has.
    pub fn forward(&mut self, descriptor: &Descriptor) -> Option<Numbers> {
        let tl0 = descriptor.tl0.unwrap_or_default();
        let Some(id) = descriptor.picture_id else { return Some(Numbers { picture_id: 0, tl0 }) };
        let picture = self.picture(descriptor)?;
        if self.used == 0 {
            self.begin(picture, id, tl0);
        }
        let offset = self.offset_of(picture)?;
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
    fn begin(&mut self, picture: u64, id: PictureId, tl0: u8) {
        let offset = self.last.map_or(Offset::default(), |last| Offset {
            from: 0,
            picture_id: id.value().wrapping_sub(last.picture_id.wrapping_add(1)),
            tl0: tl0.wrapping_sub(last.tl0.wrapping_add(1)),
        });
        self.remember(Offset { from: picture, ..offset });
        self.last_picture = picture;
    }

    /// The unwrapped picture id; a change of width counts as a switch.
    fn picture(&mut self, descriptor: &Descriptor) -> Option<u64> {
        let id = descriptor.picture_id?;
        let mask = id.mask();
        let Some((highest, _)) = self.seen.filter(|(_, width)| *width == mask) else {
            self.switch();
            // Far from zero, so that there is room for packets from before.
            let first = u64::from(id.value()).saturating_add(0x8000);
            self.seen = Some((first, mask));
            return Some(first);
        };
        let low = u16::try_from(highest & u64::from(mask)).unwrap_or_default();
        let ahead = id.value().wrapping_sub(low) & mask;
        let picture = if ahead <= mask >> 1 {
            highest.saturating_add(u64::from(ahead))
        } else {
            highest.saturating_sub(u64::from(low.wrapping_sub(id.value()) & mask))
        };
        self.seen = Some((highest.max(picture), mask));
        Some(picture)
    }

    fn newest(&self) -> Offset {
        self.used.checked_sub(1).and_then(|at| self.offsets.get(at)).copied().unwrap_or_default()
    }

    /// The offset in force at `picture`; `None` before the first and for a picture left out.
    fn offset_of(&self, picture: u64) -> Option<Offset> {
        let known = self.offsets.get(..self.used)?;
        let at = known.iter().rposition(|offset| offset.from <= picture)?;
        // A picture is left out where the next offset starts right behind it with one id less.
        let next = known.get(at.saturating_add(1)).map(|offset| offset.from);
        (next != Some(picture.saturating_add(1))).then(|| known.get(at).copied()).flatten()
    }

    fn remember(&mut self, offset: Offset) {
        if self.used == REMEMBERED {
            self.offsets.rotate_left(1);
            self.used = self.used.saturating_sub(1);
        }
        if let Some(slot) = self.offsets.get_mut(self.used) {
            *slot = offset;
            self.used = self.used.saturating_add(1);
        }
    }
}
