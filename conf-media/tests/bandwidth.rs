//! A subscriber's network becomes narrow and wide again: what it is sent follows, estimated from its
//! reports.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::{Duration, Instant};

use common::{SEEDS, clock, median, plan};
use conf_media::shard::ShardConfig;
use conf_media::sim::world::{Seen, World};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A camera of 0.15, 0.5 and 1.7 Mbit/s over a path; what came of it.
fn call(seed: u64, path: &str, steps: &[&str], run: u64) -> (Instant, Seen) {
    let now = clock();
    let config = ShardConfig { seed, estimate: true, ..ShardConfig::default() };
    let mut world = World::with(now, config);
    let near = plan("delay=10ms", &[]);
    let ada = world.join(&near, &near);
    let track = world.publish(ada);
    let down = plan(path, steps);
    let bob = world.join(&near, &down);
    world.subscribe(bob, track);
    world.run(seconds(run));
    assert_eq!(world.broken(), [], "seed {seed}");
    (now.mono, world.seen(bob, track).unwrap().clone())
}

/// The last time, since a moment, that an encoding above `most` was shown before `until`.
fn last_above(seen: &Seen, most: u8, (since, until): (Instant, Instant)) -> Duration {
    let within = seen.pictures.iter().filter(|(at, it)| (since..until).contains(at) && *it > most);
    within.map(|(at, _)| *at - since).max().unwrap_or_default()
}

#[test]
fn a_path_that_becomes_narrow_and_wide_again_is_followed_with_layers() {
    let run = |seed: u64| {
        let path = "delay=25ms,jitter=2ms,rate=2500k,queue=64000";
        let steps = ["20s:rate=700k", "40s:rate=2500k"];
        let (began, seen) = call(seed, path, &steps, 60);
        let start = seen.first_of(2, began).map_or(99.0, |at| (at - began).as_secs_f64());
        let (narrow, wide) = (began + seconds(20), began + seconds(40));
        let down = last_above(&seen, 1, (narrow, wide)).as_secs_f64();
        let up = seen.first_of(2, wide).map_or(99.0, |at| (at - wide).as_secs_f64());
        let pause = seen.longest_pause(began + seconds(2), began + seconds(60)).as_secs_f64();
        (start, down, up, pause, seen.changes())
    };
    let runs: Vec<_> = (0..SEEDS).map(run).collect();
    println!("{runs:?}");
    let of =
        |pick: fn(&(f64, f64, f64, f64, usize)) -> f64| median(runs.iter().map(pick).collect());
    let (start, down, up, pause) = (of(|it| it.0), of(|it| it.1), of(|it| it.2), of(|it| it.3));
    println!("best after {start:.2} s, down {down:.2} s, up {up:.2} s, longest pause {pause:.2} s");
    assert!(start <= 8.0 && down <= 2.0 && up <= 8.0 && pause <= 1.0);
}

#[test]
fn on_a_path_that_takes_all_of_it_nothing_changes() {
    let run = |seed: u64| {
        let (began, seen) = call(seed, "delay=25ms,jitter=2ms,rate=10000k,queue=64000", &[], 40);
        let after = seen.pictures.iter().filter(|(at, it)| *at > began + seconds(10) && *it < 2);
        after.count()
    };
    let lower: Vec<usize> = (0..SEEDS).map(run).collect();
    println!("pictures below the best after 10 s: {lower:?}");
    assert_eq!(median(lower), 0);
}
