//! The estimator behind simulated links: medians of twenty seeds.
#![allow(clippy::cast_precision_loss, clippy::print_stdout, reason = "figures of a test")]

use super::*;
use crate::bwe::probe::{LEAST_PACKETS, Planner};
use crate::forward::test_clock;
use crate::sim::{Conditions, Cross, Fate, Link, Plan, Random};

/// One sender that has always more to send, up to `wish`.
struct Flow {
    gcc: Gcc,
    planner: Planner,
    wish: u64,
    credit: f64,
    /// Sent packets without report: when they arrive, if they do.
    under_way: Vec<(Outcome, Option<Instant>)>,
    report_at: Instant,
    delivered: Vec<(Instant, usize)>,
    delays: Vec<(Instant, Duration)>,
    sent: Vec<Instant>,
    random: Random,
}

const PACKET: usize = 1_100;
const TICK: Duration = Duration::from_millis(5);
/// From the receiver back, and how often it reports.
const BACK: Duration = Duration::from_millis(25);
const REPORT: Duration = Duration::from_millis(100);

impl Flow {
    fn new(now: Instant, start: u64, wish: u64, seed: u64) -> Self {
        Self {
            gcc: Gcc::new(start),
            planner: Planner::default(),
            wish,
            credit: 0.0,
            under_way: Vec::new(),
            report_at: now + REPORT,
            delivered: Vec::new(),
            delays: Vec::new(),
            sent: Vec::new(),
            random: Random::new(seed),
        }
    }

    fn send(&mut self, now: Instant, began: Instant, link: &mut Link, probe: Option<u16>) {
        let bytes = PACKET;
        let sent = now - began;
        self.sent.push(now);
        let arrives = match link.push(now, bytes + 28) {
            Fate::Arrives(at) | Fate::Twice(at, _) => Some(at),
            Fate::Lost(_) => None,
        };
        if let Some(at) = arrives {
            self.delivered.push((at, bytes));
            self.delays.push((now, at - now));
        }
        // A receiver's clock of its own, in steps of 250 µs.
        let stamp = |at: Instant| {
            let micros = (at - began).as_micros() / 250 * 250 + 7_000_000;
            Duration::from_micros(u64::try_from(micros).unwrap())
        };
        let outcome = Outcome { sent, arrived: arrives.map(stamp), bytes, probe };
        self.under_way.push((outcome, arrives));
    }

    fn tick(&mut self, now: Instant, began: Instant, link: &mut Link) {
        let estimate = self.gcc.estimate().unwrap_or(300_000);
        let rate = estimate.min(self.wish) as f64 * (0.9 + 0.2 * self.random.unit());
        self.credit = (self.credit + rate / 8.0 * TICK.as_secs_f64()).min(20_000.0);
        while self.credit >= PACKET as f64 {
            self.credit -= PACKET as f64;
            self.send(now, began, link, None);
        }
        let calm = self.gcc.is_calm(now);
        if let Some(probe) = self.planner.poll(now, estimate, self.wish, calm) {
            let packets = usize::try_from(LEAST_PACKETS).unwrap().max(probe.bytes / PACKET);
            let gap = Duration::from_secs_f64(PACKET as f64 * 8.0 / probe.rate as f64);
            for packet in 0..packets {
                let at = now + gap * u32::try_from(packet).unwrap();
                self.send(at, began, link, Some(probe.id));
            }
        }
        if now >= self.report_at {
            self.report_at += REPORT;
            self.report(now, began);
        }
    }

