//! Others on the same link: a constant stream, and a long transfer that behaves as TCP Reno does.
//!
//! The transfer is a model of TCP's congestion control, not of TCP: slow start, one packet more each
//! round trip, half the window when packets behind a lost one arrive, one packet after a timeout.
//! What was lost is not sent again, since nobody waits for it. Source: RFC 5681, section 3.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Somebody else's traffic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cross {
    /// The same all the time.
    Constant {
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
        /// Bits per second.
        rate: u32,
    },
    /// A long transfer.
    Reno {
        /// When it begins.
        from: Duration,
        /// When it ends.
        until: Duration,
        /// How long an acknowledgement takes to come back.
        back: Duration,
    },
}

/// One of them, at work.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    until: Instant,
    sends: Sends,
}

#[derive(Clone, Debug)]
enum Sends {
    Constant { next: Instant, every: Duration },
    Reno(Box<Reno>),
}

#[derive(Clone, Debug)]
struct Reno {
    starts: Instant,
    back: Duration,
    /// In packets.
    window: f64,
    threshold: f64,
    /// In the order of sending; `None`: it was lost.
    flying: VecDeque<Option<Instant>>,
    /// Packets sent before the window was last halved that are not accounted for.
    recovering: usize,
    /// Nothing came back since.
    heard: Instant,
    round_trip: Duration,
}

impl Crossing {
    pub(super) fn new(now: Instant, cross: Cross) -> Self {
        match cross {
            Cross::Constant { from, until, rate } => {
                let bits = 8.0 * f64::from(u16::try_from(PACKET).unwrap_or(u16::MAX));
                let every = Duration::from_secs_f64(bits / f64::from(rate.max(1)));
                Self { until: now + until, sends: Sends::Constant { next: now + from, every } }
            }
            Cross::Reno { from, until, back } => {
                let reno = Reno {
                    starts: now + from,
                    back,
                    window: FIRST_WINDOW,
                    threshold: f64::MAX,
                    flying: VecDeque::new(),
                    recovering: 0,
                    heard: now + from,
                    round_trip: back,
                };
                Self { until: now + until, sends: Sends::Reno(Box::new(reno)) }
            }
        }
    }

    /// When it does something next.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let next = match &self.sends {
            Sends::Constant { next, .. } => *next,
            Sends::Reno(reno) => reno.timeout(),
        };
        (next < self.until).then_some(next)
    }

    /// It sends what it may; `send` says when a packet arrives, if it does.
    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        mut send: impl FnMut(usize) -> Option<Instant>,
    ) {
        match &mut self.sends {
            Sends::Constant { next, every } => {
                send(PACKET);
                *next = now + *every;
            }
            Sends::Reno(reno) => {
                reno.hear(now);
                reno.send(now, send);
            }
        }
    }
}

impl Reno {
    fn timeout(&self) -> Instant {
        if self.flying.is_empty() {
            return self.starts.max(self.heard);
        }
        let next = self.flying.iter().flatten().min().copied();
        next.unwrap_or(self.heard + self.patience()).max(self.starts)
    }

    /// How long it waits before it gives everything up.
    fn patience(&self) -> Duration {
        (2 * self.round_trip).max(LEAST_TIMEOUT)
    }

    /// Acknowledgements that have come, and losses that they show.
    fn hear(&mut self, now: Instant) {
        let mut lost = false;
        // Packets keep their order, so that what came back says which of those before are lost.
        while let Some(position) =
            self.flying.iter().position(|back| back.is_some_and(|at| at <= now))
        {
            let fresh = position >= self.recovering;
            lost |= position > 0 && fresh;
            self.flying.drain(..=position);
            self.recovering = self.recovering.saturating_sub(position + 1);
            self.heard = now;
            let slow = self.window < self.threshold;
            let growth = if slow { 1.0 } else { 1.0 / self.window };
            self.window = (self.window + growth).min(MOST_WINDOW);
        }
        if lost {
            self.threshold = (self.window / 2.0).max(2.0);
            self.window = self.threshold;
            self.recovering = self.flying.len();
        }
        if !self.flying.is_empty() && now >= self.heard + self.patience() {
            self.threshold = (self.window / 2.0).max(2.0);
            (self.window, self.recovering, self.heard) = (1.0, 0, now);
            self.flying.clear();
        }
    }

    fn send(&mut self, now: Instant, mut send: impl FnMut(usize) -> Option<Instant>) {
        while u32::try_from(self.flying.len()).map_or(f64::MAX, f64::from) + 1.0 <= self.window {
            let back = send(PACKET).map(|arrives| arrives + self.back);
            if let Some(back) = back {
                self.round_trip = back - now;
            }
            self.flying.push_back(back);
        }
    }
}

/// Bytes.
const PACKET: usize = 1_500;
/// RFC 6928.
const FIRST_WINDOW: f64 = 10.0;
/// What a receiver takes: 3 MB.
const MOST_WINDOW: f64 = 2_000.0;
/// RFC 6298 says one second; Linux waits this long.
const LEAST_TIMEOUT: Duration = Duration::from_millis(200);
