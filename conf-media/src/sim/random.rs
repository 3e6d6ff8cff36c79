//! Seeded random numbers (SplitMix64): the same on every machine.

use std::time::Duration;

/// A generator; whoever makes one names its seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Any seed will do.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// From 0 to `limit`, which is left out; 0 for a limit of 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.bits().checked_rem(limit).unwrap_or_default()
    }

    /// From 0 to 1, which is left out.
    pub fn unit(&mut self) -> f64 {
        let upper = u32::try_from(self.bits() >> 32).unwrap_or_default();
        f64::from(upper) / (f64::from(u32::MAX) + 1.0)
    }

    /// True in this share of cases. Nothing is drawn where the answer is certain, so that a run
    /// does not change with a feature that is switched off.
    pub fn chance(&mut self, share: f64) -> bool {
        share > 0.0 && (share >= 1.0 || self.unit() < share)
    }

    /// From zero to `most`.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        if most.is_zero() { most } else { most.mul_f64(self.unit()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_sequence_and_shares_come_out_as_asked() {
        let (mut one, mut same) = (Random::new(7), Random::new(7));
        assert!((0..100).all(|_| one.bits() == same.bits()));
        let hits = (0..10_000).filter(|_| one.chance(0.1)).count();
        assert!((900..1_100).contains(&hits), "{hits}");
        assert!(one.chance(1.0) && !one.chance(0.0));
        assert!((0..1_000).all(|_| one.unit() < 1.0));
    }
}