    /// All that arrived by now, less the way back, is reported on; what was sent before it and did
    /// not arrive, too.
    fn report(&mut self, now: Instant, began: Instant) {
        let seen = now - BACK;
        let newest = self.under_way.iter().rposition(|(_, at)| at.is_some_and(|at| at <= seen));
        let Some(newest) = newest else { return };
        let mut round_trip = Duration::ZERO;
        let reported: Vec<_> = self.under_way.drain(..=newest).collect();
        for (outcome, at) in reported {
            let in_time = at.is_none_or(|at| at <= seen);
            if !in_time {
                continue;
            }
            if let Some(at) = at {
                round_trip = at - (began + outcome.sent) + BACK;
            }
            self.gcc.packet(outcome);
        }
        self.gcc.report(now, round_trip.max(Duration::from_millis(50)));
    }

    fn rate(&self, from: Instant, to: Instant) -> f64 {
        let within = self.delivered.iter().filter(|(at, _)| (from..to).contains(at));
        let bytes: usize = within.map(|(_, bytes)| bytes).sum();
        bytes as f64 * 8.0 / (to - from).as_secs_f64()
    }
}

fn run(plan: &Plan, seed: u64, mut flows: Vec<Flow>, seconds: u64) -> (Instant, Vec<Flow>) {
    let began = flows[0].report_at - REPORT;
    let mut link = Link::new(began, plan, seed);
    let mut now = began;
    while now < began + Duration::from_secs(seconds) {
        for flow in &mut flows {
            flow.tick(now, began, &mut link);
        }
        now += TICK;
    }
    (began, flows)
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn path(rate: u64) -> Conditions {
    Conditions {
        delay: Duration::from_millis(25),
        jitter: Duration::from_millis(2),
        rate: Some(rate),
        queue: 64_000,
        ..Default::default()
    }
}

const SEEDS: u64 = 20;

#[test]
fn a_path_that_becomes_narrow_and_wide_again_is_followed() {
    let seconds = Duration::from_secs;
    let (mut down, mut up, mut used, mut waits) = (vec![], vec![], vec![], vec![]);
    for seed in 0..SEEDS {
        let plan = Plan::of(path(2_000_000))
            .then_rate(seconds(20), 500_000)
            .then_rate(seconds(40), 2_000_000);
        let start = test_clock().mono;
        let flow = Flow::new(start, 300_000, 3_000_000, seed);
        let (began, flows) = run(&plan, seed, vec![flow], 70);
        let flow = &flows[0];
        let reached = |from: u64, is: &dyn Fn(f64) -> bool| {
            let step = Duration::from_millis(250);
            let at = (0..120u32).find(|step_index| {
                let from = began + seconds(from) + step * *step_index;
                is(flow.rate(from, from + step * 2))
            });
            f64::from(at.unwrap_or(120)) * 0.25
        };
        // Down: no more is sent than the path takes, so that the queue becomes shorter.
        let sent = |from: Instant| {
            let within = flow.sent.iter().filter(|at| (from..from + seconds(1)).contains(*at));
            within.count() as f64 * PACKET as f64 * 8.0
        };
        let step = Duration::from_millis(100);
        let fits = |at: &u32| sent(began + seconds(20) + step * *at) <= 500_000.0;
        down.push(f64::from((0..200).find(fits).unwrap_or(200)) * 0.1);
        up.push(reached(40, &|rate| rate > 1_700_000.0));
        used.push(flow.rate(began + seconds(10), began + seconds(20)) / 2_000_000.0);
        let mut steady: Vec<f64> = flow
            .delays
            .iter()
            .filter(|(at, _)| (began + seconds(10)..began + seconds(70)).contains(at))
            .map(|(_, delay)| delay.as_secs_f64() * 1_000.0 - 25.0)
            .collect();
        steady.sort_by(f64::total_cmp);
        waits.push(steady[steady.len() * 95 / 100]);
    }
    let (down, up, used, waits) = (median(down), median(up), median(used), median(waits));
    println!("2 → 0.5: {down:.2} s; 0.5 → 2: {up:.2} s; use {used:.2}; queue p95 {waits:.0} ms");
    assert!(down <= 2.0 && up <= 8.0 && used >= 0.85 && waits <= 150.0);
}

#[test]
fn five_flows_share_one_path_fairly() {
    let mut fairness = Vec::new();
    for seed in 0..SEEDS {
        let start = test_clock().mono;
        let flows = (0..5).map(|flow| Flow::new(start, 300_000, 5_000_000, seed * 5 + flow));
        let (began, flows) = run(&Plan::of(path(5_000_000)), seed, flows.collect(), 60);
        let from = began + Duration::from_secs(30);
        let rates = flows.iter().map(|flow| flow.rate(from, from + Duration::from_secs(30)));
        let (sum, squares) =
            rates.fold((0.0, 0.0), |(sum, squares), it| (sum + it, squares + it * it));
        fairness.push(sum * sum / (5.0 * squares));
    }
    let fairness = median(fairness);
    println!("Jain's index of five flows: {fairness:.3}");
    assert!(fairness >= 0.9, "{fairness}");
}

#[test]
fn beside_a_greedy_flow_some_is_left() {
    let mut shares = Vec::new();
    for seed in 0..SEEDS {
        let start = test_clock().mono;
        let cross = Cross::Reno {
            from: Duration::from_secs(5),
            until: Duration::from_secs(65),
            back: Duration::from_millis(25),
        };
        let plan = Plan { cross: vec![cross], ..Plan::of(path(3_000_000)) };
        let flow = Flow::new(start, 300_000, 3_000_000, seed);
        let (began, flows) = run(&plan, seed, vec![flow], 65);
        let from = began + Duration::from_secs(25);
        shares.push(flows[0].rate(from, from + Duration::from_secs(40)) / 3_000_000.0);
    }
    let share = median(shares);
    println!("share beside a TCP-like flow: {share:.2}");
    // Aimed at is a third; a queue that others keep full still costs too much.
    assert!(share >= 0.15, "{share}");
}

#[test]
fn loss_that_no_sender_can_help_does_not_stop_it() {
    let mut used = Vec::new();
    for seed in 0..SEEDS {
        let start = test_clock().mono;
        let lossy = Conditions { loss: 0.10, delay: Duration::from_millis(40), ..path(2_000_000) };
        let flow = Flow::new(start, 300_000, 3_000_000, seed);
        let (began, flows) = run(&Plan::of(lossy), seed, vec![flow], 40);
        let from = began + Duration::from_secs(20);
        used.push(flows[0].rate(from, from + Duration::from_secs(20)) / 2_000_000.0);
    }
    let used = median(used);
    println!("use of a path that loses a tenth: {used:.2}");
    assert!(used >= 0.6, "{used}");
}

#[test]
fn reports_that_lie_are_believed_within_bounds() {
    let start = test_clock().mono;
    let mut gcc = Gcc::new(300_000);
    gcc.receiver_says(start, u64::MAX);
    gcc.receiver_says(start, 0);
    assert_eq!(gcc.estimate(), Some(LEAST));
    for shape in 0..4u32 {
        let mut gcc = Gcc::new(300_000);
        let mut random = Random::new(u64::from(shape));
        for step in 0..2_000u32 {
            let now = start + Duration::from_millis(100) * step;
            for packet in 0..10u32 {
                let sent = Duration::from_millis(100) * step + Duration::from_millis(10) * packet;
                let arrived = match shape {
                    0 => None,                         // all lost
                    1 => Some(sent),                   // no time on the way
                    2 => Some(Duration::from_secs(9)), // all at one moment
                    _ => Some(random.up_to(Duration::from_secs(1 << 20))),
                };
                gcc.packet(Outcome { sent, arrived, bytes: 1_200, probe: Some(7) });
            }
            gcc.report(now, Duration::ZERO);
            let estimate = gcc.estimate().unwrap();
            assert!((LEAST..=MOST).contains(&estimate), "{shape}: {estimate}");
        }
        let sent = 960_000;
        assert!(gcc.estimate().unwrap() <= sent * 4, "{shape}: {:?}", gcc.estimate());
    }
}
