//! How round trips, losses and jitter are spread over all streams, without saying whose they are.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is measured when a report comes or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Measure {
    /// Microseconds to a subscriber and back.
    RoundTrip,
    /// Millionths of the packets that a subscriber did not get, since its last report.
    LossOut,
    /// Of those that a publisher sent.
    LossIn,
    /// Microseconds at a subscriber.
    JitterOut,
    /// Of a publisher's packets.
    JitterIn,
}

impl Measure {
    /// All of them, in the order of [`super::Counters::histograms`].
    pub const ALL: [Self; 5] =
        [Self::RoundTrip, Self::LossOut, Self::LossIn, Self::JitterOut, Self::JitterIn];

    /// The name of the metric and of its direction.
    #[must_use]
    pub fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::RoundTrip => ("round_trip_seconds", "out"),
            Self::LossOut => ("fraction_lost", "out"),
            Self::LossIn => ("fraction_lost", "in"),
            Self::JitterOut => ("jitter_seconds", "out"),
            Self::JitterIn => ("jitter_seconds", "in"),
        }
    }

    /// Upper bounds of all classes but the last, in millionths.
    #[must_use]
    pub fn bounds(self) -> [u64; CLASSES - 1] {
        match self {
            Self::RoundTrip => [5_000, 20_000, 50_000, 100_000, 200_000, 400_000, 1_000_000],
            Self::LossOut | Self::LossIn => [0, 5_000, 10_000, 20_000, 50_000, 100_000, 300_000],
            Self::JitterOut | Self::JitterIn => {
                [1_000, 5_000, 10_000, 20_000, 50_000, 100_000, 500_000]
            }
        }
    }
}

/// Counts by class; Prometheus wants them summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How often a value fell into each class.
    pub counts: [u64; CLASSES],
    /// Of all values, in millionths.
    pub sum: u64,
}

impl Histogram {
    /// Counts one value, in millionths.
    pub(crate) fn record(&mut self, measure: Measure, value: u64) {
        let bounds = measure.bounds();
        let class = bounds.iter().position(|bound| value <= *bound).unwrap_or(CLASSES - 1);
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(value);
    }

    /// How many values there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

impl Histogram {
    pub(super) fn add(&mut self, other: &Self) {
        for (count, other) in self.counts.iter_mut().zip(&other.counts) {
            *count += other;
        }
        self.sum = self.sum.saturating_add(other.sum);
    }
}

/// A copy that other threads read.
#[derive(Debug, Default)]
pub(super) struct Mirrored {
    counts: [AtomicU64; CLASSES],
    sum: AtomicU64,
}

impl Mirrored {
    pub(super) fn store(&self, histogram: &Histogram) {
        for (mirror, &count) in self.counts.iter().zip(&histogram.counts) {
            mirror.store(count, Ordering::Relaxed);
        }
        self.sum.store(histogram.sum, Ordering::Relaxed);
    }

    pub(super) fn load(&self) -> Histogram {
        let counts = self.counts.each_ref().map(|count| count.load(Ordering::Relaxed));
        Histogram { counts, sum: self.sum.load(Ordering::Relaxed) }
    }
}

/// Classes of each measure.
pub const CLASSES: usize = 8;
