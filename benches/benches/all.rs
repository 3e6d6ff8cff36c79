//! All groups under criterion: `cargo xtask bench [GROUP]`. Beside each group's times stands how
//! often a run asks for memory.
#![allow(clippy::print_stdout, reason = "a table for the person who measures")]

use std::time::{Duration, Instant};

use conf_benches::{CHUNK, Case, Operation, Work, allocations, groups, now};
use criterion::{Criterion, Throughput};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for group in groups() {
        let mut counted = Vec::new();
        let mut times = criterion.benchmark_group(group.name);
        times.sample_size(SAMPLES).warm_up_time(WARM_UP).measurement_time(MEASURED);
        for case in (group.cases)() {
            times.throughput(match case.work {
                Work::Items(items) => Throughput::Elements(items),
                Work::Bytes(bytes) => Throughput::Bytes(bytes),
            });
            // Set up once, and only if the case is asked for.
            let mut operation: Option<Box<dyn Operation>> = None;
            times.bench_function(case.name.as_str(), |bencher| {
                let operation = operation.get_or_insert_with(|| (case.make)());
                bencher.iter_custom(|runs| spent(operation.as_mut(), runs));
            });
            if let Some(mut operation) = operation {
                counted.push((case, allocations(operation.as_mut())));
            }
        }
        times.finish();
        table(group.name, &counted);
    }
    criterion.final_summary();
}

/// The time of so many runs; what lies between them does not count.
fn spent(operation: &mut dyn Operation, runs: u64) -> Duration {
    let mut left = usize::try_from(runs).unwrap_or(usize::MAX);
    let mut spent = Duration::ZERO;
    while left > 0 {
        let runs = left.min(CHUNK);
        operation.prepare(runs);
        let start: Instant = now().mono;
        operation.run_times(runs);
        spent += now().mono - start;
        left -= runs;
    }
    spent
}

fn table(group: &str, counted: &[(Case, f64)]) {
    for (case, allocations) in counted {
        println!("{group}/{:<40} {allocations:>10.2} allocations a run", case.name);
    }
}

const SAMPLES: usize = 20;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_millis(2_000);
