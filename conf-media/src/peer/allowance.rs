//! How often a remote may ask for something: so many at once, then one in a certain time.

use std::time::{Duration, Instant};

/// What one remote has used of an allowance (a leaky bucket as one moment: the generic cell rate
/// algorithm of ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// When nothing of it will be used any more.
    whole_at: Option<Instant>,
}

impl Allowance {
    /// One more, if it is within `burst` at once and one in `every` on average.
    pub(crate) fn take(&mut self, now: Instant, burst: u32, every: Duration) -> bool {
        let whole_at = self.whole_at.map_or(now, |at| at.max(now));
        if whole_at + every > now + every * burst {
            return false;
        }
        self.whole_at = Some(whole_at + every);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    const EVERY: Duration = Duration::from_millis(10);

    #[test]
    fn a_burst_is_let_through_and_then_one_in_a_while() {
        let start = test_clock().mono;
        let mut allowance = Allowance::default();
        let burst = (0..100).filter(|_| allowance.take(start, 5, EVERY)).count();
        assert_eq!(burst, 5);
        let second = (1..=1_000u32)
            .filter(|n| allowance.take(start + Duration::from_millis(u64::from(*n)), 5, EVERY));
        assert_eq!(second.count(), 100);
    }

    #[test]
    fn what_was_not_used_is_not_saved_beyond_the_burst() {
        let start = test_clock().mono;
        let mut allowance = Allowance::default();
        assert!(allowance.take(start, 5, EVERY));
        let later = start + EVERY * 1_000;
        assert_eq!((0..100).filter(|_| allowance.take(later, 5, EVERY)).count(), 5);
    }
}
