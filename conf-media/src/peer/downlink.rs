//! What may be sent to one subscriber, and when it is shared out anew among its pictures.

use std::time::{Duration, Instant};

use crate::allocate::Fair;
use crate::bwe::probe::{Planner, Probe};
use crate::bwe::{BandwidthEstimator, Gcc};

/// The way down to one peer.
#[derive(Debug, Default)]
pub(crate) struct Downlink {
    /// Bits per second that somebody set as the most.
    pub(crate) limit: Option<u64>,
    /// Bits per second that the network is taken to carry; `None` while nothing is known.
    pub(crate) estimate: Option<u64>,
    /// Shares it out.
    pub(crate) allocator: Fair,
    /// When that is done next; `None` where there is nothing to share out.
    pub(crate) allocate_at: Option<Instant>,
    /// Bits per second that its subscriber would have a use for.
    pub(crate) wanted: u64,
    /// Estimates what the network carries; `None` where that is not asked for.
    pub(crate) gcc: Option<Box<Gcc>>,
    planner: Planner,
    probe: Option<UnderWay>,
}

/// A probe that is being sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnderWay {
    pub(crate) id: u16,
    left: usize,
    rate: u64,
    next_at: Instant,
}

impl Downlink {
    /// Bits per second; `None` where there is no limit and nothing is known.
    pub(crate) fn available(&self) -> Option<u64> {
        match (self.limit, self.estimate) {
            (Some(limit), Some(estimate)) => Some(limit.min(estimate)),
            (limit, estimate) => limit.or(estimate),
        }
    }

    /// When something is to be done.
    pub(crate) fn due(&self) -> Option<Instant> {
        let probe = self.probe.map(|probe| probe.next_at);
        self.allocate_at.into_iter().chain(probe).min()
    }

    /// A report ends. True if what is sent is to be shared out anew.
    pub(crate) fn reported(&mut self, now: Instant, round_trip: Option<Duration>) -> bool {
        let Some(gcc) = &mut self.gcc else { return false };
        gcc.report(now, round_trip.unwrap_or(FIRST_ROUND_TRIP));
        let Some(estimate) = gcc.estimate() else { return false };
        let before = self.estimate.replace(estimate).unwrap_or(0);
        // Down at once, up when it makes a difference.
        estimate < before - before / 20 || estimate > before + before / 10
    }

    /// Begins a probe, if one is worth it. True if it did.
    pub(crate) fn plan(&mut self, now: Instant) -> bool {
        let (Some(gcc), Some(estimate), None) = (&self.gcc, self.estimate, self.probe) else {
            return false;
        };
        let probe = self.planner.poll(now, estimate, self.wanted, gcc.is_calm(now));
        self.probe =
            probe.map(|Probe { id, rate, bytes }| UnderWay { id, left: bytes, rate, next_at: now });
        self.probe.is_some()
    }

    /// The bytes of a probe that are due now, and which one it is; begun anew, and over, too.
    pub(crate) fn probe_due(&mut self, now: Instant) -> Option<(u16, usize)> {
        let probe = self.probe.as_mut().filter(|probe| now >= probe.next_at)?;
        let step = usize::try_from(probe.rate / 8 * 5 / 1_000).unwrap_or(usize::MAX);
        let bytes = step.max(400).min(probe.left);
        probe.left -= bytes;
        probe.next_at = now + PROBE_STEP;
        let id = probe.id;
        if probe.left == 0 {
            self.probe = None;
        }
        Some((id, bytes))
    }
}

/// A probe goes out in parts.
const PROBE_STEP: Duration = Duration::from_millis(5);
/// Before anything is known.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Bits per second that a new path is believed to carry.
pub(crate) const START: u64 = 1_000_000;

/// What the layers take changes all the time: so often it is shared out anew.
pub(crate) const AGAIN: Duration = Duration::from_millis(500);
