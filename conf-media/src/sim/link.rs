//! One direction of a path: how long packets take, and which never come.
//!
//! A packet first meets what loses it at random, then the queue of the bottleneck, then delay and
//! jitter. Without reordering, packets come in the order in which they were sent, however much their
//! delay varies.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::cross::{Cross, Crossing};
use super::queue::{Phase, Queue};
use super::random::Random;

/// How a link behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// One way, without queue.
    pub delay: Duration,
    /// Added to the delay: from zero to this, evenly.
    pub jitter: Duration,
    /// Share of packets that are lost, each by its own chance.
    pub loss: f64,
    /// Packets lost one after the other.
    pub burst: Option<Burst>,
    /// Packets that others overtake.
    pub reorder: Option<Reorder>,
    /// Share of packets that come twice.
    pub duplicate: f64,
    /// Bits per second; `None`: without limit.
    pub rate: Option<u64>,
    /// Bytes that may wait for the line; what comes when it is full is lost.
    pub queue: usize,
}

/// Loss of packets in a row (Gilbert's model: in a bad state everything is lost).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Share of packets that are lost.
    pub share: f64,
    /// Packets in a row, on average; at least 1.
    pub length: f64,
}

/// Packets that come late, behind those that were sent after them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reorder {
    /// Share of packets.
    pub share: f64,
    /// Added to their delay: from zero to this, evenly.
    pub by: Duration,
}

/// From a moment on, a link behaves otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Since the beginning.
    pub at: Duration,
    /// From then on.
    pub conditions: Conditions,
    /// It is another path: its queue is empty, and packets may overtake those of the old one.
    pub other_path: bool,
}

/// All that a link will do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// At the beginning.
    pub first: Conditions,
    /// Later, in the order of time.
    pub steps: Vec<Step>,
    /// Who else uses it.
    pub cross: Vec<Cross>,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never comes.
    Lost(Cause),
    /// It comes then.
    Arrives(Instant),
    /// It comes twice.
    Twice(Instant, Instant),
}

/// Why a packet never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// By its own chance.
    Random,
    /// Among others in a row.
    Burst,
    /// No room in the queue.
    Queue,
}

/// What was counted, without cross traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkStats {
    /// Packets that were sent over it.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Packets that arrive.
    pub delivered: u64,
    /// Their bytes.
    pub delivered_bytes: u64,
    /// Lost by chance.
    pub lost_random: u64,
    /// Lost in a row.
    pub lost_burst: u64,
    /// Found no room.
    pub lost_queue: u64,
    /// Came twice.
    pub duplicated: u64,
    /// Came late.
    pub reordered: u64,
    /// Most bytes that waited.
    pub longest_queue: u64,
    /// Bytes of cross traffic that arrived.
    pub cross_bytes: u64,
}

/// One direction of a path.
#[derive(Clone, Debug)]
pub struct Link {
    conditions: Conditions,
    steps: VecDeque<(Instant, Step)>,
    queue: Queue,
    random: Random,
    /// In the bad state.
    bad: bool,
    /// Nothing in order arrives before this.
    last: Instant,
    cross: Vec<Crossing>,
    stats: LinkStats,
}

impl Default for Conditions {
    /// A link that does nothing at all.
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: 0.0,
            burst: None,
            reorder: None,
            duplicate: 0.0,
            rate: None,
            queue: DEFAULT_QUEUE,
        }
    }
}

impl Plan {
    /// The same all the time.
    #[must_use]
    pub fn of(first: Conditions) -> Self {
        Self { first, ..Self::default() }
    }

    /// From `at` on the rate is another one, in bits per second.
    #[must_use]
    pub fn then_rate(mut self, at: Duration, rate: u64) -> Self {
        let before = self.steps.last().map_or(self.first, |step| step.conditions);
        let conditions = Conditions { rate: Some(rate), ..before };
        self.steps.push(Step { at, conditions, other_path: false });
        self
    }
}

impl Link {
    /// A link that follows `plan`, from `now` on.
    #[must_use]
    pub fn new(now: Instant, plan: &Plan, seed: u64) -> Self {
        let mut steps: Vec<_> = plan.steps.iter().map(|step| (now + step.at, *step)).collect();
        steps.sort_by_key(|(at, _)| *at);
        let first = Phase { from: now, rate: plan.first.rate, other_path: false };
        let phase = |&(from, step): &(Instant, Step)| {
            let Step { conditions: Conditions { rate, .. }, other_path, .. } = step;
            Phase { from, rate, other_path }
        };
        let phases = std::iter::once(first).chain(steps.iter().map(phase)).collect();
        Self {
            conditions: plan.first,
            steps: steps.into(),
            queue: Queue::new(now, phases),
            random: Random::new(seed),
            bad: false,
            last: now,
            cross: plan.cross.iter().map(|cross| Crossing::new(now, *cross)).collect(),
            stats: LinkStats::default(),
        }
    }

