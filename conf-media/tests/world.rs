//! The whole engine behind simulated networks: medians over many seeds, and laws that hold in all.

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
use conf_media::command::{Preference, TrackId};
use conf_media::sim::world::{NodeId, World};
use conf_media::sim::{Conditions, Plan, Random};

fn millis(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A camera with a good link, and one who sees it over `down`.
struct Call {
    world: World,
    began: Instant,
    track: TrackId,
    bob: NodeId,
}

impl Call {
    fn new(seed: u64, down: &Plan) -> Self {
        let now = clock();
        let mut world = World::new(now, seed);
        let near = plan("delay=10ms", &[]);
        let ada = world.join(&near, &near);
        let track = world.publish(ada);
        let up = Plan::of(Conditions { rate: None, ..down.first });
        let bob = world.join(&up, down);
        world.subscribe(bob, track);
        Self { world, began: now.mono, track, bob }
    }

    fn run(&mut self, milliseconds: u64) -> &mut Self {
        self.world.run(millis(milliseconds));
        self
    }

    fn seen(&self) -> &conf_media::sim::world::Seen {
        self.world.seen(self.bob, self.track).unwrap()
    }

    fn assert_lawful(&self, what: &str) {
        assert_eq!(self.world.broken(), [], "{what}");
    }
}

#[test]
fn a_tenth_of_all_packets_lost_leaves_one_in_two_hundred_unrepaired() {
    let run = |seed| {
        let mut call = Call::new(seed, &plan("delay=40ms,loss=10%", &[]));
        call.run(20_000).assert_lawful(&format!("seed {seed}"));
        call.run(1_000);
        let seen = call.seen();
        let pause = seen.longest_pause(call.began + millis(3_000), call.began + millis(20_000));
        (100.0 * seen.lost() as f64 / (seen.lost() + seen.packets) as f64, pause)
    };
    let runs: Vec<(f64, Duration)> = (0..SEEDS).map(run).collect();
    let lost = median(runs.iter().map(|run| run.0).collect());
    let pause = median(runs.iter().map(|run| run.1).collect());
    println!("10 % loss, 80 ms: {lost:.2} % residual, longest pause {pause:?}");
    assert!(lost <= 0.5, "{lost:.2} %");
    assert!(pause <= millis(1_000), "{pause:?}");
}

#[test]
fn after_two_hundred_milliseconds_of_nothing_the_picture_is_back_within_four_hundred() {
    let run = |seed: u64| {
        let from = 5_000 + seed * 37;
        let steps = [format!("{from}ms:loss=100%"), format!("{}ms:loss=0%", from + 200)];
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let mut call = Call::new(seed, &plan("delay=40ms", &steps));
        call.run(from + 3_000).assert_lawful(&format!("seed {seed}"));
        let over = call.began + millis(from + 200);
        let shown = call.seen().pictures.iter().find(|(at, _)| *at > over + millis(45));
        shown.unwrap().0 - over
    };
    let back = median((0..SEEDS).map(run).collect());
    println!("burst of 200 ms: picture back after {back:?}");
    assert!(back <= millis(400), "{back:?}");
}

#[test]
fn a_larger_picture_comes_soon_after_there_is_room_for_it() {
    let run = |seed: u64| {
        let mut call = Call::new(seed, &plan("delay=20ms", &[]));
        call.world.limit(call.bob, Some(900_000));
        call.run(8_000 + seed * 31);
        let room = call.began + call.world.time();
        assert_eq!(call.seen().pictures.last().unwrap().1, 1, "seed {seed}");
        call.world.limit(call.bob, Some(4_000_000));
        call.run(3_000).assert_lawful(&format!("seed {seed}"));
        call.seen().first_of(2, room).unwrap() - room
    };
    let after = median((0..SEEDS).map(run).collect());
    println!("layer up {after:?} after the bandwidth is there");
    assert!(after <= millis(500), "{after:?}");
}

#[test]
fn on_a_steady_link_the_layers_stay() {
    let run = |seed: u64| {
        let mut call = Call::new(seed, &plan("delay=20ms,jitter=5ms", &[]));
        // Often just where a layer does or does not fit.
        call.world.limit(call.bob, Some(400_000 + seed * 97_000));
        call.run(5_000);
        let before = call.seen().changes();
        call.run(30_000).assert_lawful(&format!("seed {seed}"));
        call.seen().changes() - before
    };
    let changes: Vec<usize> = (0..SEEDS).map(run).collect();
    println!("layer changes in 30 s on a steady link: {changes:?}");
    assert!(median(changes.clone()) <= 3 && changes.iter().all(|&changes| changes <= 6));
}

/// Random networks, wishes, joins and limits.
fn storm(seed: u64) -> World {
    let mut random = Random::new(seed.wrapping_mul(0x2545_f491).wrapping_add(99));
    let mut world = World::new(clock(), seed);
    let any = |random: &mut Random| {
        let loss = [0.0, 0.0, 0.02, 0.1, 0.3][random.bits() as usize % 5];
        let jitter = random.up_to(millis(60));
        let delay = random.up_to(millis(150));
        let reorder =
            random.chance(0.3).then_some(conf_media::sim::Reorder { share: 0.02, by: millis(40) });
        let rate = random.chance(0.4).then(|| 200_000 + random.bits() % 4_000_000);
        let duplicate = if random.chance(0.2) { 0.01 } else { 0.0 };
        Plan::of(Conditions { delay, jitter, loss, reorder, rate, duplicate, ..Default::default() })
    };
    let nodes: Vec<NodeId> = (0..4 + seed % 4)
        .map(|_| {
            let (up, down) = (any(&mut random), any(&mut random));
            world.join(&up, &down)
        })
        .collect();
    let publishers = &nodes[..2];
    let tracks: Vec<TrackId> = publishers.iter().map(|&node| world.publish(node)).collect();
    for &node in &nodes {
        for (&publisher, &track) in publishers.iter().zip(&tracks) {
            if publisher != node {
                world.subscribe(node, track);
            }
        }
    }
    for _ in 0..12 {
        world.run(random.up_to(millis(900)));
        let node = nodes[2 + random.bits() as usize % (nodes.len() - 2)];
        let track = tracks[random.bits() as usize % 2];
        match random.bits() % 4 {
            0 => world.limit(node, Some(100_000 + random.bits() % 5_000_000)),
            1 => world.limit(node, None),
            2 => {
                let side = 90 + (random.bits() % 800) as u16;
                let frame_rate = random.chance(0.3).then_some(8);
                let size = Some((side * 2, side));
                let shown = Preference { size, frame_rate, ..Preference::default() };
                world.prefer(node, track, shown);
            }
            _ => world.prefer(node, track, Preference::default()),
        }
    }
    world.run(millis(2_000));
    world
}

/// Seeds that once failed stay.
const FAILED: [u64; 4] = [0, 13, 186, 275];

/// A quarter of the sweep each, so that all cores take part; more seeds in `cargo xtask soak`.
fn sweep(quarter: u64) {
    let seeds: u64 = std::env::var("CONF_SIM_SEEDS").map_or(500, |count| count.parse().unwrap());
    let failed = FAILED.into_iter().filter(|_| quarter == 0);
    for seed in failed.chain((0..seeds).filter(|seed| seed % 4 == quarter)) {
        let world = storm(seed);
        assert_eq!(world.broken(), [], "seed {seed}");
    }
}

#[test]
fn no_storm_breaks_a_law_first_quarter() {
    sweep(0);
}

#[test]
fn no_storm_breaks_a_law_second_quarter() {
    sweep(1);
}

#[test]
fn no_storm_breaks_a_law_third_quarter() {
    sweep(2);
}

#[test]
fn no_storm_breaks_a_law_last_quarter() {
    sweep(3);
}
