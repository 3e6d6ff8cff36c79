//! What may be believed: up slowly, down at once (draft-ietf-rmcat-gcc-02, section 5.5).

use std::time::{Duration, Instant};

use super::delay::Usage;
use super::{LEAST, MOST};

/// The rate that delay allows.
#[derive(Debug)]
pub(super) struct Aimd {
    rate: f64,
    state: State,
    updated: Option<Instant>,
    decreased: Option<Instant>,
    /// Throughput at which queues grew, and its deviation, bits per second.
    capacity: Option<(f64, f64)>,
    /// A probe has shown that the path takes this much.
    proved: f64,
    /// Since when there has been a queue, and how often less was sent for it.
    crowded: Option<(Instant, u32)>,
    /// A look whether the others have gone: until when, the queue before, and the rate to go back to.
    look: Option<(Instant, f64, f64)>,
    look_at: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Hold,
    Increase,
}

impl Aimd {
    pub(super) fn new(start: u64) -> Self {
        Self {
            rate: approximate(start),
            state: State::Increase,
            updated: None,
            decreased: None,
            capacity: None,
            proved: approximate(start) * 2.0,
            crowded: None,
            look: None,
            look_at: None,
        }
    }

    /// Nothing had to be taken back lately.
    pub(super) fn is_calm(&self, now: Instant) -> bool {
        self.decreased.is_none_or(|at| now >= at + CALM)
    }

    /// A probe arrived at this rate.
    pub(super) fn probed(&mut self, now: Instant, rate: u64) {
        let rate = approximate(rate);
        if rate > self.rate {
            self.rate = rate;
            self.proved = rate;
            self.capacity = None;
            self.updated = Some(now);
        }
    }

    /// Loss allows no more than this: nothing is gained by going further.
    pub(super) fn limit(&mut self, rate: u64) {
        self.rate = self.rate.min(approximate(rate) * 1.5);
    }

    pub(super) fn update(
        &mut self,
        now: Instant,
        (usage, queue, lost): (Usage, f64, f64),
        throughput: Option<u64>,
        round_trip: Duration,
    ) -> u64 {
        let passed = now.saturating_duration_since(*self.updated.get_or_insert(now));
        self.updated = Some(now);
        let passed = passed.min(Duration::from_secs(1)).as_secs_f64();
        let throughput = throughput.map(approximate);
        match usage {
            _ if self.competes(now, queue) => {
                if !self.looks(now, queue) {
                    self.share(now, lost, round_trip, passed);
                }
            }
            Usage::Over => {
                // Once a round trip: what was sent before cannot know of the last decrease.
                let again = self.decreased.is_none_or(|at| now >= at + round_trip.max(AGAIN));
                if again {
                    let back = if queue > CROWDED_MS { FAR_BACK } else { BACK };
                    self.decrease(now, throughput, back);
                }
                self.state = State::Hold;
            }
            Usage::Under => self.state = State::Hold,
            Usage::Normal if self.state == State::Hold => self.state = State::Increase,
            Usage::Normal => self.increase(throughput, round_trip, passed),
        }
        self.rate = self.rate.clamp(approximate(LEAST), approximate(MOST));
        whole(self.rate)
    }

    /// A queue that never becomes empty although less was sent again and again is filled by others, who
    /// do not mind it; giving way to them would leave nothing. Loss still counts.
    fn competes(&mut self, now: Instant, queue: f64) -> bool {
        if queue < QUEUE_MS {
            self.crowded = None;
            return false;
        }
        let (since, decreases) = *self.crowded.get_or_insert((now, 0));
        now >= since + IN_VAIN && decreases >= 2
    }

