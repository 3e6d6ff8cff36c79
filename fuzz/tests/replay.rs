//! Replays every corpus on the stable toolchain, then mutates it: with a fixed seed and a fixed
//! number of inputs in `cargo xtask test`, for `CONF_FUZZ_SECONDS` a target in `cargo xtask fuzz`,
//! which with `CONF_FUZZ_TARGET` searches in one of them only.
//!
//! A search over time mutates further what led to an outcome of a new shape, and keeps a few of
//! those in the corpus. `UPDATE=1` writes the seeds (made by the project's own encoders) there. What
//! is called `cov-…` was chosen from searches with coverage (`benches/results/fuzz.md`).

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conf_fuzz::{Mutator, Shape, TARGETS, Target, caught, is_publishable};

/// Mutated inputs a target when no time is given.
const INPUTS: u64 = 3_000;

/// What a search over time mutates: that many inputs of new shapes beside the corpus.
const POOL: usize = 400;

/// What it keeps in the corpus: files in all, and bytes of one.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 600;

fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn paths(target: &Target) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(corpus(target)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn stored(target: &Target) -> Vec<Vec<u8>> {
    let read = |path: &PathBuf| std::fs::read(path).expect("a corpus file is readable");
    paths(target).iter().map(read).collect()
}

fn corpus_and_seeds(target: &Target) -> Vec<Vec<u8>> {
    let mut inputs = stored(target);
    inputs.extend((target.seeds)());
    assert!(!inputs.is_empty(), "{}: no corpus", target.name);
    inputs
}

#[test]
fn every_stored_input_is_taken_without_a_panic() {
    for target in TARGETS {
        if std::env::var_os("UPDATE").is_some() && !target.has_fixtures {
            std::fs::create_dir_all(corpus(target)).unwrap();
            for (i, seed) in (target.seeds)().iter().enumerate() {
                std::fs::write(corpus(target).join(format!("seed-{i:02}")), seed).unwrap();
            }
        }
        for input in corpus_and_seeds(target) {
            (target.run)(&input);
        }
    }
}

#[test]
fn nothing_stored_makes_another_implementation_panic() {
    let mut harmful = Vec::new();
    for path in TARGETS.iter().flat_map(paths) {
        let input = std::fs::read(&path).expect("a corpus file is readable");
        if !is_publishable(&input) {
            harmful.push(path);
        }
    }
    assert!(harmful.is_empty(), "{harmful:#?}");
}

#[test]
fn mutated_inputs_are_taken_without_a_panic() {
    let variable = |name: &str| std::env::var(name).ok();
    let only = variable("CONF_FUZZ_TARGET");
    let seconds = variable("CONF_FUZZ_SECONDS").and_then(|text| text.parse().ok());
    for target in TARGETS.iter().filter(|it| only.as_ref().is_none_or(|only| it.name == only)) {
        let others = caught();
        let (done, found) = match seconds {
            Some(seconds) => search(target, Duration::from_secs(seconds)),
            None => (mutate(target), 0),
        };
        let others = caught() - others;
        let name = target.name;
        eprintln!("{name}: {done} inputs, {found} of new shapes, {others} panics of others");
    }
}

/// The same inputs each time.
fn mutate(target: &Target) -> u64 {
    let inputs = corpus_and_seeds(target);
    let mut mutator = Mutator::new(0x5eed);
    for _ in 0..INPUTS {
        let input = mutator.mutate(&inputs);
        take(target, &input, &mutator);
    }
    INPUTS
}

/// Others each time, until time is up; returns how many, and how many were of new shapes.
fn search(target: &Target, time: Duration) -> (u64, usize) {
    let mut inputs = corpus_and_seeds(target);
    let mut mutator = Mutator::new(clock_seed());
    let mut seen: HashSet<Shape> = inputs.iter().map(|input| (target.run)(input)).collect();
    let (mut done, mut found, full) = (0, 0, inputs.len() + POOL);
    let end = now() + time;
    while now() < end {
        let input = mutator.mutate(&inputs);
        let shape = take(target, &input, &mutator);
        done += 1;
        if !seen.insert(shape) {
            continue;
        }
        found += 1;
        keep(target, &input, shape);
        if inputs.len() < full {
            inputs.push(input);
        }
    }
    (done, found)
}

/// Feeds one input; what panics is kept.
fn take(target: &Target, input: &[u8], mutator: &Mutator) -> Shape {
    std::panic::catch_unwind(|| (target.run)(input)).unwrap_or_else(|_| {
        std::fs::create_dir_all(corpus(target)).expect("the corpus can be written");
        let path = corpus(target).join(format!("crash-{:016x}", mutator.state()));
        std::fs::write(&path, input).expect("the corpus can be written");
        panic!("{}: panicked, kept as {}", target.name, path.display());
    })
}

fn keep(target: &Target, input: &[u8], shape: Shape) {
    let folder = corpus(target);
    let files = std::fs::read_dir(&folder).map_or(0, Iterator::count);
    if target.keeps && input.len() <= KEPT_BYTES && files < KEPT && is_publishable(input) {
        std::fs::create_dir_all(&folder).expect("the corpus can be written");
        std::fs::write(folder.join(format!("found-{}", shape.name())), input)
            .expect("the corpus can be written");
    }
}

#[expect(clippy::disallowed_methods, reason = "a search over time needs a clock")]
fn now() -> Instant {
    Instant::now()
}

/// Another start each time, for a search that goes on where the last one stopped.
#[expect(clippy::disallowed_methods, reason = "a search over time needs a clock")]
fn clock_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(1, |since| u64::try_from(since.as_nanos() & u128::from(u64::MAX)).unwrap_or(1))
}
