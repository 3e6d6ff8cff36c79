//! What a link does to packets.

use super::*;
use crate::forward::test_clock;
use crate::sim::Transit;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Sends `count` packets of 1,000 bytes, one each `every`; when each comes, from the beginning.
fn run(plan: &Plan, count: u32, every: Duration) -> (Vec<Option<Duration>>, LinkStats) {
    let start = test_clock().mono;
    let mut link = Link::new(start, plan, 1);
    let packet = |number| match link.push(start + every * number, 1_000) {
        Fate::Lost(_) => None,
        Fate::Arrives(at) | Fate::Twice(at, _) => Some(at - start),
    };
    let fates = (0..count).map(packet).collect();
    (fates, link.stats())
}

fn conditions(text: &str) -> Conditions {
    Conditions::default().changed(text).unwrap().0
}

/// Longest row of lost packets, and mean length of rows.
fn rows(fates: &[Option<Duration>]) -> f64 {
    let lost = fates.iter().filter(|fate| fate.is_none()).count();
    let ends = fates.windows(2).filter(|pair| pair[0].is_none() && pair[1].is_some()).count();
    lost as f64 / ends.max(1) as f64
}

#[test]
fn a_link_without_conditions_delivers_at_once() {
    let (fates, stats) = run(&Plan::default(), 3, ms(1));
    assert_eq!(fates, [Some(ms(0)), Some(ms(1)), Some(ms(2))]);
    assert_eq!((stats.delivered, stats.delivered_bytes), (3, 3_000));
}

#[test]
fn one_seed_is_one_run() {
    let plan = Plan::of(conditions("delay=20ms,jitter=9ms,loss=5%,reorder=2%/9ms,duplicate=1%"));
    assert_eq!(run(&plan, 500, ms(1)), run(&plan, 500, ms(1)));
}

#[test]
fn jitter_stays_in_its_limits_and_keeps_the_order() {
    let (fates, _) = run(&Plan::of(conditions("delay=20ms,jitter=10ms")), 1_000, ms(1));
    let arrivals: Vec<_> = fates.into_iter().flatten().collect();
    assert!(arrivals.is_sorted());
    let delays = arrivals.iter().enumerate().map(|(n, at)| *at - ms(n as u64));
    assert!(delays.clone().all(|delay| (ms(20)..=ms(30)).contains(&delay)));
    assert!(delays.min().unwrap() < ms(25));
}

#[test]
fn random_and_burst_loss_have_the_share_asked_for_and_bursts_their_length() {
    let (fates, stats) = run(&Plan::of(conditions("loss=10%")), 20_000, ms(1));
    assert!((1_800..2_200).contains(&stats.lost_random), "{stats:?}");
    assert!(rows(&fates) < 1.3);
    let (fates, stats) = run(&Plan::of(conditions("burst=5%/10")), 100_000, ms(1));
    assert!((4_000..6_000).contains(&stats.lost_burst), "{stats:?}");
    assert!((8.0..12.0).contains(&rows(&fates)), "{}", rows(&fates));
}

#[test]
fn a_queue_delays_what_fits_and_drops_what_does_not() {
    // 1,000 bytes take 8 ms; five of them find room at once.
    let plan = Plan::of(conditions("rate=1M,queue=5k,delay=3ms"));
    let (fates, stats) = run(&plan, 8, Duration::ZERO);
    let arrivals: Vec<_> = fates.into_iter().flatten().collect();
    assert_eq!(arrivals, [ms(11), ms(19), ms(27), ms(35), ms(43)]);
    assert_eq!((stats.lost_queue, stats.longest_queue), (3, 5_000));
    // At the rate of the line nothing waits.
    let (fates, stats) = run(&plan, 100, ms(8));
    assert!(fates.iter().enumerate().all(|(n, at)| *at == Some(ms(8 * n as u64 + 11))));
    assert_eq!(stats.longest_queue, 1_000);
}

#[test]
fn a_packet_that_waits_when_the_rate_changes_is_served_at_the_new_rate() {
    let plan = Plan::of(conditions("rate=1M,queue=10k")).then_rate(ms(12), 500_000);
    let (fates, _) = run(&plan, 3, Duration::ZERO);
    // The second is half sent at 12 ms; its other half takes 8 ms instead of 4.
    assert_eq!(fates, [Some(ms(8)), Some(ms(20)), Some(ms(36))]);
}

#[test]
fn reordered_packets_are_overtaken_and_duplicates_come_twice() {
    let (fates, stats) = run(&Plan::of(conditions("delay=5ms,reorder=10%/20ms")), 1_000, ms(1));
    let arrivals: Vec<_> = fates.into_iter().flatten().collect();
    let late = arrivals.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!((50..130).contains(&late) && stats.reordered > 70, "{late} {stats:?}");
    let start = test_clock().mono;
    let mut link = Link::new(start, &Plan::of(conditions("duplicate=100%")), 1);
    let mut transit = Transit::default();
    transit.send(&mut link, start, 100, 'a');
    transit.send(&mut link, start, 100, 'b');
    let came: String = std::iter::from_fn(|| transit.poll(start)).map(|(_, item)| item).collect();
    assert_eq!(came, "aabb");
}

#[test]
fn another_path_has_an_empty_queue_and_may_overtake_the_old_one() {
    let plan = Plan::read("rate=100k,delay=100ms", ["50ms:path,rate=none,delay=5ms"]).unwrap();
    let (fates, _) = run(&plan, 2, ms(60));
    assert_eq!(fates, [Some(ms(180)), Some(ms(65))]);
}

#[test]
fn constant_cross_traffic_takes_its_part_of_the_line() {
    let until = Duration::from_secs(10);
    let cross = Cross::Constant { from: Duration::ZERO, until, rate: 500_000 };
    let first = conditions("rate=1M,queue=20k");
    let plan = Plan { first, cross: vec![cross], steps: Vec::new() };
    // 1 Mbit/s of our own: about half of it gets through, beside half a megabit of theirs.
    let (_, stats) = run(&plan, 1_250, ms(8));
    assert!((550..900).contains(&stats.delivered), "{stats:?}");
    let all = stats.delivered_bytes + stats.cross_bytes;
    assert!((1_200_000..1_290_000).contains(&all), "the line is full: {all}");
}

#[test]
fn a_transfer_like_tcp_fills_the_line_and_shares_it_with_another() {
    let until = Duration::from_secs(60);
    let reno = Cross::Reno { from: Duration::ZERO, until, back: ms(20) };
    let first = conditions("rate=4M,queue=40k,delay=20ms");
    let start = test_clock().mono;
    let filled = |cross: Vec<Cross>| {
        let mut link = Link::new(start, &Plan { first, cross, steps: Vec::new() }, 1);
        link.advance(start + until);
        link.stats().cross_bytes as f64 * 8.0 / 60.0
    };
    let one = filled(vec![reno]);
    assert!((3.4e6..4.01e6).contains(&one), "{one}");
    let two = filled(vec![reno, reno]);
    assert!((3.4e6..4.01e6).contains(&two), "{two}");
}
