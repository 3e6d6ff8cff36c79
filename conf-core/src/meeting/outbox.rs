//! What each participant has been told, so that a lost connection resumes where it broke off.
//!
//! Events are numbered per participant, without gaps, whether or not anybody listens; the last
//! [`RING`] are kept. The event itself is shared by all who receive it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::wire::Event;

/// The numbered events of one participant.
#[derive(Debug, Default)]
pub(super) struct Log {
    last: u64,
    ring: VecDeque<Arc<Event>>,
}

impl Log {
    /// Appends an event and returns its number: 1, 2, 3…
    pub(super) fn push(&mut self, event: Arc<Event>) -> u64 {
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back(event);
        self.last += 1;
        self.last
    }

    /// Number of the newest event; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// The events after number `from`; `None` if that is not a number to resume from: too old, or
    /// never given.
    pub(super) fn since(&self, from: u64) -> Option<Vec<(u64, Arc<Event>)>> {
        let missed = usize::try_from(self.last.checked_sub(from)?).ok()?;
        let skipped = self.ring.len().checked_sub(missed)?;
        Some((from + 1..).zip(self.ring.iter().skip(skipped).cloned()).collect())
    }
}

/// Events kept for each participant.
pub(super) const RING: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ParticipantId;
    use crate::meeting::{LeftReason, ParticipantLeft};

    fn event(number: u64) -> Arc<Event> {
        let id = ParticipantId::from_u64(number);
        Arc::new(Event::ParticipantLeft(ParticipantLeft { id, reason: LeftReason::Left }))
    }

    #[test]
    fn what_was_missed_comes_back_in_order() {
        let mut log = Log::default();
        for number in 1..=5 {
            assert_eq!(log.push(event(number)), number);
        }
        assert_eq!(log.since(3), Some(vec![(4, event(4)), (5, event(5))]));
        assert_eq!(log.since(5), Some(vec![]));
        assert_eq!(log.since(0).map(|all| all.len()), Some(5));
    }

    #[test]
    fn a_number_too_old_or_never_given_cannot_be_resumed_from() {
        let mut log = Log::default();
        assert_eq!((log.since(0), log.since(1)), (Some(vec![]), None));
        for number in 1..=600 {
            log.push(event(number));
        }
        assert_eq!(log.since(600 - 513), None);
        assert_eq!(log.since(600 - 512).map(|all| (all.len(), all[0].0)), Some((512, 89)));
        assert_eq!((log.since(601), log.since(u64::MAX)), (None, None));
    }
}
