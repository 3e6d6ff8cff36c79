//! Tests of sequence numbers.
#![allow(clippy::arithmetic_side_effects, reason = "a test may overflow: it then fails")]

use std::time::{Duration, Instant};

use super::*;

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn start() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "an Instant can be made in no other way")]
    Instant::now()
}

#[test]
fn numbers_go_on_over_a_wrap_and_back() {
    let mut numbers = Unwrapper::default();
    let first = numbers.extend(65_534);
    assert_eq!(first, 65_536 + 65_534);
    assert_eq!(numbers.extend(1), first + 3);
    assert_eq!(numbers.extend(65_535), first + 1);
    assert_eq!(numbers.peek(65_000), first - 534);
    assert_eq!(numbers.highest(), Some(first + 3));
    assert_eq!(Unwrapper::wrapped(first + 3), 1);
}

#[test]
fn a_packet_from_before_the_first_has_a_number_too() {
    let mut numbers = Unwrapper::default();
    let first = numbers.extend(0);
    assert_eq!(numbers.extend(65_535), first - 1);
}

#[test]
fn losses_are_counted_over_a_wrap() {
    let t0 = start();
    let mut stats = ReceiverStats::new(90_000);
    for sequence in [65_530u16, 65_531, 65_535, 0, 2] {
        stats.record(sequence, 0, t0);
    }
    // 65530 to 2 are nine numbers, five came.
    let block = stats.report(7, t0).unwrap();
    assert_eq!((block.ssrc, block.cumulative_lost, block.highest), (7, 4, 0x1_0002));
    assert_eq!(usize::from(block.fraction_lost), 4 * 256 / 9);
    for sequence in 3..=6u16 {
        stats.record(sequence, 0, t0);
    }
    let block = stats.report(7, t0).unwrap();
    assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 4));
}

#[test]
fn duplicates_make_the_loss_negative_and_its_fraction_zero() {
    let t0 = start();
    let mut stats = ReceiverStats::new(90_000);
    for _ in 0..3 {
        stats.record(5, 0, t0);
    }
    let block = stats.report(7, t0).unwrap();
    assert_eq!((block.cumulative_lost, block.fraction_lost), (-2, 0));
}

#[test]
fn a_steady_stream_has_no_jitter_and_an_unsteady_one_a_sixteenth_of_the_difference() {
    let t0 = start();
    let mut stats = ReceiverStats::new(8_000);
    for n in 0..50u16 {
        stats.record(n, u32::from(n) * 160, t0 + millis(u64::from(n) * 20));
    }
    assert_eq!(stats.jitter(), 0);
    stats.record(50, 50 * 160, t0 + millis(50 * 20 + 20));
    assert_eq!(stats.jitter(), 160 / 16);
}

#[test]
fn a_source_that_starts_again_is_counted_anew() {
    let t0 = start();
    let mut stats = ReceiverStats::new(90_000);
    stats.record(1, 0, t0);
    stats.record(30_000, 0, t0);
    assert_eq!(stats.report(7, t0).unwrap().highest, 1);
    stats.record(30_001, 4_000_000, t0);
    let block = stats.report(7, t0).unwrap();
    assert_eq!((block.highest, block.cumulative_lost, block.jitter), (30_001, 0, 0));
}

#[test]
fn a_report_says_how_long_ago_the_sender_report_came() {
    let t0 = start();
    let mut stats = ReceiverStats::new(90_000);
    assert!(stats.report(7, t0).is_none());
    stats.record(1, 0, t0);
    let block = stats.report(7, t0).unwrap();
    assert_eq!((block.last_sr, block.delay), (0, 0));
    stats.record_sender_report(0x0001_0203_0405_0607, t0);
    let block = stats.report(7, t0 + millis(1_500)).unwrap();
    assert_eq!((block.last_sr, block.delay), (0x0203_0405, 65_536 + 32_768));
}

fn asked(missing: &mut MissingPackets, now: Instant) -> Vec<u16> {
    let mut out = Vec::new();
    missing.poll(now, &mut out);
    out
}

#[test]
fn a_gap_is_asked_for_at_once_and_again_after_the_interval() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing::default());
    missing.record(65_534, t0);
    assert_eq!(missing.timeout(), None);
    missing.record(1, t0);
    assert_eq!(asked(&mut missing, t0), [65_535, 0]);
    assert!(asked(&mut missing, t0 + millis(99)).is_empty());
    assert_eq!(missing.timeout(), Some(t0 + millis(100)));
    missing.record(65_535, t0 + millis(99));
    assert_eq!(asked(&mut missing, t0 + millis(100)), [0]);
}

#[test]
fn the_interval_follows_how_soon_a_publisher_answers() {
    let t0 = start();
    for (answer, least, most) in [(8, 20, 20), (60, 60, 120), (250, 250, 500), (900, 500, 500)] {
        let mut missing = MissingPackets::new(Missing::default());
        assert_eq!(missing.interval(), millis(100), "before any answer");
        for round in 0..20u16 {
            let now = t0 + millis(1_000 * u64::from(round));
            missing.record(round * 2, now);
            assert_eq!(asked(&mut missing, now).len(), usize::from(round > 0));
            missing.record((round * 2).wrapping_sub(1), now + millis(answer));
        }
        let interval = missing.interval();
        assert!(interval >= millis(least) && interval <= millis(most), "{answer}: {interval:?}");
    }
}

#[test]
fn a_packet_that_was_asked_for_twice_tells_nothing_of_the_way() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing::default());
    missing.record(1, t0);
    missing.record(3, t0);
    assert_eq!(asked(&mut missing, t0), [2]);
    assert_eq!(asked(&mut missing, t0 + millis(100)), [2]);
    missing.record(2, t0 + millis(101));
    assert_eq!(missing.interval(), millis(100));
}

#[test]
fn what_came_before_the_question_is_not_asked_for() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing::default());
    for sequence in [10, 12, 11] {
        missing.record(sequence, t0);
    }
    assert!(asked(&mut missing, t0).is_empty());
    assert_eq!(missing.given_up(), 0);
}

#[test]
fn a_packet_is_given_up_after_its_last_try() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing { tries: 3, ..Missing::default() });
    missing.record(1, t0);
    missing.record(3, t0);
    let mut tries = 0;
    for round in 0..10 {
        tries += asked(&mut missing, t0 + millis(round * 100)).len();
    }
    assert_eq!((tries, missing.given_up(), missing.timeout()), (3, 1, None));
}

#[test]
fn what_lies_too_far_back_is_given_up() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing { reach: 10, ..Missing::default() });
    missing.record(1, t0);
    missing.record(3, t0);
    for sequence in 4..=13 {
        missing.record(sequence, t0);
    }
    assert!(asked(&mut missing, t0).is_empty());
    assert_eq!(missing.given_up(), 1);
}

#[test]
fn a_jump_costs_no_more_than_the_limit() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing { most: 8, ..Missing::default() });
    missing.record(0, t0);
    missing.record(30_000, t0);
    assert_eq!(asked(&mut missing, t0), (29_992..30_000).collect::<Vec<u16>>());
    assert_eq!(missing.given_up(), 29_999 - 8);
    let mut random = crate::rtp::random::Random(5);
    for _ in 0..10_000 {
        missing.record(random.short(), t0);
        assert!(missing.waiting() <= 8);
    }
}

#[test]
fn after_a_reset_no_old_gap_is_asked_for() {
    let t0 = start();
    let mut missing = MissingPackets::new(Missing::default());
    missing.record(1, t0);
    missing.record(3, t0);
    missing.reset();
    missing.record(500, t0);
    assert!(asked(&mut missing, t0).is_empty());
}
