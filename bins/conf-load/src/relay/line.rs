//! One direction of the relay: a link that several tasks send over.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use conf_media::sim::{Fate, Link, LinkStats, Plan};

/// A link behind a lock that is held for one packet.
#[derive(Debug)]
pub(super) struct Line(Mutex<Link>);

impl Line {
    pub(super) fn new(now: Instant, plan: &Plan, seed: u64) -> Self {
        Self(Mutex::new(Link::new(now, plan, seed)))
    }

    /// A packet is sent now.
    pub(super) fn push(&self, bytes: usize) -> Fate {
        let mut link = self.lock();
        // Read under the lock: for the link, time must not go back.
        let now = crate::clock::now();
        link.push(now, bytes)
    }

    pub(super) fn stats(&self) -> LinkStats {
        self.lock().stats()
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