    /// A packet of `bytes` is sent. Time must not go back from call to call.
    pub fn push(&mut self, now: Instant, bytes: usize) -> Fate {
        self.advance(now);
        self.stats.packets += 1;
        self.stats.bytes += bytes as u64;
        let at = match self.carry(now, bytes) {
            Ok(at) => at,
            Err(cause) => {
                match cause {
                    Cause::Random => self.stats.lost_random += 1,
                    Cause::Burst => self.stats.lost_burst += 1,
                    Cause::Queue => self.stats.lost_queue += 1,
                }
                return Fate::Lost(cause);
            }
        };
        self.stats.delivered += 1;
        self.stats.delivered_bytes += bytes as u64;
        self.stats.longest_queue = self.stats.longest_queue.max(self.queue.bytes() as u64);
        if self.random.chance(self.conditions.duplicate) {
            self.stats.duplicated += 1;
            return Fate::Twice(at, at + self.random.up_to(self.conditions.jitter));
        }
        Fate::Arrives(at)
    }

    /// Lets cross traffic and steps happen up to `now`.
    pub fn advance(&mut self, now: Instant) {
        loop {
            let step = self.steps.front().map(|(at, _)| *at).filter(|at| *at <= now);
            let crossing = self.next_crossing().filter(|(at, _)| *at <= now);
            match (step, crossing) {
                (Some(step), crossing) if crossing.is_none_or(|(at, _)| step <= at) => self.step(),
                (_, Some((at, index))) => self.cross(at, index),
                _ => return,
            }
        }
    }

    /// How it behaves at present.
    #[must_use]
    pub fn conditions(&self) -> &Conditions {
        &self.conditions
    }

    /// Bytes that wait for the line, as of the last packet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.bytes()
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.stats
    }

    fn step(&mut self) {
        let Some((at, step)) = self.steps.pop_front() else { return };
        self.conditions = step.conditions;
        if step.other_path {
            self.queue.reset(at);
            self.last = at;
        }
    }

    /// When a packet arrives.
    fn carry(&mut self, now: Instant, bytes: usize) -> Result<Instant, Cause> {
        if self.random.chance(self.conditions.loss) {
            return Err(Cause::Random);
        }
        if self.in_burst() {
            return Err(Cause::Burst);
        }
        let queued = self.queue.push(now, bytes, self.conditions.queue);
        let sent = queued.ok_or(Cause::Queue)?;
        let at = sent + self.conditions.delay + self.random.up_to(self.conditions.jitter);
        if let Some(reorder) = self.conditions.reorder
            && self.random.chance(reorder.share)
        {
            self.stats.reordered += 1;
            return Ok(at + self.random.up_to(reorder.by));
        }
        self.last = self.last.max(at);
        Ok(self.last)
    }

    fn in_burst(&mut self) -> bool {
        let Some(Burst { share, length }) = self.conditions.burst else {
            self.bad = false;
            return false;
        };
        let (length, good) = (length.max(1.0), (1.0 - share).max(f64::EPSILON));
        let changes = if self.bad { 1.0 / length } else { share / (length * good) };
        if self.random.chance(changes) {
            self.bad = !self.bad;
        }
        self.bad
    }

    fn next_crossing(&self) -> Option<(Instant, usize)> {
        let due = |(index, crossing): (usize, &Crossing)| Some((crossing.timeout()?, index));
        self.cross.iter().enumerate().filter_map(due).min()
    }

    fn cross(&mut self, at: Instant, index: usize) {
        let mut all = std::mem::take(&mut self.cross);
        if let Some(crossing) = all.get_mut(index) {
            crossing.handle_timeout(at, |bytes| {
                let arrives = self.carry(at, bytes).ok()?;
                self.stats.cross_bytes += bytes as u64;
                Some(arrives)
            });
        }
        self.cross = all;
    }
}

/// A second of 1 Mbit/s: as home routers have.
const DEFAULT_QUEUE: usize = 125_000;

#[cfg(test)]
mod tests;
