//! What loss allows.
//!
//! A queue that is full loses packets, and so does a bad radio link; less is sent only because of the
//! first. So the share that is lost whatever is sent (the least one of the last seconds) is taken off:
//! only loss beyond it counts (the idea of inherent loss in loss-based estimation, version 2). Up to
//! 2 % beyond it the rate may grow, above 10 % it falls (draft-ietf-rmcat-gcc-02, section 6).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{LEAST, MOST};

/// The rate that loss allows.
#[derive(Debug)]
pub(super) struct Loss {
    rate: f64,
    lost: u32,
    total: u32,
    window_began: Option<Instant>,
    /// Shares of the last windows.
    windows: VecDeque<f64>,
    share: f64,
    decreased: Option<Instant>,
    updated: Option<Instant>,
}

impl Default for Loss {
    /// Nothing was lost yet: everything is allowed.
    fn default() -> Self {
        let (lost, total, share) = Default::default();
        let (window_began, decreased, updated) = Default::default();
        let windows = VecDeque::new();
        Self { rate: most(), lost, total, window_began, windows, share, decreased, updated }
    }
}

impl Loss {
    pub(super) fn packet(&mut self, lost: bool) {
        self.total = self.total.saturating_add(1);
        self.lost = self.lost.saturating_add(u32::from(lost));
    }

    pub(super) fn probed(&mut self, rate: u64) {
        self.rate = self.rate.max(approximate(rate));
    }

    /// Of the last window.
    pub(super) fn share(&self) -> f64 {
        self.share
    }

    /// `by_delay` is what delay allows: below it a decrease starts there.
    pub(super) fn update(
        &mut self,
        now: Instant,
        by_delay: u64,
        over: bool,
        round_trip: Duration,
    ) -> u64 {
        let began = *self.window_began.get_or_insert(now);
        if now.saturating_duration_since(began) >= WINDOW && self.total >= FEW {
            let share = f64::from(self.lost) / f64::from(self.total.max(1));
            self.share = share;
            (self.lost, self.total, self.window_began) = (0, 0, Some(now));
            self.windows.push_back(share);
            if self.windows.len() > WINDOWS {
                self.windows.pop_front();
            }
            self.judge(now, by_delay, over, round_trip);
        }
        whole(self.rate)
    }

    fn judge(&mut self, now: Instant, by_delay: u64, over: bool, round_trip: Duration) {
        let passed = now.saturating_duration_since(*self.updated.get_or_insert(now));
        self.updated = Some(now);
        let beyond = self.share - self.inherent();
        if beyond > 0.10 || (over && beyond > 0.05) {
            let settle = round_trip + Duration::from_millis(300);
            if self.decreased.is_none_or(|at| now >= at + settle) {
                self.decreased = Some(now);
                let from = self.rate.min(approximate(by_delay));
                self.rate = from * (1.0 - 0.5 * beyond);
            }
        } else if beyond < 0.02 {
            let more = 1.08f64.powf(passed.as_secs_f64().min(2.0) * 4.0);
            self.rate = (self.rate * more).min(most());
        }
        self.rate = self.rate.max(approximate(LEAST));
    }

    /// What is lost whatever is sent.
    fn inherent(&self) -> f64 {
        if self.windows.len() < 3 {
            return self.windows.iter().copied().fold(0.0, f64::max).min(0.05);
        }
        self.windows.iter().copied().fold(1.0, f64::min).min(MOST_INHERENT)
    }
}

#[expect(clippy::cast_precision_loss, reason = "bits are compared, not counted")]
fn approximate(bits: u64) -> f64 {
    bits as f64
}

fn most() -> f64 {
    approximate(MOST)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(bits: f64) -> u64 {
    bits as u64
}

const WINDOW: Duration = Duration::from_millis(400);
/// Windows that are remembered: eight seconds.
const WINDOWS: usize = 20;
/// Packets without which a share says nothing.
const FEW: u32 = 20;
const MOST_INHERENT: f64 = 0.25;