    /// Now and then half as much is sent for a moment. A queue that becomes shorter by that is our own.
    fn looks(&mut self, now: Instant, queue: f64) -> bool {
        if let Some((until, before, rate)) = self.look {
            if queue < before * 0.7 {
                self.crowded = None;
                (self.look, self.look_at) = (None, None);
                return true;
            }
            if now >= until {
                self.rate = rate;
                (self.look, self.look_at) = (None, Some(now + LOOK_AGAIN));
            }
            return true;
        }
        if now < *self.look_at.get_or_insert(now) {
            return false;
        }
        self.look = Some((now + LOOK, queue, self.rate));
        self.rate *= 0.5;
        true
    }

    /// As they do: one packet more under way each round trip, and back where packets are lost.
    fn share(&mut self, now: Instant, lost: f64, round_trip: Duration, passed: f64) {
        let pause = (round_trip * 2).max(SHARE_AGAIN);
        if lost > SHARE_LOSS && self.decreased.is_none_or(|at| now >= at + pause) {
            self.rate *= SHARE_BACK;
            self.decreased = Some(now);
        } else if lost <= SHARE_LOSS {
            let response = round_trip.as_secs_f64().max(0.05);
            self.rate += PACKET_BITS / (response * response) * passed;
        }
    }

    fn increase(&mut self, throughput: Option<f64>, round_trip: Duration, passed: f64) {
        if let (Some((capacity, deviation)), Some(throughput)) = (self.capacity, throughput)
            && throughput > capacity + 3.0 * deviation
        {
            self.capacity = None; // the path has become wider
        }
        let more = if self.capacity.is_some() {
            // One packet each response time.
            let response = round_trip.as_secs_f64() + 0.1;
            (PACKET_BITS / response * passed).max(4_000.0 * passed)
        } else {
            self.rate * (1.08f64.powf(passed) - 1.0)
        };
        // No further than what arrives, or was proved to, lets hope.
        let arrives = throughput.map_or(0.0, |it| 1.5 * it + 10_000.0);
        let most = arrives.max(self.proved);
        if self.rate < most {
            self.rate = (self.rate + more).min(most);
        }
    }

    fn decrease(&mut self, now: Instant, throughput: Option<f64>, back: f64) {
        let throughput = throughput.unwrap_or(self.rate);
        let new = (throughput * back).min(self.rate);
        if let Some((capacity, deviation)) = self.capacity
            && throughput < capacity - 3.0 * deviation
        {
            self.capacity = None; // it has become narrower
        }
        self.capacity = Some(match self.capacity {
            None => (throughput, throughput * 0.1),
            Some((capacity, deviation)) => {
                let off = (throughput - capacity).abs();
                (
                    0.95 * capacity + 0.05 * throughput,
                    (0.95 * deviation + 0.05 * off).max(0.02 * capacity),
                )
            }
        });
        if let Some((_, decreases)) = &mut self.crowded {
            *decreases = decreases.saturating_add(1);
        }
        self.rate = new;
        self.proved = 0.0;
        self.decreased = Some(now);
    }
}

#[expect(clippy::cast_precision_loss, reason = "bits are compared, not counted")]
fn approximate(bits: u64) -> f64 {
    bits as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(bits: f64) -> u64 {
    bits as u64
}

/// Of what arrived when the queue grew.
const BACK: f64 = 0.88;
/// The same where a long queue has to become empty too.
const FAR_BACK: f64 = 0.65;
/// A queue of so many milliseconds is long.
const CROWDED_MS: f64 = 80.0;
const PACKET_BITS: f64 = 1_200.0 * 8.0;
/// A queue of so many milliseconds is one.
const QUEUE_MS: f64 = 60.0;
/// A path that became narrow has emptied its queue by then.
const IN_VAIN: Duration = Duration::from_millis(2_500);
/// Among those who fill queues.
const SHARE_LOSS: f64 = 0.004;
const SHARE_BACK: f64 = 0.9;
const SHARE_AGAIN: Duration = Duration::from_millis(500);
/// How long half as much is sent, and how often.
const LOOK: Duration = Duration::from_millis(700);
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// After less had to be sent, a probe would only take from others.
const CALM: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(200);
