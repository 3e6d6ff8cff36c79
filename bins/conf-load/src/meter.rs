//! What a stretch of time cost: the server, this program, and everything else on the machine.
//!
//! CPU time of the server is read from `/proc/PID/stat` and, as a check, from the scheduler's own
//! counts. On loopback the kernel does the receivers' input path inside the sender's system call, so
//! it is charged to the server; that is so for every server.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::Counts;
use crate::clock;
use crate::report::{Client, Latency, Percentiles, Server, Window};

pub mod proc;
pub mod slope;

use proc::Usage;

/// Reads the server's and this process.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    pid: Option<u32>,
    idle_kib: u64,
}

/// One moment.
#[derive(Clone, Debug)]
pub struct Reading {
    at: Instant,
    server: Option<Usage>,
    client: Usage,
    machine: Duration,
    counts: Counts,
}

impl Meter {
    /// Notes the memory of a server that nobody has entered yet, once its start is over: a server
    /// listens before it has touched all that it needs.
    ///
    /// # Errors
    /// If there is no process `pid`.
    pub async fn start(pid: Option<u32>) -> anyhow::Result<Self> {
        let idle_kib = match pid {
            Some(pid) => at_rest(pid).await?,
            None => 0,
        };
        Ok(Self { pid, idle_kib })
    }

    /// Reads everything at about one moment.
    ///
    /// # Errors
    /// If the server's process has ended.
    pub fn read(&self, counts: Counts) -> anyhow::Result<Reading> {
        Ok(Reading {
            at: clock::now(),
            server: self.pid.map(Usage::of).transpose()?,
            client: Usage::of(std::process::id())?,
            machine: proc::machine()?,
            counts,
        })
    }

    /// The server's resident memory now, KiB.
    ///
    /// # Errors
    /// If the server's process has ended.
    pub fn rss_kib(&self) -> anyhow::Result<Option<u64>> {
        Ok(self.pid.map(Usage::of).transpose()?.map(|usage| usage.rss_kib))
    }

    /// What happened between two readings, with so many subscribers.
    #[must_use]
    pub fn window(&self, before: &Reading, after: &Reading, subscribers: usize) -> Window {
        let seconds = after.at.saturating_duration_since(before.at).as_secs_f64().max(1e-9);
        let totals = after.counts.totals.since(&before.counts.totals);
        let (expected, delivered) = (totals.expected as f64, totals.delivered as f64);
        let other = after.elsewhere().saturating_sub(before.elsewhere()).as_secs_f64();
        let other_load_percent = 100.0 * other / seconds;
        let client = after.client.busy().saturating_sub(before.client.busy()).as_secs_f64();
        Window {
            subscribers,
            seconds,
            sent: totals.sent,
            expected: totals.expected,
            delivered: totals.delivered,
            packets_per_second: delivered / seconds,
            loss_percent: if expected > 0.0 {
                100.0 * (expected - delivered) / expected
            } else {
                0.0
            },
            gaps: u64::try_from(totals.gaps.cast_signed()).unwrap_or_default(),
            duplicates: totals.duplicates,
            retransmitted: totals.retransmitted,
            forged: totals.forged,
            keyframes_asked: totals.keyframes_asked,
            keyframes_sent: totals.keyframes_sent,
            server: self.server((before, after), (delivered, seconds), subscribers),
            client: Client {
                core_percent: 100.0 * client / seconds,
                send_lag_ms: percentiles(&after.counts.lag_us),
            },
            latency_ms: latency(&after.counts.latency_us),
            other_load_percent: Some(other_load_percent),
            noisy: other_load_percent > QUIET_PERCENT,
            ..Window::default()
        }
    }

    fn server(
        &self,
        (before, after): (&Reading, &Reading),
        (delivered, seconds): (f64, f64),
        subscribers: usize,
    ) -> Option<Server> {
        let (before, after) = (before.server?, after.server?);
        let spent = |of: fn(&Usage) -> Duration| of(&after).saturating_sub(of(&before));
        let each = |time: Duration| time.as_secs_f64() * 1e6 / delivered.max(1.0);
        let scheduled = after.scheduled.zip(before.scheduled);
        let grown = after.rss_kib.saturating_sub(self.idle_kib) as f64;
        let switches = after.switches.saturating_sub(before.switches) as f64;
        Some(Server {
            cpu_us_per_packet: each(spent(Usage::busy)),
            user_us: each(spent(|usage| usage.user)),
            system_us: each(spent(|usage| usage.system)),
            schedstat_us_per_packet: scheduled
                .map(|(after, before)| each(after.saturating_sub(before))),
            core_percent: 100.0 * spent(Usage::busy).as_secs_f64() / seconds,
            rss_mib: after.rss_kib as f64 / 1_024.0,
            rss_idle_mib: self.idle_kib as f64 / 1_024.0,
            kib_per_subscriber: (subscribers > 0).then(|| grown / subscribers as f64),
            context_switches_per_second: switches / seconds,
            threads: after.threads,
        })
    }
}

impl Reading {
    /// Of two readings close to each other the one when less was on its way, with what both have
    /// seen of latency: at a window's edge a picture in flight would count as lost.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let (mut chosen, other) =
            if other.on_the_way() < self.on_the_way() { (other, self) } else { (self, other) };
        chosen.counts.add_distributions(&other.counts);
        chosen
    }

    /// Up to a constant: expected and not delivered.
    fn on_the_way(&self) -> i64 {
        let totals = &self.counts.totals;
        totals.expected.wrapping_sub(totals.delivered).cast_signed()
    }

    /// Processor time of all that is neither the server nor this process.
    fn elsewhere(&self) -> Duration {
        let server = self.server.map_or(Duration::ZERO, |usage| usage.busy());
        self.machine.saturating_sub(server).saturating_sub(self.client.busy())
    }
}

/// Median and 99th percentile of times, `None` of nothing.
#[must_use]
pub fn percentiles_of(times: &[Duration]) -> Option<Percentiles> {
    let mut histogram = Counts::new().lag_us;
    for time in times {
        histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }
    percentiles(&histogram)
}

fn percentiles(us: &Histogram<u64>) -> Option<Percentiles> {
    let at = |quantile| us.value_at_quantile(quantile) as f64 / 1e3;
    (!us.is_empty()).then(|| Percentiles { p50: at(0.5), p99: at(0.99) })
}

fn latency(us: &Histogram<u64>) -> Option<Latency> {
    let at = |quantile| us.value_at_quantile(quantile) as f64 / 1e3;
    (!us.is_empty()).then(|| Latency { p50: at(0.5), p99: at(0.99), p999: at(0.999) })
}

/// A window with more other load than this, in percent of a core, is not a quiet one.
pub const QUIET_PERCENT: f64 = 25.0;

/// Resident KiB of a process, when they have not changed for a while.
async fn at_rest(pid: u32) -> anyhow::Result<u64> {
    let start = clock::now();
    let (mut last, mut since) = (Usage::of(pid)?.rss_kib, start);
    loop {
        tokio::time::sleep(LOOK).await;
        let (rss, now) = (Usage::of(pid)?.rss_kib, clock::now());
        if rss.abs_diff(last) > SLACK_KIB {
            (last, since) = (rss, now);
        }
        if now >= since + REST || now >= start + LONGEST_START {
            return Ok(rss);
        }
    }
}

/// How often memory is looked at, and by how much it may change at rest.
const LOOK: Duration = Duration::from_millis(50);
const SLACK_KIB: u64 = 64;
const REST: Duration = Duration::from_secs(1);
const LONGEST_START: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
