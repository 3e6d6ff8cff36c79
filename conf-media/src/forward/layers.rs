//! Which of several encodings of a track is forwarded: the highest one that lives, of those that a
//! subscriber is to get.
//!
//! A browser stops the higher layers when its uplink or its processor is too weak, without saying
//! so. An encoding counts as dead when it has been silent for [`QUIET`] while another one went on:
//! a still screen, where all of them pause, changes nothing.

use std::time::{Duration, Instant};

/// Most encodings of one track; browsers send three.
pub(crate) const MAX_ENCODINGS: usize = 4;

/// What is known of the encodings of one track, lowest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    last: [Option<Instant>; MAX_ENCODINGS],
    best: Option<usize>,
}

impl Layers {
    /// A packet of an encoding came; `true` if another one is now the best.
    pub(crate) fn handle(&mut self, now: Instant, encoding: usize) -> bool {
        if let Some(last) = self.last.get_mut(encoding) {
            *last = Some(now);
        }
        match self.best {
            Some(best) if best == encoding => false,
            Some(best) if best > encoding && !self.is_dead(best, now) => false,
            _ => {
                let before = self.best;
                self.best = Some(self.highest_live(now).unwrap_or(encoding));
                self.best != before
            }
        }
    }

    /// The encoding to forward; `None` before the first packet.
    #[must_use]
    pub(crate) fn best(&self) -> Option<usize> {
        self.best
    }

    /// The encoding to forward to whom at most the one at each index is to be sent: the highest one
    /// below that lives, else the lowest one that does, else the best.
    #[must_use]
    pub(crate) fn goals(&self, now: Instant) -> [Option<usize>; MAX_ENCODINGS] {
        let lives: [bool; MAX_ENCODINGS] = std::array::from_fn(|at| !self.is_dead(at, now));
        let lowest = lives.iter().position(|&lives| lives).or(self.best);
        let mut goal = lowest;
        std::array::from_fn(|at| {
            if lives.get(at).is_some_and(|&lives| lives) {
                goal = Some(at);
            }
            goal
        })
    }

    /// Whether an encoding had a packet within [`QUIET`].
    #[must_use]
    pub(crate) fn is_live(&self, encoding: usize, now: Instant) -> bool {
        !self.is_dead(encoding, now)
    }

    fn highest_live(&self, now: Instant) -> Option<usize> {
        (0..MAX_ENCODINGS).rev().find(|&encoding| !self.is_dead(encoding, now))
    }

    fn is_dead(&self, encoding: usize, now: Instant) -> bool {
        let last = self.last.get(encoding).copied().flatten();
        last.is_none_or(|at| now.saturating_duration_since(at) > QUIET)
    }
}

/// Silence after which an encoding counts as stopped, when another one goes on.
pub(crate) const QUIET: Duration = Duration::from_millis(1200);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    #[test]
    fn the_highest_encoding_is_taken_as_soon_as_it_shows() {
        let now = test_clock().mono;
        let mut layers = Layers::default();
        assert!(layers.handle(now, 0));
        assert_eq!(layers.best(), Some(0));
        assert!(layers.handle(now, 2));
        assert_eq!(layers.best(), Some(2));
        assert!(!layers.handle(now, 1));
        assert_eq!(layers.best(), Some(2));
    }

    #[test]
    fn a_lower_one_takes_over_when_the_higher_dies() {
        let now = test_clock().mono;
        let mut layers = Layers::default();
        layers.handle(now, 0);
        layers.handle(now, 2);
        assert!(!layers.handle(now + QUIET / 2, 0));
        assert!(layers.handle(now + QUIET * 2, 0));
        assert_eq!(layers.best(), Some(0));
    }

    #[test]
    fn below_a_limit_the_highest_live_one_is_taken_and_above_it_only_if_nothing_else_lives() {
        let now = test_clock().mono;
        let mut layers = Layers::default();
        assert_eq!(layers.goals(now), [None; MAX_ENCODINGS]);
        layers.handle(now, 1);
        layers.handle(now, 2);
        assert_eq!(layers.goals(now), [Some(1), Some(1), Some(2), Some(2)]);
        layers.handle(now + QUIET * 2, 2);
        assert_eq!(layers.goals(now + QUIET * 2), [Some(2); MAX_ENCODINGS]);
        assert_eq!(layers.goals(now + QUIET * 9), [Some(2); MAX_ENCODINGS], "all are silent");
    }

    #[test]
    fn a_pause_of_all_encodings_changes_nothing() {
        let now = test_clock().mono;
        let mut layers = Layers::default();
        layers.handle(now, 0);
        layers.handle(now, 2);
        let later = now + QUIET * 10;
        assert!(!layers.handle(later, 2));
        assert_eq!(layers.best(), Some(2));
    }
}
