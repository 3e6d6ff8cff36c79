//! Tests of the timing wheel, most of them beside a sorted map.
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use std::collections::BTreeMap;

use super::*;
use crate::forward::test_clock;

/// xorshift64*.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }
}

const MILLI: Duration = Duration::from_millis(1);

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn an_entry_is_due_at_its_moment_and_not_before() {
    let start = test_clock().mono;
    for distance in [0, 1, 63, 64, 65, 4_095, 4_096, 15_000, 300_000, 90_000_000] {
        let mut wheel = Wheel::new();
        let timer = wheel.insert(start, ());
        let at = start + millis(distance);
        wheel.wake_by(timer, at);
        assert_eq!(wheel.timeout(), Some(at), "{distance} ms");
        if distance > 0 {
            assert_eq!(wheel.expire(at - MILLI), None, "{distance} ms");
        }
        assert_eq!(wheel.expire(at), Some(()), "{distance} ms");
        assert_eq!(wheel.expire(at), None);
        assert_eq!(wheel.timeout(), None);
    }
}

#[test]
fn a_moment_between_two_milliseconds_is_not_early() {
    let start = test_clock().mono;
    let mut wheel = Wheel::new();
    let timer = wheel.insert(start, ());
    wheel.wake_by(timer, start + Duration::from_micros(2_300));
    assert_eq!(wheel.expire(start + Duration::from_micros(2_900)), None);
    assert_eq!(wheel.timeout(), Some(start + millis(3)));
    assert_eq!(wheel.expire(start + millis(3)), Some(()));
}

#[test]
fn an_entry_comes_earlier_and_never_later() {
    let start = test_clock().mono;
    let mut wheel = Wheel::new();
    let timer = wheel.insert(start, ());
    wheel.wake_by(timer, start + millis(500));
    wheel.wake_by(timer, start + millis(900));
    assert_eq!(wheel.timeout(), Some(start + millis(500)));
    wheel.wake_by(timer, start + millis(20));
    assert_eq!(wheel.timeout(), Some(start + millis(20)));
    assert_eq!(wheel.expire(start + millis(30)), Some(()));
    assert_eq!(wheel.expire(start + millis(1_000)), None, "it was filed once");
}

#[test]
fn what_was_taken_out_is_never_due_and_its_place_is_used_again() {
    let start = test_clock().mono;
    let mut wheel = Wheel::new();
    let old = wheel.insert(start, "old");
    wheel.wake_by(old, start + millis(5));
    wheel.remove(old);
    wheel.remove(old);
    wheel.wake_by(old, start + millis(5));
    let new = wheel.insert(start, "new");
    assert_eq!(new, old);
    assert_ne!(wheel.insert(start, "other"), new);
    assert_eq!(wheel.expire(start + millis(9)), None);
    wheel.wake_by(Timer::NONE, start);
    assert_eq!(wheel.timeout(), None);
}

#[test]
fn what_lies_beyond_the_wheel_is_looked_at_at_its_end() {
    let start = test_clock().mono;
    let mut wheel = Wheel::new();
    let timer = wheel.insert(start, ());
    wheel.wake_by(timer, start + Duration::from_secs(100 * 365 * 24 * 3600));
    assert_eq!(wheel.timeout(), Some(start + millis(FARTHEST)));
}

/// A wheel, and beside it what it should do.
struct Model {
    wheel: Wheel<usize>,
    timers: Vec<Timer>,
    due: BTreeMap<usize, Instant>,
    now: Instant,
}

impl Model {
    fn wake(&mut self, which: usize, at: Instant) {
        self.wheel.wake_by(self.timers[which], at);
        let due = self.due.entry(which).or_insert(at);
        *due = (*due).min(at.max(self.now));
    }

    /// All that is due comes, nothing else, and the wheel says when the next one does.
    fn check(&mut self) {
        while let Some(which) = self.wheel.expire(self.now) {
            let at = self.due.remove(&which).expect("it was filed");
            assert!(at <= self.now, "early");
        }
        let next = self.due.values().min().copied();
        assert!(next.is_none_or(|at| at > self.now), "late");
        let told = self.wheel.timeout();
        assert_eq!(told.is_some(), next.is_some());
        assert!(told <= next, "it would be slept through");
    }
}

#[test]
fn in_any_order_of_filing_and_time_every_entry_comes_in_its_millisecond() {
    for seed in 1..40 {
        let mut random = Random(seed);
        let now = test_clock().mono;
        let mut wheel = Wheel::new();
        let timers = (0..50).map(|which| wheel.insert(now, which)).collect();
        let mut model = Model { wheel, timers, due: BTreeMap::new(), now };
        for _ in 0..2_000 {
            let which = usize::try_from(random.below(50)).unwrap();
            match random.below(10) {
                0..6 => {
                    let reach = [3, 70, 5_000, 400_000, 40_000_000][random.below(5) as usize];
                    let at = model.now + millis(random.below(reach));
                    model.wake(which, at);
                }
                6 => {
                    model.wheel.remove(model.timers[which]);
                    model.due.remove(&which);
                    let timer = model.wheel.insert(model.now, which);
                    model.timers[which] = timer;
                }
                _ => {
                    let reach = [1, 30, 3_000, 500_000][random.below(4) as usize];
                    model.now += millis(random.below(reach));
                    model.check();
                }
            }
        }
    }
}

#[test]
fn sleeping_from_one_timeout_to_the_next_meets_every_entry() {
    let mut random = Random(7);
    let now = test_clock().mono;
    let mut wheel = Wheel::new();
    let mut model = {
        let timers = (0..1_000).map(|which| wheel.insert(now, which)).collect();
        Model { wheel, timers, due: BTreeMap::new(), now }
    };
    for which in 0..1_000 {
        let at = now + millis(random.below(20_000_000));
        model.wake(which, at);
    }
    let mut wakes = 0;
    while let Some(at) = model.wheel.timeout() {
        model.now = at;
        model.check();
        wakes += 1;
    }
    assert!(model.due.is_empty());
    assert!(wakes <= 1_000, "{wakes} wakes for 1,000 entries");
}

#[test]
fn the_table_keeps_its_size_however_often_entries_come_and_go() {
    let start = test_clock().mono;
    let mut wheel = Wheel::new();
    let mut timers: Vec<_> = (0..10).map(|which| wheel.insert(start, which)).collect();
    for round in 0..1_000 {
        let timer = timers.remove(0);
        wheel.wake_by(timer, start + millis(round % 90));
        wheel.remove(timer);
        timers.push(wheel.insert(start, 0));
    }
    assert_eq!(wheel.entries.len(), 10);
}
