//! Replays every corpus on the stable toolchain, then mutates it: with a fixed seed and a fixed
//! number of inputs in `cargo xtask test`, for `CONF_FUZZ_SECONDS` a target in `cargo xtask fuzz`.
//!
//! `UPDATE=1` writes the seeds (made by the project's own encoders) into the corpora.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use conf_fuzz::{Mutator, TARGETS, Target};

/// Mutated inputs a target when no time is given.
const INPUTS: u64 = 3_000;

fn corpus(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

fn stored(target: &Target) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(corpus(target)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("a corpus file is readable")).collect()
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
        let mut inputs = stored(target);
        inputs.extend((target.seeds)());
        assert!(!inputs.is_empty(), "{}: no corpus", target.name);
        for input in inputs {
            (target.run)(&input);
        }
    }
}

#[test]
fn mutated_inputs_are_taken_without_a_panic() {
    let seconds = std::env::var("CONF_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    for target in TARGETS {
        let mut inputs = stored(target);
        inputs.extend((target.seeds)());
        let mut mutator = Mutator::new(seconds.map_or(0x5eed, |_: u64| clock_seed()));
        let end = seconds.map(|seconds| now() + Duration::from_secs(seconds));
        let mut done = 0_u64;
        while end.map_or(done < INPUTS, |end| now() < end) {
            let input = mutator.mutate(&inputs);
            let caught = std::panic::catch_unwind(|| (target.run)(&input));
            if caught.is_err() {
                let path = corpus(target).join(format!("crash-{:016x}", mutator.state()));
                std::fs::write(&path, &input).unwrap();
                panic!("{}: panicked, kept as {}", target.name, path.display());
            }
            done += 1;
        }
        eprintln!("{}: {done} inputs", target.name);
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
