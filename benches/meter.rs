//! Runs cases for those who count: `cargo xtask test instructions` and `cargo xtask bench` start it,
//! mostly under valgrind.
#![allow(clippy::print_stdout, reason = "its output is read by xtask")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use conf_benches::{CHUNK, Case, Operation, allocations, groups, now};

const HELP: &str = "\
meter instructions [GROUP]   every gated case, for callgrind: prints the order
meter allocations [GROUP]    asks for memory a run
meter list [GROUP]           every case
meter run CASE RUNS          one case, so many runs, for dhat
meter prepare CASE RUNS      what lies before the runs, without them
meter ratios                 cases alternately, and the medians of their ratios";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["instructions", group @ ..] => instructions(group),
        ["allocations", group @ ..] => {
            for (name, case) in cases(group) {
                println!("{name} {:.2}", allocations((case.make)().as_mut()));
            }
        }
        ["list", group @ ..] => cases(group).for_each(|(name, _)| println!("{name}")),
        [what @ ("run" | "prepare"), wanted, runs] => {
            let Ok(runs) = runs.parse() else { return refuse() };
            let Some((_, case)) = cases(&[]).find(|(name, _)| name == wanted) else {
                return refuse();
            };
            carry_out((case.make)().as_mut(), runs, *what == "run");
        }
        ["ratios"] => ratios(),
        _ => return refuse(),
    }
    ExitCode::SUCCESS
}

fn refuse() -> ExitCode {
    println!("{HELP}");
    ExitCode::from(2)
}

/// Full names and cases, of one group or of all.
fn cases(group: &[&str]) -> impl Iterator<Item = (String, Case)> {
    let only = group.first().map(|group| (*group).to_owned());
    groups()
        .into_iter()
        .filter(move |group| only.as_ref().is_none_or(|only| only == group.name))
        .flat_map(|group| {
            let named = move |case: Case| (format!("{}/{}", group.name, case.name), case);
            (group.cases)().into_iter().map(named)
        })
}

/// Each case is run before it counts, so that what happens once is not counted.
fn instructions(group: &[&str]) {
    for (name, case) in cases(group).filter(|(_, case)| case.gated) {
        let mut operation = (case.make)();
        for _ in 0..WARM_UP {
            carry_out(operation.as_mut(), CHUNK, true);
        }
        operation.prepare(CHUNK);
        measured(operation.as_mut(), CHUNK);
        println!("{name} {CHUNK}");
    }
}

/// Callgrind counts what happens in here: the name is known to xtask.
#[inline(never)]
fn measured(operation: &mut dyn Operation, runs: usize) {
    operation.run_times(black_box(runs));
    black_box(runs); // the call must not be the end, or callgrind does not see it return
}

fn carry_out(operation: &mut dyn Operation, runs: usize, run: bool) {
    let mut left = runs;
    while left > 0 {
        let runs = left.min(CHUNK);
        operation.prepare(runs);
        if run {
            operation.run_times(runs);
        }
        left -= runs;
    }
}

/// What others do to the machine meets both sides of a ratio alike.
fn ratios() {
    for (one, other, factor, what) in RATIOS {
        let mut sides = [one, other].map(|wanted| {
            let found = cases(&[]).find(|(name, _)| name == wanted);
            let (_, case) = found.expect("a case of the table");
            (case.make)()
        });
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            let [one, other] = sides.each_mut().map(|side| time(side.as_mut()).as_secs_f64());
            if round > 0 {
                ratios.push(factor * one / other);
            }
        }
        ratios.sort_by(f64::total_cmp);
        let at = |part: usize| ratios.get(ratios.len() * part / 100).copied().unwrap_or_default();
        println!("{what}: {:.2} ({:.2} to {:.2})", at(50), at(10), at(90));
    }
}

/// Longer than a chunk, so that starting threads does not show.
fn time(operation: &mut dyn Operation) -> Duration {
    operation.prepare(4 * CHUNK);
    let start = now().mono;
    operation.run_times(4 * CHUNK);
    now().mono - start
}

/// Chunks: after them all memory that grows with what is sent has grown.
const WARM_UP: usize = 10;
const ROUNDS: usize = 101;
/// The first case's time over the second's, times the work of the second in that of the first.
const RATIOS: [(&str, &str, f64, &str); 2] = [
    ("engine/e2e_one_core", "engine/bare_copy_and_seal", 1.0, "engine over bare copy and seal"),
    ("engine/e2e_one_shard", "engine/e2e_two_shards", 2.0, "two shards over one"),
];
