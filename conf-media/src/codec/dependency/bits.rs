//! Bits of a descriptor, most significant first.

/// Reads numbers bit by bit; `None` at the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        let byte = *self.bytes.get(self.at >> 3)?;
        let bit = 0x80 >> (self.at & 7);
        self.at = self.at.saturating_add(1);
        Some(byte & bit != 0)
    }

    /// The next `count` bits, at most 32, as a number.
    pub(super) fn number(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = (value << 1) | u32::from(self.flag()?);
        }
        Some(value)
    }

    /// The same for numbers of at most 8 bits.
    pub(super) fn small(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.number(count)?).ok()
    }

    /// A number below `limit`, which takes as few bits as that allows: `ns(n)` of the AV1
    /// specification, section 4.10.7.
    pub(super) fn below(&mut self, limit: u32) -> Option<u32> {
        let width = u32::BITS.saturating_sub(limit.leading_zeros());
        let short = (1u32.checked_shl(width)?).saturating_sub(limit);
        let value = self.number(width.checked_sub(1)?)?;
        if value < short {
            return Some(value);
        }
        let extra = u32::from(self.flag()?);
        (value << 1).checked_add(extra)?.checked_sub(short)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_read_from_the_highest_on_and_end_where_the_bytes_end() {
        let mut bits = Bits::new(&[0b1010_0000, 0xff]);
        assert_eq!((bits.flag(), bits.number(3)), (Some(true), Some(0b010)));
        assert_eq!(bits.number(12), Some(0xff));
        assert_eq!((bits.flag(), bits.number(1)), (None, None));
        assert_eq!(bits.number(0), Some(0));
    }

    #[test]
    fn a_number_below_five_takes_two_or_three_bits() {
        // The table of the AV1 specification, section 4.10.7, for n = 5.
        let read = |byte: u8| Bits::new(&[byte]).below(5);
        let values = [0b0000_0000, 0b0100_0000, 0b1000_0000, 0b1100_0000, 0b1110_0000].map(read);
        assert_eq!(values, [0, 1, 2, 3, 4].map(Some));
        assert_eq!(Bits::new(&[]).below(1), Some(0));
        assert_eq!(Bits::new(&[0]).below(0), None);
    }
}
