//! What may be sent to one subscriber, and when it is shared out anew among its pictures.

use std::time::{Duration, Instant};

use crate::allocate::Fair;

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
        self.allocate_at
    }
}

/// What the layers take changes all the time: so often it is shared out anew.
pub(crate) const AGAIN: Duration = Duration::from_millis(500);
