//! Reads `/proc`: what a process and the machine have used so far.

use std::time::Duration;

use anyhow::Context as _;

/// What a process has used since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// In its own code.
    pub user: Duration,
    /// In the kernel for it.
    pub system: Duration,
    /// Both, as the scheduler counts: finer, and missing on some kernels.
    pub scheduled: Option<Duration>,
    /// Voluntary and involuntary.
    pub switches: u64,
    /// Resident memory, KiB.
    pub rss_kib: u64,
    /// How many there are now.
    pub threads: u64,
}

impl Usage {
    /// Of a process.
    ///
    /// # Errors
    /// If there is no such process, or it may not be read.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}"));
        let gone = || format!("no process {pid} can be read");
        let mut usage = Self::parse(&read("stat").with_context(gone)?, &read("status")?)
            .with_context(|| format!("/proc/{pid}/stat and status have an unknown form"))?;
        let (mut nanos, mut switches) = (0, 0);
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let path = task.path();
            let text = |file: &str| std::fs::read_to_string(path.join(file)).unwrap_or_default();
            nanos += first_number(&text("schedstat")).unwrap_or_default();
            switches += switches_of(&text("status"));
        }
        usage.scheduled = (nanos > 0).then(|| Duration::from_nanos(nanos));
        usage.switches = switches;
        Ok(usage)
    }

    /// User and system time.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.user + self.system
    }

    fn parse(stat: &str, status: &str) -> Option<Self> {
        // The name, in brackets, may hold anything; the fields behind it count from the third.
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace().skip(14 - 3);
        let mut ticks = || fields.next()?.parse::<u64>().ok();
        let (user, system) = (ticks()?, ticks()?);
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            first_number(line)
        };
        Some(Self {
            user: Duration::from_millis(user * TICK_MILLIS),
            system: Duration::from_millis(system * TICK_MILLIS),
            scheduled: None,
            switches: 0,
            rss_kib: line("VmRSS:")?,
            threads: line("Threads:")?,
        })
    }
}

/// Processor time of everything on the machine since its start, without idling.
///
/// # Errors
/// If `/proc/stat` cannot be read.
pub fn machine() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/stat")?;
    busy_of(&text).context("/proc/stat has an unknown form")
}

/// user nice system idle iowait irq softirq steal (guests are in user already).
fn busy_of(stat: &str) -> Option<Duration> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    let all: u64 = ticks.iter().take(8).sum();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Some(Duration::from_millis(all.saturating_sub(idle) * TICK_MILLIS))
}

fn switches_of(status: &str) -> u64 {
    let lines = status.lines().filter_map(|line| line.split_once("_ctxt_switches:"));
    lines.filter_map(|(_, number)| first_number(number)).sum()
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

/// `USER_HZ` is 100 on every Linux that is in use.
const TICK_MILLIS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 0 0 20 0 3 0 1 2 3";
        let status = "Name:\ta\nVmRSS:\t  2048 kB\nThreads:\t3\n";
        let usage = Usage::parse(stat, status).unwrap();
        assert_eq!(usage.busy(), Duration::from_secs(3));
        assert_eq!((usage.rss_kib, usage.threads), (2_048, 3));
        assert_eq!(Usage::parse("7 (a) S", status), None);
    }

    #[test]
    fn idling_is_not_work() {
        let stat = "cpu  100 0 50 9000 800 10 20 30 0 0\ncpu0 1 2 3\n";
        assert_eq!(busy_of(stat), Some(Duration::from_millis(2_100)));
        assert_eq!(switches_of("voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7"), 12);
    }

    #[test]
    fn this_process_can_be_read_and_one_that_is_not_there_is_named() {
        let usage = Usage::of(std::process::id()).unwrap();
        assert!(usage.rss_kib > 100 && usage.threads >= 1);
        assert!(machine().unwrap() > Duration::ZERO);
        let error = Usage::of(4_194_305).unwrap_err();
        assert_eq!(error.to_string(), "no process 4194305 can be read");
    }
}
