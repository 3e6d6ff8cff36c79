//! Asks a publisher for packets that did not arrive (generic NACK, RFC 4585).
//!
//! A gap is asked for at once, again every interval, and given up after some tries or when it lies
//! too far back: what a decoder no longer waits for is not worth the bytes. The interval follows the
//! publisher: how long it took from the first request to the packet, smoothed as round-trip times
//! are (RFC 6298, sections 2 and 3: packets that were asked for twice tell nothing).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Unwrapper;

/// How a [`MissingPackets`] asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Time between two requests for the same packet before the publisher has answered one.
    pub interval: Duration,
    /// The interval is not shorter than the first and not longer than the second.
    pub bounds: (Duration, Duration),
    /// Requests for one packet before it is given up.
    pub tries: u8,
    /// Numbers further behind the highest than this are given up.
    pub reach: u16,
    /// Most packets waited for; the oldest are given up.
    pub most: usize,
}

impl Default for Missing {
    fn default() -> Self {
        let interval = Duration::from_millis(100);
        Self { interval, bounds: (SHORTEST, LONGEST), tries: 10, reach: 512, most: 256 }
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
    /// Time from a request to its packet, and its variation; `None` before the first answer.
    answer: Option<(Duration, Duration)>,
}

#[derive(Clone, Copy, Debug)]
struct Wanted {
    number: u64,
    tries: u8,
    /// When it was last asked for.
    asked: Instant,
    due: Instant,
}

impl MissingPackets {
    /// Waits for nothing yet.
    #[must_use]
    pub fn new(how: Missing) -> Self {
        let waiting = VecDeque::with_capacity(how.most);
        Self { how, numbers: Unwrapper::default(), waiting, given_up: 0, answer: None }
    }

    /// A packet arrived. Numbers it skips are missing from now on.
    pub fn record(&mut self, sequence: u16, now: Instant) {
        let before = self.numbers.highest();
        let number = self.numbers.extend(sequence);
        let Some(before) = before else { return };
        if number <= before {
            let found = self.waiting.binary_search_by_key(&number, |wanted| wanted.number);
            let came = found.ok().and_then(|at| self.waiting.remove(at));
            if let Some(came) = came.filter(|came| came.tries == 1) {
                self.answered(now.saturating_duration_since(came.asked));
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
        let (interval, tries) = (self.interval(), self.how.tries);
        let before = self.waiting.len();
        self.waiting.retain(|wanted| wanted.tries < tries || now < wanted.due);
        let dropped = u64::try_from(before.saturating_sub(self.waiting.len())).unwrap_or_default();
        self.given_up = self.given_up.saturating_add(dropped);
        for wanted in &mut self.waiting {
            if now < wanted.due {
                continue;
            }
            wanted.tries = wanted.tries.saturating_add(1);
            wanted.asked = now;
            wanted.due = now.checked_add(interval).unwrap_or(now);
            out.push(Unwrapper::wrapped(wanted.number));
        }
    }

    /// How long an answer is waited for.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let Some((answer, variation)) = self.answer else { return self.how.interval };
        let wait = answer.saturating_add(variation.saturating_mul(4));
        let (shortest, longest) = self.how.bounds;
        wait.max(shortest).min(longest)
    }

    /// A packet came so long after its only request.
    fn answered(&mut self, after: Duration) {
        self.answer = Some(match self.answer {
            None => (after, part(after, 2)),
            Some((answer, variation)) => {
                let off = answer.abs_diff(after);
                let variation = part(variation.saturating_mul(3).saturating_add(off), 4);
                (part(answer.saturating_mul(7).saturating_add(after), 8), variation)
            }
        });
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
        self.waiting.push_back(Wanted { number, tries: 0, asked: now, due: now });
    }
}

fn part(whole: Duration, of: u32) -> Duration {
    whole.checked_div(of).unwrap_or(whole)
}

/// Packets wait for their batch at both ends.
const SHORTEST: Duration = Duration::from_millis(20);
/// A publisher that takes longer does not answer in time anyway.
const LONGEST: Duration = Duration::from_millis(500);
