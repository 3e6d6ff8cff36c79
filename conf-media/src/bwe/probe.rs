//! Probes: packets sent together at a higher rate than is believed, to see how fast they arrive.

use std::time::{Duration, Instant};

/// Collects the packets of the probes under way.
#[derive(Debug, Default)]
pub(super) struct Prober {
    current: Option<Cluster>,
    result: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Cluster {
    probe: u16,
    first_sent: Duration,
    last_sent: Duration,
    first_arrived: Duration,
    last_arrived: Duration,
    /// Of all but the last packet sent, and of all but the first that arrived.
    bytes: usize,
    first_bytes: usize,
    last_bytes: usize,
    packets: u32,
}

impl Prober {
    /// A packet of a probe arrived.
    pub(super) fn packet(&mut self, probe: u16, sent: Duration, arrived: Duration, bytes: usize) {
        let alone = Cluster {
            probe,
            first_sent: sent,
            last_sent: sent,
            first_arrived: arrived,
            last_arrived: arrived,
            bytes,
            first_bytes: bytes,
            last_bytes: bytes,
            packets: 1,
        };
        match &mut self.current {
            Some(cluster) if cluster.probe == probe => cluster.add(sent, arrived, bytes),
            current => *current = Some(alone),
        }
        if let Some(cluster) = &self.current
            && let Some(rate) = cluster.rate()
        {
            self.result = Some(rate);
        }
    }

    /// What the last probe has shown, bits per second, once.
    pub(super) fn take(&mut self) -> Option<u64> {
        self.result.take()
    }
}

impl Cluster {
    fn add(&mut self, sent: Duration, arrived: Duration, bytes: usize) {
        self.bytes += bytes;
        self.packets += 1;
        self.last_sent = self.last_sent.max(sent);
        if arrived > self.last_arrived {
            self.last_arrived = arrived;
        }
        if arrived < self.first_arrived {
            (self.first_arrived, self.first_bytes) = (arrived, bytes);
        }
        self.last_bytes = bytes;
    }

    /// What the path was shown to take; `None` while too few arrived, and where they arrived slower than
    /// they were sent: the path was full, and how full depends on who else was there.
    fn rate(&self) -> Option<u64> {
        if self.packets < LEAST_PACKETS {
            return None;
        }
        let sent = self.last_sent.saturating_sub(self.first_sent);
        let arrived = self.last_arrived.saturating_sub(self.first_arrived);
        if sent.is_zero() || arrived.is_zero() || sent > LONGEST || arrived > LONGEST {
            return None;
        }
        let rate = |bytes: usize, time: Duration| {
            let bits = f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) * 8.0;
            bits / time.as_secs_f64()
        };
        let out = rate(self.bytes.saturating_sub(self.last_bytes), sent);
        let came = rate(self.bytes.saturating_sub(self.first_bytes), arrived);
        if came > 2.0 * out {
            return None; // they were held up on the way and came together
        }
        (came >= 0.85 * out).then(|| whole(came.min(out)))
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
fn whole(bits: f64) -> u64 {
    bits as u64
}

/// Packets of a probe that say something.
pub const LEAST_PACKETS: u32 = 5;
/// A probe takes no longer.
const LONGEST: Duration = Duration::from_secs(1);

/// When to probe, and how.
#[derive(Clone, Debug, Default)]
pub struct Planner {
    next: u16,
    last: Option<(Instant, u64)>,
    failures: u32,
}

/// One probe: so many bytes in a row at a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Tells its packets from those of others.
    pub id: u16,
    /// Bits per second.
    pub rate: u64,
    /// In [`LEAST_PACKETS`] packets or more.
    pub bytes: usize,
}

impl Planner {
    /// A probe that is worth its bytes: somebody waits for `wanted` bits per second, more than is
    /// believed. One that found nothing makes the next wait longer. `calm`: no queue grows.
    pub fn poll(&mut self, now: Instant, estimate: u64, wanted: u64, calm: bool) -> Option<Probe> {
        if !calm || wanted <= estimate + estimate / 10 {
            return None;
        }
        if let Some((at, before)) = self.last {
            let found = estimate > before + before / 5;
            let wait = if found { AFTER_SUCCESS } else { self.wait() };
            if now < at + wait {
                return None;
            }
            self.failures = if found { 0 } else { self.failures.saturating_add(1) };
        }
        self.last = Some((now, estimate));
        self.next = self.next.wrapping_add(1);
        let rate = (estimate * 2).min(wanted + wanted / 5);
        let bytes = usize::try_from(rate / 8 * 30 / 1_000).unwrap_or(0).clamp(2_000, 100_000);
        Some(Probe { id: self.next, rate, bytes })
    }

    fn wait(&self) -> Duration {
        (AFTER_FAILURE * 2u32.saturating_pow(self.failures)).min(LONGEST_WAIT)
    }
}

const AFTER_SUCCESS: Duration = Duration::from_millis(600);
const AFTER_FAILURE: Duration = Duration::from_millis(1_500);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
