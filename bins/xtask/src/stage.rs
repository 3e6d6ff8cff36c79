//! One stage of `cargo xtask test`: runs commands, counts their tests, keeps the time.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Count {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// What a stage works with: it runs commands and reports single checks.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    count: Count,
}

impl Stage {
    /// Runs a command to its end with its output shown; the tests it reports are counted, and a
    /// command that reports none counts as one.
    pub(crate) fn command(&mut self, command: &mut Command) {
        match run(command) {
            Ok(count) => self.count.add(count),
            Err(error) => self.check(&format!("{error:#}"), false),
        }
    }

    /// One check of our own.
    pub(crate) fn check(&mut self, what: &str, holds: bool) {
        if holds {
            self.count.passed += 1;
        } else {
            self.count.failed += 1;
            say(&format!("FAILED: {what}"));
        }
    }
}

/// A whole run: the stages asked for, their times and counts.
#[derive(Debug)]
pub(crate) struct Run {
    only: Vec<String>,
    done: Vec<(&'static str, Duration, Count)>,
}

impl Run {
    pub(crate) fn new(only: &[String]) -> Self {
        Self { only: only.to_vec(), done: Vec::new() }
    }

    /// A step without which nothing else makes sense.
    pub(crate) fn always(&mut self, name: &'static str, step: fn() -> Result<()>) -> Result<()> {
        let start = now();
        step()?;
        self.done.push((name, start.elapsed(), Count::default()));
        Ok(())
    }

    pub(crate) fn stage(&mut self, name: &'static str, body: fn(&mut Stage)) {
        if !self.only.is_empty() && !self.only.iter().any(|only| only == name) {
            return;
        }
        say(&format!("\n== {name}"));
        let start = now();
        let mut stage = Stage::default();
        body(&mut stage);
        self.done.push((name, start.elapsed(), stage.count));
    }

    /// Prints the table of stages and the one line that says how it went.
    pub(crate) fn finish(self) -> Result<()> {
        let mut total = Count::default();
        say("\nstage          time  passed  failed");
        for (name, time, count) in &self.done {
            let seconds = time.as_secs_f64();
            say(&format!("{name:<12} {seconds:>5.0} s {:>7} {:>7}", count.passed, count.failed));
            total.add(*count);
        }
        say(&format!("\n{} passed, {} failed", total.passed, total.failed));
        if total.failed > 0 {
            bail!("{} failed", total.failed);
        }
        Ok(())
    }
}

/// Runs a command, shows its output as it comes, and counts the tests it names.
fn run(command: &mut Command) -> Result<Count> {
    let shown = show(command);
    say(&format!("$ {shown}"));
    let mut child = command
        .env("NO_COLOR", "1")
        .env("CARGO_TERM_COLOR", "never")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    let out = child.stdout.take().map(tee);
    let err = child.stderr.take().map(tee);
    let status = child.wait()?;
    let mut count = Count::default();
    for counted in [out, err].into_iter().flatten().map(thread::JoinHandle::join) {
        count.add(counted.unwrap_or_default());
    }
    if status.success() && count == Count::default() {
        count.passed = 1;
    }
    if !status.success() {
        say(&format!("FAILED: `{shown}` ended with {status}"));
        count.failed = count.failed.max(1);
    }
    Ok(count)
}

fn tee(stream: impl Read + Send + 'static) -> thread::JoinHandle<Count> {
    thread::spawn(move || {
        let mut count = Count::default();
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            count.add(counted(&line));
            say(&line);
        }
        count
    })
}

/// Reads the summary lines of cargo test, nextest, vitest and Playwright.
fn counted(line: &str) -> Count {
    let line = line.trim();
    let cargo = line.starts_with("test result:");
    let nextest = line.starts_with("Summary [");
    let vitest = line.starts_with("Tests ");
    let words: Vec<&str> = line.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
    let playwright = matches!(words.as_slice(), [_, "passed" | "failed"] | [_, "passed", _]);
    if !(cargo || nextest || vitest || playwright) {
        return Count::default();
    }
    let before = |what: &str| {
        words
            .windows(2)
            .find_map(|pair| match pair {
                [number, word] if *word == what => number.parse().ok(),
                _ => None,
            })
            .unwrap_or(0)
    };
    Count { passed: before("passed"), failed: before("failed") }
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// A line on standard output.
#[expect(clippy::print_stdout, reason = "xtask talks to the person who started it")]
pub(crate) fn say(line: &str) {
    println!("{line}");
    // A closed pipe (`| head`) is no reason to stop the tests.
    drop(std::io::stdout().flush());
}

/// Reads the clock.
#[expect(clippy::disallowed_methods, reason = "xtask measures how long its stages take")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summaries_of_all_runners_are_counted() {
        let cases = [
            ("test result: ok. 5 passed; 1 failed; 0 ignored; 0 measured", 5, 1),
            ("     Summary [   5.087s] 120 tests run: 119 passed, 1 failed, 0 skipped", 119, 1),
            ("      Tests  12 passed (12)", 12, 0),
            ("      Tests  1 failed | 11 passed (12)", 11, 1),
            ("  9 passed (1.2m)", 9, 0),
            ("  2 failed", 0, 2),
            ("the meeting passed 3 failed attempts", 0, 0),
        ];
        for (line, passed, failed) in cases {
            assert_eq!(counted(line), Count { passed, failed }, "{line}");
        }
    }
}
