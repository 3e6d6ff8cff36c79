//! Turns many requests for a keyframe into few.
//!
//! Each subscriber that joins, or loses a packet, asks the publisher for a keyframe: about ten
//! times the bytes of an ordinary picture. With 200 subscribers that would drown the publisher, so
//! a [`KeyframeGate`] lets at most one request through per interval, and repeats it until the
//! keyframe comes, since a request can be lost as any packet. Once it has come, the next is asked for
//! [`SPACING`] later at the earliest, whoever wants it.
//!
//! Time comes in as an argument. Source: RFC 4585, section 6.3.1 (PLI).

use std::time::{Duration, Instant};

/// The gate of one encoding.
#[derive(Clone, Debug)]
pub(crate) struct KeyframeGate {
    interval: Duration,
    wanted: bool,
    open_at: Option<Instant>,
    ready: bool,
}

/// The publisher is to be asked for a keyframe now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AskPublisher;

impl KeyframeGate {
    /// At most one request per `interval`.
    #[must_use]
    pub(crate) fn new(interval: Duration) -> Self {
        Self { interval, wanted: false, open_at: None, ready: false }
    }

    /// A subscriber needs a keyframe.
    pub(crate) fn request(&mut self, now: Instant) {
        self.wanted = true;
        self.handle_timeout(now);
    }

    /// A keyframe came: whoever waited has it.
    pub(crate) fn arrived(&mut self, now: Instant) {
        self.wanted = false;
        self.ready = false;
        self.open_at = Some(now + SPACING);
    }

    /// What was asked may not have been heard: whoever still waits, it is asked for again at once.
    pub(crate) fn again(&mut self, now: Instant) {
        if self.wanted {
            self.open_at = None;
            self.handle_timeout(now);
        }
    }

    /// The publisher begins anew: what came before says nothing about what is due.
    pub(crate) fn open(&mut self) {
        if !self.wanted {
            self.open_at = None;
        }
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.wanted && self.open_at.is_none_or(|at| now >= at) {
            self.ready = true;
            self.open_at = Some(now + self.interval);
        }
    }

    /// What to do; call until `None`.
    pub(crate) fn poll(&mut self) -> Option<AskPublisher> {
        std::mem::take(&mut self.ready).then_some(AskPublisher)
    }

    /// When to call [`KeyframeGate::handle_timeout`]; `None` while nobody waits.
    #[must_use]
    pub(crate) fn timeout(&self) -> Option<Instant> {
        self.open_at.filter(|_| self.wanted)
    }
}

/// From one keyframe to the next that is asked for.
pub(crate) const SPACING: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    const INTERVAL: Duration = Duration::from_millis(500);

    #[test]
    fn two_hundred_requests_in_one_second_cost_the_publisher_two_keyframes() {
        let start = test_clock().mono;
        let mut gate = KeyframeGate::new(INTERVAL);
        let mut asked = 0;
        for n in 0..200u32 {
            let now = start + SPACING / 200 * n;
            gate.request(now);
            while gate.poll().is_some() {
                asked += 1;
                gate.arrived(now);
            }
        }
        gate.handle_timeout(gate.timeout().expect("the later ones still wait"));
        while gate.poll().is_some() {
            asked += 1;
        }
        assert_eq!(asked, 2);
    }

    #[test]
    fn what_may_not_have_been_heard_is_asked_for_again_at_once() {
        let start = test_clock().mono;
        let mut gate = KeyframeGate::new(INTERVAL);
        gate.again(start);
        assert!(gate.poll().is_none(), "nobody waits");
        gate.request(start);
        assert!(gate.poll().is_some());
        gate.again(start + INTERVAL / 4);
        assert!(gate.poll().is_some());
        assert!(gate.poll().is_none());
    }

    #[test]
    fn a_request_is_repeated_until_the_keyframe_comes() {
        let start = test_clock().mono;
        let mut gate = KeyframeGate::new(INTERVAL);
        gate.request(start);
        assert!(gate.poll().is_some());
        gate.handle_timeout(start + INTERVAL / 2);
        assert!(gate.poll().is_none());
        gate.handle_timeout(start + INTERVAL);
        assert!(gate.poll().is_some());
        gate.arrived(start + INTERVAL);
        assert_eq!(gate.timeout(), None);
        gate.handle_timeout(start + INTERVAL * 4);
        assert!(gate.poll().is_none());
    }
}
