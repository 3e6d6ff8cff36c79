//! The two clocks a machine is handed: it never reads one itself.

use std::time::Instant;

/// One reading of both clocks, taken by whoever owns the sockets, once per batch.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Monotonic: intervals, time-outs.
    pub mono: Instant,
    /// Wall clock: sender reports carry it (RFC 3550, section 6.4.1).
    pub wall: jiff::Timestamp,
}

impl Now {
    /// The same reading, `by` later on both clocks. Tests and the simulator step time with it.
    #[must_use]
    pub fn later(self, by: std::time::Duration) -> Self {
        let wall = self.wall.checked_add(by).unwrap_or(self.wall);
        Self { mono: self.mono + by, wall }
    }
}
