//! The bottleneck of a link: a line that sends so many bits a second, before it a queue.
//!
//! Packets are served in the order in which they come. What finds no room in the queue is dropped
//! (drop tail). The rate may change at moments that are known beforehand: a packet that is being
//! sent then is sent on at the new rate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The rate from a moment on; `None`: without limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Phase {
    pub(super) from: Instant,
    pub(super) rate: Option<u64>,
    /// It is that of another path, and nothing to packets that wait on the old one.
    pub(super) other_path: bool,
}

/// Line and queue.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    /// In the order of time; the first is the present one.
    phases: VecDeque<Phase>,
    /// When each packet will have been sent, and its bytes.
    waiting: VecDeque<(Instant, usize)>,
    bytes: usize,
    free_at: Instant,
}

impl Queue {
    pub(super) fn new(now: Instant, phases: VecDeque<Phase>) -> Self {
        Self { phases, waiting: VecDeque::new(), bytes: 0, free_at: now }
    }

    /// When a packet will have been sent; `None` if the queue, `limit` bytes long, has no room.
    pub(super) fn push(&mut self, now: Instant, bytes: usize, limit: usize) -> Option<Instant> {
        self.expire(now);
        if self.bytes + bytes > limit && !self.waiting.is_empty() {
            return None;
        }
        let done = self.serve(self.free_at.max(now), bytes)?;
        self.free_at = done;
        if done > now {
            self.waiting.push_back((done, bytes));
            self.bytes += bytes;
        }
        Some(done)
    }

    /// Bytes that wait or are being sent.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Another path, whose queue is empty.
    pub(super) fn reset(&mut self, now: Instant) {
        (self.bytes, self.free_at) = (0, now);
        self.waiting.clear();
    }

    fn expire(&mut self, now: Instant) {
        while let Some(&(done, bytes)) = self.waiting.front()
            && done <= now
        {
            self.waiting.pop_front();
            self.bytes -= bytes;
        }
        while self.phases.get(1).is_some_and(|next| next.from <= now) {
            self.phases.pop_front();
        }
    }

    /// The end of a transmission that begins at `from`, over all changes of the rate; `None` if it
    /// would never end.
    fn serve(&self, from: Instant, bytes: usize) -> Option<Instant> {
        let mut left = 8.0 * u32::try_from(bytes).map_or(f64::MAX, f64::from);
        let mut at = from;
        for (index, phase) in self.phases.iter().enumerate() {
            let next = self.phases.get(index + 1).filter(|next| !next.other_path);
            let end = next.map(|next| next.from);
            if end.is_some_and(|end| end <= at) {
                continue;
            }
            let Some(rate) = phase.rate else { return Some(at) };
            let rate = f64_of(rate);
            let needs = Duration::try_from_secs_f64(left / rate).unwrap_or(FOREVER);
            match end {
                Some(end) if at + needs.min(FOREVER) > end => {
                    left -= rate * (end - at).as_secs_f64();
                    at = end;
                }
                _ => return (needs < FOREVER).then(|| at + needs),
            }
        }
        Some(at)
    }
}

fn f64_of(rate: u64) -> f64 {
    u32::try_from(rate).map_or(f64::from(u32::MAX), f64::from)
}

/// Longer than any run.
const FOREVER: Duration = Duration::from_secs(1_000_000);
