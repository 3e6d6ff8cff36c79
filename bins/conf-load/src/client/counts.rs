//! What a thread has counted, and what happened to single clients.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Names a publisher or subscriber of this process.
pub type ClientId = usize;

/// Something that happened to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// To whom.
    pub client: ClientId,
    /// When.
    pub at: Instant,
    /// What.
    pub step: Step,
}

/// Steps on the way in, and the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The handshake is done: publishers send from now on.
    Connected,
    /// First RTP packet of a subscriber.
    FirstPacket,
    /// First packet of a keyframe at a subscriber.
    FirstKeyframe,
    /// It will not come to media, or no longer does.
    Failed(String),
}

/// Totals since a thread's start, and distributions since they were last asked for.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Packets.
    pub totals: Totals,
    /// From send to the kernel's receive stamp, µs.
    pub latency_us: Histogram<u64>,
    /// How late bursts were sent, µs.
    pub lag_us: Histogram<u64>,
}

/// Numbers of packets; they only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets that publishers sent, each as often as it should arrive.
    pub expected: u64,
    /// Packets that publishers sent.
    pub sent: u64,
    /// Packets that the socket did not take.
    pub unsent: u64,
    /// RTP packets that arrived, each once, without retransmissions under their own source.
    pub delivered: u64,
    /// Sequence numbers that were skipped, less those that came late.
    pub gaps: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Retransmissions under their own source.
    pub retransmitted: u64,
    /// Packets that were opened.
    pub opened: u64,
    /// Packets that did not authenticate.
    pub forged: u64,
    /// Keyframe requests that reached publishers.
    pub keyframes_asked: u64,
    /// Keyframes that publishers sent.
    pub keyframes_sent: u64,
}

impl Totals {
    /// What was added since `before`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        self.each(before, u64::wrapping_sub)
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.each(other, u64::wrapping_add)
    }

    fn each(&self, other: &Self, with: fn(u64, u64) -> u64) -> Self {
        Self {
            expected: with(self.expected, other.expected),
            sent: with(self.sent, other.sent),
            unsent: with(self.unsent, other.unsent),
            delivered: with(self.delivered, other.delivered),
            gaps: with(self.gaps, other.gaps),
            duplicates: with(self.duplicates, other.duplicates),
            retransmitted: with(self.retransmitted, other.retransmitted),
            opened: with(self.opened, other.opened),
            forged: with(self.forged, other.forged),
            keyframes_asked: with(self.keyframes_asked, other.keyframes_asked),
            keyframes_sent: with(self.keyframes_sent, other.keyframes_sent),
        }
    }
}

impl Counts {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, MOST_US, 3).expect("bounds are in order");
        Self { totals: Totals::default(), latency_us: histogram(), lag_us: histogram() }
    }

    /// A copy; the distributions begin anew.
    pub fn take(&mut self) -> Self {
        let taken = self.clone();
        self.latency_us.reset();
        self.lag_us.reset();
        taken
    }

    /// Adds those of another thread.
    pub fn add(&mut self, other: &Self) {
        self.totals = self.totals.plus(&other.totals);
        self.add_distributions(other);
    }

    /// Adds only the distributions.
    pub fn add_distributions(&mut self, other: &Self) {
        let _ = self.latency_us.add(&other.latency_us); // the same bounds
        let _ = self.lag_us.add(&other.lag_us);
    }

    pub(super) fn lag(&mut self, lag: Duration) {
        self.lag_us.saturating_record(u64::try_from(lag.as_micros()).unwrap_or(MOST_US));
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

/// Two minutes: longer latencies count as this.
const MOST_US: u64 = 120_000_000;
