//! The two clocks a meeting is handed: it never reads one itself.

use std::time::{Duration, Instant};

/// One reading of both clocks, taken by whoever drives the meeting.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic: grace, rates, time-outs.
    pub mono: Instant,
    /// Wall clock: what people see as the time of something.
    pub wall: jiff::Timestamp,
}

impl Now {
    /// The same reading, `by` later on both clocks. Tests step time with it.
    #[must_use]
    pub fn later(self, by: Duration) -> Self {
        let wall = self.wall.checked_add(by).unwrap_or(self.wall);
        Self { mono: self.mono + by, wall }
    }
}
