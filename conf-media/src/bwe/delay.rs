//! Does a queue grow? Delay against time, as a line through the last groups of packets.
//!
//! Packets that leave within [`BURST`] are one group. From group to group the queue has grown by as
//! much as they arrived further apart than they were sent; the sum of that, smoothed, is fitted by a
//! line over the last [`WINDOW`] groups. Its slope against a threshold that adapts to how noisy the
//! path is says whether the path is used too much (draft-ietf-rmcat-gcc-02, sections 5.3 to 5.5,
//! with a trend line instead of the Kalman filter).

use std::collections::VecDeque;
use std::time::Duration;

/// How a path is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usage {
    /// No queue grows or shrinks.
    #[default]
    Normal,
    /// A queue grows.
    Over,
    /// A queue becomes empty.
    Under,
}

/// The detector.
#[derive(Debug, Default)]
pub(super) struct Delay {
    current: Option<Group>,
    before: Option<Group>,
    /// Arrival and smoothed delay in milliseconds since the first group, newest last.
    samples: VecDeque<(f64, f64)>,
    first_arrival: Option<Duration>,
    delay: f64,
    smoothed: f64,
    groups: u32,
    detector: Detector,
    /// The least delays of the last spans, newest last: what there is without a queue.
    least: VecDeque<f64>,
    span_began: f64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: Duration,
    sent: Duration,
    arrived: Duration,
    first_arrived: Duration,
}

impl Delay {
    pub(super) fn usage(&self) -> Usage {
        self.detector.usage
    }

    /// How long packets wait in a queue, in milliseconds, as far as it was ever seen empty lately.
    pub(super) fn queue(&self) -> f64 {
        let least = self.least.iter().copied().fold(f64::INFINITY, f64::min);
        if least.is_finite() { (self.smoothed - least).max(0.0) } else { 0.0 }
    }

    /// A packet arrived; in the order of sending.
    pub(super) fn packet(&mut self, sent: Duration, arrived: Duration) {
        let alone = Group { first_sent: sent, sent, arrived, first_arrived: arrived };
        let Some(group) = &mut self.current else {
            self.current = Some(alone);
            return;
        };
        if sent < group.first_sent {
            return; // of an older group
        }
        if group.takes(sent, arrived) {
            group.sent = group.sent.max(sent);
            group.arrived = group.arrived.max(arrived);
            return;
        }
        let done = std::mem::replace(group, alone);
        if let Some(before) = self.before.replace(done) {
            self.group(&before, &done);
        }
    }

    fn group(&mut self, before: &Group, group: &Group) {
        let sent = milliseconds(group.sent) - milliseconds(before.sent);
        let arrived = milliseconds(group.arrived) - milliseconds(before.arrived);
        if arrived.abs() > RESET_MS {
            *self = Self { current: self.current, ..Self::default() };
            return;
        }
        let first = *self.first_arrival.get_or_insert(group.arrived);
        let at = milliseconds(group.arrived) - milliseconds(first);
        self.groups = self.groups.saturating_add(1);
        self.delay += arrived - sent;
        self.smoothed = SMOOTH * self.smoothed + (1.0 - SMOOTH) * self.delay;
        self.note_least(at);
        self.samples.push_back((at, self.smoothed));
        if self.samples.len() > WINDOW {
            self.samples.pop_front();
        }
        if self.samples.len() == WINDOW {
            let trend = slope(&self.samples);
            self.detector.update(trend, f64::from(self.groups.min(60)), sent, at);
        }
    }
}

impl Delay {
    fn note_least(&mut self, at: f64) {
        if self.least.is_empty() || at - self.span_began > SPAN_MS {
            self.span_began = at;
            self.least.push_back(self.smoothed);
            if self.least.len() > SPANS {
                self.least.pop_front();
            }
        }
        if let Some(least) = self.least.back_mut() {
            *least = least.min(self.smoothed);
        }
    }
}

impl Group {
    /// Sent with the group, or caught up with it: what a burst left behind in a queue arrives at once.
    fn takes(&self, sent: Duration, arrived: Duration) -> bool {
        if sent.saturating_sub(self.first_sent) <= BURST {
            return true;
        }
        let later = milliseconds(arrived) - milliseconds(self.arrived);
        let propagation = later - (milliseconds(sent) - milliseconds(self.sent));
        let burst = arrived.saturating_sub(self.first_arrived);
        propagation < 0.0 && later <= BURST_MS && burst < MOST_BURST
    }
}

/// Compares the trend with a threshold of its own.
#[derive(Debug)]
struct Detector {
    usage: Usage,
    threshold: f64,
    updated: Option<f64>,
    over_for: f64,
    over_count: u32,
    before: f64,
}

impl Default for Detector {
    fn default() -> Self {
        let (over_for, over_count, before) = Default::default();
        let usage = Usage::Normal;
        Self { usage, threshold: FIRST_THRESHOLD, updated: None, over_for, over_count, before }
    }
}

impl Detector {
    fn update(&mut self, trend: f64, groups: f64, sent: f64, at: f64) {
        let scaled = groups * trend * GAIN;
        if scaled > self.threshold {
            self.over_for += if self.over_count == 0 { sent / 2.0 } else { sent };
            self.over_count = self.over_count.saturating_add(1);
            if self.over_for > OVER_MS && self.over_count > 1 && trend >= self.before {
                (self.over_for, self.over_count) = (0.0, 0);
                self.usage = Usage::Over;
            }
        } else {
            (self.over_for, self.over_count) = (0.0, 0);
            self.usage = if scaled < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.before = trend;
        self.adapt(scaled, at);
    }

    /// The threshold follows the noise, slowly down and slower up (section 5.4).
    fn adapt(&mut self, scaled: f64, at: f64) {
        let passed = (at - self.updated.replace(at).unwrap_or(at)).clamp(0.0, 100.0);
        let size = scaled.abs();
        if size > self.threshold + FAR {
            return; // a step of the path, no noise
        }
        let rate = if size < self.threshold { 0.039 } else { 0.0087 };
        self.threshold += rate * (size - self.threshold) * passed;
        self.threshold = self.threshold.clamp(6.0, 600.0);
    }
}

/// Least squares.
fn slope(samples: &VecDeque<(f64, f64)>) -> f64 {
    let count = f64::from(u32::try_from(samples.len()).unwrap_or(1).max(1));
    let (x, y) = samples.iter().fold((0.0, 0.0), |(x, y), sample| (x + sample.0, y + sample.1));
    let (x, y) = (x / count, y / count);
    let (mut numerator, mut denominator) = (0.0, 0.0);
    for sample in samples {
        numerator += (sample.0 - x) * (sample.1 - y);
        denominator += (sample.0 - x) * (sample.0 - x);
    }
    if denominator > 0.0 { numerator / denominator } else { 0.0 }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// Packets that leave within this are one group.
const BURST: Duration = Duration::from_millis(5);
const BURST_MS: f64 = 5.0;
const MOST_BURST: Duration = Duration::from_millis(100);
/// Groups of a line.
const WINDOW: usize = 20;
const SMOOTH: f64 = 0.9;
/// Clocks drift apart, and paths change: what is older says nothing.
const SPANS: usize = 10;
const SPAN_MS: f64 = 3_000.0;
const GAIN: f64 = 4.0;
const FIRST_THRESHOLD: f64 = 12.5;
/// Above the threshold for so long.
const OVER_MS: f64 = 10.0;
const FAR: f64 = 15.0;
/// Arrivals this far apart: the receiver's clock jumped, or nothing was sent.
const RESET_MS: f64 = 3_000.0;
