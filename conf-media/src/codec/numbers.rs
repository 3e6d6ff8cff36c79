//! Picture ids, base-layer and keyframe indices of VP8 and VP9 without gaps, per subscriber.
//!
//! A receiver takes a gap in the picture ids for a loss, and the layers of a simulcast count each
//! for themselves. A [`Rewriter`] subtracts the difference, so that a layer goes on where the one
//! before it stopped. Pictures that were lost on the way to us keep their hole: they may still come.
//! Those that we leave out of VP8 leave none; in VP9 pictures name others by the distance of their
//! ids, so the ids stay as they are.
//!
//! Sources: RFC 7741, section 4.2 (VP8); RFC 9628, section 4.2 (VP9).

/// The numbers of one payload descriptor, and where they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Descriptor {
    /// Picture id, where there is one.
    pub picture_id: Option<PictureId>,
    /// Index of the temporal base layer, where there is one.
    pub tl0: Option<u8>,
    /// Index of the keyframe, 5 bits, where there is one (VP8 only).
    pub key_index: Option<u8>,
    /// A picture that is left out must leave no gap in the ids.
    pub dense: bool,
    pub(super) picture_id_at: u8,
    pub(super) tl0_at: u8,
    pub(super) key_index_at: u8,
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
    /// The id at the beginning of `bytes`, and how many bytes it takes.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, u8)> {
        let first = *bytes.first()?;
        if first & 0x80 == 0 {
            return Some((Self::Short(first), 1));
        }
        let id = crate::rtp::read::u16_at(bytes, 0)?;
        Some((Self::Long(id & 0x7fff), 2))
    }

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

/// The numbers that one packet gets at one subscriber: small enough to be kept for resending.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// Picture id, cut to the width that the packet has.
    pub picture_id: u16,
    /// Index of the temporal base layer.
    pub tl0: u8,
    /// Index of the keyframe, 5 bits.
    pub key_index: u8,
}

impl Numbers {
    /// Writes the numbers over those of `payload`, which `descriptor` describes.
    ///
    /// Nothing grows: what the descriptor does not have is not written.
    pub fn apply(self, descriptor: &Descriptor, payload: &mut [u8]) {
        let [high, low] = self.picture_id.to_be_bytes();
        let at = usize::from(descriptor.picture_id_at);
        match descriptor.picture_id {
            Some(PictureId::Short(_)) => put(payload, at, &[low & 0x7f]),
            Some(PictureId::Long(_)) => put(payload, at, &[high | 0x80, low]),
            None => {}
        }
        if descriptor.tl0.is_some() {
            put(payload, usize::from(descriptor.tl0_at), &[self.tl0]);
        }
        if descriptor.key_index.is_some()
            && let Some(byte) = payload.get_mut(usize::from(descriptor.key_index_at))
        {
            *byte = *byte & !KEY_INDEX | self.key_index & KEY_INDEX;
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
    key_index: u8,
}

/// One subscriber's numbering of one VP8 or VP9 track.
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

    /// The numbers of a packet that is forwarded; `left_out` pictures before it were not, since the
    /// last switch.
    ///
    /// `None` if it belongs to a time before the last switch: then it must not be sent. A packet
    /// without picture id keeps what it has.
    pub fn forward(&mut self, descriptor: &Descriptor, left_out: u16) -> Option<Numbers> {
        let tl0 = descriptor.tl0.unwrap_or_default();
        let key_index = descriptor.key_index.unwrap_or_default();
        let Some(id) = descriptor.picture_id else {
            return Some(Numbers { picture_id: 0, tl0, key_index });
        };
        let left_out = if descriptor.dense { left_out } else { 0 };
        let picture = self.picture(id);
        let value = id.value().wrapping_sub(left_out);
        let own = Numbers { picture_id: value, tl0, key_index };
        let offset = self.offset.unwrap_or_else(|| self.begin(picture, own));
        if picture < offset.from {
            return None;
        }
        let numbers = Numbers {
            picture_id: value.wrapping_sub(offset.picture_id) & id.mask(),
            tl0: tl0.wrapping_sub(offset.tl0),
            key_index: key_index.wrapping_sub(offset.key_index) & KEY_INDEX,
        };
        if self.last.is_none() || picture >= self.last_picture {
            self.last = Some(numbers);
            self.last_picture = picture;
        }
        Some(numbers)
    }

    /// [`Self::forward`] and [`Numbers::apply`] in one; `false` if the packet must not be sent.
    pub fn rewrite(&mut self, descriptor: &Descriptor, payload: &mut [u8]) -> bool {
        let numbers = self.forward(descriptor, 0);
        if let Some(numbers) = numbers {
            numbers.apply(descriptor, payload);
        }
        numbers.is_some()
    }

    /// First picture of a layer: the offset makes it follow the last one given out.
    fn begin(&mut self, picture: u64, own: Numbers) -> Offset {
        let offset = self.last.map_or(Offset::default(), |last| Offset {
            from: 0,
            picture_id: own.picture_id.wrapping_sub(last.picture_id.wrapping_add(1)),
            tl0: own.tl0.wrapping_sub(last.tl0.wrapping_add(1)),
            key_index: own.key_index.wrapping_sub(last.key_index.wrapping_add(1)),
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

/// The bits of a keyframe index.
const KEY_INDEX: u8 = 0x1f;
