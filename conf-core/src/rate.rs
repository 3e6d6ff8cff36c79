//! A token bucket in one instant of state.
//!
//! Instead of counting tokens it remembers when the bucket would be full again (the generic cell
//! rate algorithm of ITU-T I.371): a refused attempt then changes nothing by construction.

use std::time::{Duration, Instant};

/// Lets `burst` through at once and one more per `interval`.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    interval: Duration,
    /// How far ahead of now `full_at` may be before taking one more.
    tolerance: Duration,
    /// `None`: full.
    full_at: Option<Instant>,
}

impl TokenBucket {
    /// A full bucket; `burst` below one counts as one.
    #[must_use]
    pub fn new(burst: u32, interval: Duration) -> Self {
        Self { interval, tolerance: interval * burst.saturating_sub(1), full_at: None }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// How long until there is one; nothing is taken.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.check(now)?;
        self.full_at = Some(self.full_at.map_or(now, |at| at.max(now)) + self.interval);
        Ok(())
    }

    /// Whether [`Self::take`] would succeed.
    ///
    /// # Errors
    /// How long until it would.
    pub fn check(&self, now: Instant) -> Result<(), Duration> {
        let ahead = self.full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        match ahead.checked_sub(self.tolerance) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// Whether nothing was taken lately.
    #[must_use]
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[expect(clippy::disallowed_methods, reason = "an instant has no other constructor")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_burst_passes_and_then_one_an_interval() {
        let (mut bucket, now) = (TokenBucket::new(3, SECOND), start());
        for _ in 0..3 {
            bucket.take(now).unwrap();
        }
        assert_eq!(bucket.take(now), Err(SECOND));
        assert_eq!(bucket.take(now + SECOND / 4), Err(SECOND * 3 / 4));
        bucket.take(now + SECOND).unwrap();
        assert_eq!(bucket.take(now + SECOND), Err(SECOND));
    }

    #[test]
    fn a_refused_attempt_costs_nothing() {
        let (mut bucket, now) = (TokenBucket::new(1, SECOND), start());
        bucket.take(now).unwrap();
        for _ in 0..100 {
            bucket.take(now).unwrap_err();
        }
        bucket.take(now + SECOND).unwrap();
    }

    #[test]
    fn a_rested_bucket_holds_the_burst_and_not_more() {
        let (mut bucket, now) = (TokenBucket::new(2, SECOND), start());
        bucket.take(now).unwrap();
        assert!(!bucket.is_full(now));
        let later = now + SECOND * 3_600;
        assert!(bucket.is_full(later));
        bucket.take(later).unwrap();
        bucket.take(later).unwrap();
        bucket.take(later).unwrap_err();
    }

    #[test]
    fn a_clock_that_steps_back_lets_nobody_through_early() {
        let (mut bucket, now) = (TokenBucket::new(1, SECOND), start() + SECOND);
        bucket.take(now).unwrap();
        assert_eq!(bucket.take(now - SECOND), Err(SECOND * 2));
    }
}
