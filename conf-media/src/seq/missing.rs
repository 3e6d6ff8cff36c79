//! Asks a publisher for packets that did not arrive (generic NACK, RFC 4585).
//!
//! A gap is asked for at once, again every interval, and given up after some tries or when it lies
//! too far back: what a decoder no longer waits for is not worth the bytes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Unwrapper;

/// How a [`MissingPackets`] asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Time between two requests for the same packet; about one round trip.
    pub interval: Duration,
    /// Requests for one packet before it is given up.
    pub tries: u8,
    /// Numbers further behind the highest than this are given up.
    pub reach: u16,
    /// Most packets waited for; the oldest are given up.
    pub most: usize,
}

impl Default for Missing {
    fn default() -> Self {
        Self { interval: Duration::from_millis(100), tries: 10, reach: 512, most: 256 }
    }
}

/// What is missing of one source. Feed it every packet, retransmitted ones too.
#[derive(Clone, Debug)]
pub struct MissingPackets {
    how: Missing,
    numbers: Unwrapper,
    /// Ascending; never longer than `how.most`.
    waiting: VecDeque<Wanted>,
    given_up: u64,
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    number: u64,
    tries: u8,
    due: Instant,
}

impl MissingPackets {
    /// Waits for nothing yet.
    #[must_use]
    pub fn new(how: Missing) -> Self {
        let waiting = VecDeque::with_capacity(how.most);
        Self { how, numbers: Unwrapper::default(), waiting, given_up: 0 }
    }

    /// A packet arrived. Numbers it skips are missing from now on.
    pub fn record(&mut self, sequence: u16, now: Instant) {
        let before = self.numbers.highest();
        let number = self.numbers.extend(sequence);
        let Some(before) = before else { return };
        if number <= before {
            if let Ok(at) = self.waiting.binary_search_by_key(&number, |wanted| wanted.number) {
                self.waiting.remove(at);
            }
            return;
        }
        let oldest = number.saturating_sub(u64::from(self.how.reach));
        while self.waiting.front().is_some_and(|wanted| wanted.number < oldest) {
            self.waiting.pop_front();
            self.given_up = self.given_up.saturating_add(1);
        }
        // At most `reach` numbers are looked at, however far the sequence jumped.
        let first = before.saturating_add(1).max(oldest);
        self.given_up =
            self.given_up.saturating_add(first.saturating_sub(before).saturating_sub(1));
        for missing in first..number {
            self.want(missing, now);
        }
    }

    /// Appends the numbers to ask for now, ascending, and counts a try for each.
    ///
    /// Call it once after a batch of packets (a gap that the same batch closes is not asked for)
    /// and when [`Self::timeout`] passes.
    pub fn poll(&mut self, now: Instant, out: &mut Vec<u16>) {
        let Missing { interval, tries, .. } = self.how;
        let before = self.waiting.len();
        self.waiting.retain(|wanted| wanted.tries < tries || now < wanted.due);
        let dropped = u64::try_from(before.saturating_sub(self.waiting.len())).unwrap_or_default();
        self.given_up = self.given_up.saturating_add(dropped);
        for wanted in &mut self.waiting {
            if now < wanted.due {
                continue;
            }
            wanted.tries = wanted.tries.saturating_add(1);
            wanted.due = now.checked_add(interval).unwrap_or(now);
            out.push(Unwrapper::wrapped(wanted.number));
        }
    }

    /// When something has to be asked for again; `None` while nothing is missing.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.waiting.iter().map(|wanted| wanted.due).min()
    }

    /// How many packets were given up since the start. When it grows, a picture is broken: ask for
    /// a keyframe.
    #[must_use]
    pub fn given_up(&self) -> u64 {
        self.given_up
    }

    /// A packet is missing that was not asked for yet.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.waiting.back().is_some_and(|wanted| wanted.tries == 0)
    }

    /// How many packets are waited for.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Forgets what is missing: the source was paused or started again.
    pub fn reset(&mut self) {
        self.waiting.clear();
        self.numbers = Unwrapper::default();
    }

    fn want(&mut self, number: u64, now: Instant) {
        if self.waiting.len() >= self.how.most {
            self.given_up = self.given_up.saturating_add(1);
            if self.waiting.pop_front().is_none() {
                return;
            }
        }
        self.waiting.push_back(Wanted { number, tries: 0, due: now });
    }
}
