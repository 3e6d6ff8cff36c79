//! Who listens without being a participant: players of tools. They have no names, but nobody
//! listens unseen, so everybody is told how many there are.
//!
//! An audience comes and goes by the thousand; it is told at most once a second.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::wire::Event;

/// There are more or fewer who listen without being participants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ListenersChanged {
    /// How many.
    pub listeners: usize,
}

/// How many listen, and what everybody was told last.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    count: usize,
    told: usize,
    /// When it may be told again; `None`: at once.
    tell_at: Option<Instant>,
}

impl Listeners {
    /// As everybody was told last.
    pub(super) fn told(&self) -> usize {
        self.told
    }

    /// So many there are now; what to tell, if anything.
    pub(super) fn set(&mut self, count: usize, now: Instant) -> Option<Event> {
        self.count = count;
        if self.tell_at.is_some() { None } else { self.tell(now) }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Option<Event> {
        if self.tell_at.is_none_or(|at| at > now) {
            return None;
        }
        self.tell_at = None;
        self.tell(now)
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.tell_at
    }

    fn tell(&mut self, now: Instant) -> Option<Event> {
        if self.told == self.count {
            return None;
        }
        self.told = self.count;
        self.tell_at = Some(now + INTERVAL);
        Some(Event::ListenersChanged(ListenersChanged { listeners: self.count }))
    }
}

const INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_a_storm_once_a_second() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do as the first")]
        let start = Instant::now();
        let changed = |listeners| Some(Event::ListenersChanged(ListenersChanged { listeners }));
        let mut listeners = Listeners::default();
        assert_eq!(listeners.set(1, start), changed(1));
        for count in 2..500 {
            assert_eq!(listeners.set(count, start), None);
        }
        let later = listeners.timeout().unwrap();
        assert_eq!(later - start, INTERVAL);
        assert_eq!(listeners.handle_timeout(later), changed(499));
        assert_eq!(listeners.handle_timeout(later + INTERVAL), None);
        assert_eq!((listeners.timeout(), listeners.told()), (None, 499));
        assert_eq!(listeners.set(499, later), None);
    }
}
