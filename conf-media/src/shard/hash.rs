//! A fast keyed hash for the shard's own maps.
//!
//! Multiply-and-fold over 64-bit words, keyed by the shard's seed, so that a remote who picks its
//! port or its synchronisation sources cannot aim for one bucket. The maps are small and capped;
//! nothing cryptographic hangs on it.

use std::hash::{BuildHasher, Hasher};

/// Makes hashers with the shard's key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded(pub(crate) u64);

impl BuildHasher for Seeded {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding { state: self.0 ^ FIRST, key: self.0 | 1 }
    }
}

/// The state of one hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Folding {
    state: u64,
    key: u64,
}

impl Hasher for Folding {
    fn finish(&self) -> u64 {
        fold(self.state, SECOND ^ self.key)
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.write_u64(u64::from_le_bytes(chunk.try_into().unwrap_or_default()));
        }
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(chunks.remainder()) {
            *to = *from;
        }
        self.write_u64(u64::from_le_bytes(last) ^ ((bytes.len() as u64) << 56));
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.state = fold(self.state ^ n, FIRST ^ self.key);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
}

/// Both halves of the 128-bit product, mixed.
#[expect(clippy::cast_possible_truncation, reason = "the two halves of the product")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A number that follows from the seed and `what`: sources of our reports, first sequence numbers.
pub(crate) fn derive(seed: u64, what: u64) -> u64 {
    Seeded(seed).hash_one(what)
}

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd1b5_4a32_d192_ed03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_keys_spread_and_the_seed_changes_where() {
        let low = |seed: u64| -> Vec<u64> { (0..64).map(|n| derive(seed, n) % 64).collect() };
        let mut buckets = low(1);
        buckets.sort_unstable();
        buckets.dedup();
        assert!(buckets.len() > 28, "{} of 64 buckets", buckets.len());
        assert_ne!(low(1), low(2));
    }
}
