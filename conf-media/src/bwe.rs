//! How much a subscriber's network takes, from when it reports that packets arrived.
//!
//! A [`BandwidthEstimator`] hears of each packet that was reported on, in the order of sending, and
//! says how many bits per second the path is believed to carry. [`Gcc`] is the one in use: Google's
//! congestion control. It watches delay, which grows before packets are lost (`delay`), the rate at
//! which packets arrive (`acked`), and loss (`loss`); what it may believe grows slowly and falls at
//! once (`aimd`). What was never tried is not known: so a sender with less to send than the path
//! takes must [`probe`] it before it sends more.
//!
//! Reports may lie. What they can do is bounded: an estimate is never above [`MOST`] nor below
//! [`LEAST`], and never far above what was really sent.
//!
//! Sources: draft-ietf-rmcat-gcc-02; draft-holmer-rmcat-transport-wide-cc-extensions-01.

mod acked;
mod aimd;
mod delay;
mod loss;
pub mod probe;

use std::fmt;
use std::time::{Duration, Instant};

use acked::Acked;
use aimd::Aimd;
use delay::Delay;
pub use delay::Usage;
use loss::Loss;
use probe::Prober;

/// One packet on which there is a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When it was sent, since any moment that stays the same.
    pub sent: Duration,
    /// When it arrived, on the receiver's clock, which starts anywhere; `None`: it did not.
    pub arrived: Option<Duration>,
    /// With all headers above IP.
    pub bytes: usize,
    /// The probe that it was part of.
    pub probe: Option<u16>,
}

/// Says what a path takes. One for each subscriber; tried out in `sim` without the rest.
pub trait BandwidthEstimator: fmt::Debug {
    /// A packet that was reported on; in the order of sending, each once.
    fn packet(&mut self, outcome: Outcome);

    /// A report ends; all its packets came before. `round_trip` is that of its newest packet.
    fn report(&mut self, now: Instant, round_trip: Duration);

    /// The receiver says itself how much it takes (REMB), in bits per second.
    fn receiver_says(&mut self, now: Instant, bits_per_second: u64);

    /// Bits per second; `None` before the first report.
    fn estimate(&self) -> Option<u64>;
}

/// Google's congestion control.
#[derive(Debug)]
pub struct Gcc {
    delay: Delay,
    acked: Acked,
    aimd: Aimd,
    loss: Loss,
    prober: Prober,
    remb: Option<(Instant, u64)>,
    /// `None` before the first report.
    estimate: Option<u64>,
}

impl Gcc {
    /// Begins with this belief, in bits per second.
    #[must_use]
    pub fn new(start: u64) -> Self {
        let start = start.clamp(LEAST, MOST);
        Self {
            delay: Delay::default(),
            acked: Acked::default(),
            aimd: Aimd::new(start),
            loss: Loss::default(),
            prober: Prober::default(),
            remb: None,
            estimate: None,
        }
    }

    /// Where the delay stands.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.delay.usage()
    }

    /// No queue grows, and none did for a while: a probe would not only take from others.
    #[must_use]
    pub fn is_calm(&self, now: Instant) -> bool {
        self.delay.usage() == Usage::Normal && self.aimd.is_calm(now)
    }

    /// Bits per second that arrive; `None` before enough did.
    #[must_use]
    pub fn throughput(&self) -> Option<u64> {
        self.acked.rate()
    }
}

impl BandwidthEstimator for Gcc {
    fn packet(&mut self, outcome: Outcome) {
        self.loss.packet(outcome.arrived.is_none());
        let Some(arrived) = outcome.arrived else { return };
        self.delay.packet(outcome.sent, arrived);
        self.acked.packet(arrived, outcome.bytes);
        if let Some(probe) = outcome.probe {
            self.prober.packet(probe, outcome.sent, arrived, outcome.bytes);
        }
    }

    fn report(&mut self, now: Instant, round_trip: Duration) {
        let round_trip = round_trip.clamp(SHORTEST, LONGEST);
        let throughput = self.acked.rate();
        let usage = self.delay.usage();
        let calm = usage != Usage::Over;
        if let Some(probed) = self.prober.take().filter(|_| calm) {
            self.aimd.probed(now, probed);
            self.loss.probed(probed);
        }
        let by_delay = self.aimd.update(
            now,
            (usage, self.delay.queue(), self.loss.share()),
            throughput,
            round_trip,
        );
        let by_loss = self.loss.update(now, by_delay, usage == Usage::Over, round_trip);
        self.aimd.limit(by_loss);
        self.estimate = Some(by_delay.min(by_loss).clamp(LEAST, MOST));
    }

    fn receiver_says(&mut self, now: Instant, bits_per_second: u64) {
        self.remb = Some((now, bits_per_second.clamp(LEAST, MOST)));
    }

    fn estimate(&self) -> Option<u64> {
        let remb = self.remb.map(|(_, rate)| rate);
        self.estimate.or(remb).map(|rate| rate.min(remb.unwrap_or(rate)))
    }
}

/// Below this nothing but sound goes.
pub const LEAST: u64 = 30_000;
/// No subscriber needs more.
pub const MOST: u64 = 100_000_000;
/// Round trips are believed within these.
const SHORTEST: Duration = Duration::from_millis(5);
const LONGEST: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
