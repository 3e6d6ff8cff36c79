//! Seeded random numbers for tests (SplitMix64): the same inputs on every machine.

#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]
/// A generator; its seed is printed by the test that uses it.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// 0 to `limit - 1`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    pub(crate) fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// True `percent` times of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// Flips, cuts, grows or overwrites a valid input.
    pub(crate) fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let length = bytes.len();
            match self.below(5) {
                0 => bytes.truncate(self.below(length + 1)),
                1 => bytes.push(self.byte()),
                _ if length == 0 => {}
                2 => bytes[self.below(length)] ^= 1 << self.below(8),
                3 => bytes[self.below(length)] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                _ => bytes[self.below(length)] = self.byte(),
            }
        }
    }
}
