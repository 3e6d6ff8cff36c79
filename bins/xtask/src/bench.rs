//! `cargo xtask bench`: times by criterion, allocations and copied bytes beside them, in one table.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::inputs::{cargo, root, target};
use crate::instructions::{meter, write_limits};
use crate::rust::succeed;
use crate::stage::say;

const USAGE: &str = "cargo xtask bench [GROUP] [--save | --limits | --ratios]";
/// Runs of a case in which the copied bytes are counted.
const RUNS: u64 = 48;
/// Too slow under valgrind, and they copy nothing.
const NOT_COPIED: &str = "needle/";

pub(crate) fn run(words: &[String]) -> Result<()> {
    let (flags, groups): (Vec<&String>, Vec<&String>) =
        words.iter().partition(|word| word.starts_with("--"));
    let flags: Vec<&str> = flags.into_iter().map(String::as_str).collect();
    match flags.as_slice() {
        [] => report(&groups, None),
        ["--save"] => {
            ensure!(groups.is_empty(), "the saved report has all groups");
            report(&groups, Some(&root().join("benches/results/criterion.md")))
        }
        ["--limits"] => write_limits(),
        ["--ratios"] => succeed(Command::new(meter()?).arg("ratios")),
        _ => anyhow::bail!("{USAGE}"),
    }
}

/// What one run works on.
#[derive(Clone, Copy, Debug)]
enum Work {
    Items(f64),
    Bytes(f64),
}

/// One row of the table.
#[derive(Debug, Default)]
struct Row {
    nanoseconds: f64,
    work: Option<Work>,
}

/// Measures, prints the table, and writes it to a file.
fn report(groups: &[&String], save: Option<&Path>) -> Result<()> {
    let group = groups.first().map(|group| group.as_str());
    let criterion = target().join("criterion");
    let _ = fs::remove_dir_all(&criterion);
    let mut command = cargo(&["bench", "-p", "conf-benches", "--features", "webrtc-dtls"]);
    command.args(["--locked", "--bench", "all", "--"]);
    if let Some(group) = group {
        command.arg(format!("^{group}/"));
    }
    succeed(&mut command)?;
    let meter = meter()?;
    let out = Command::new(&meter).arg("allocations").args(group).output()?;
    ensure!(out.status.success(), "meter allocations ended with {}", out.status);
    let allocations = String::from_utf8(out.stdout)?;
    let allocations: Vec<(&str, &str)> =
        allocations.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    let copied = copied(&meter, &allocations);
    let rows = rows(&criterion)?;
    let mut text = String::from(COLUMNS);
    for (name, allocations) in allocations {
        let Some(row) = rows.get(name) else { continue };
        let copied = copied.get(name).map_or_else(|| "–".to_owned(), |bytes| bytes.to_string());
        text.push_str(&line(name, row, allocations, &copied));
    }
    say(&format!("\n{text}"));
    if let Some(file) = save {
        fs::create_dir_all(file.parent().unwrap_or(file))?;
        fs::write(file, format!("{}{text}", head(&meter)?))?;
        say(&format!("written to {}", file.display()));
    }
    Ok(())
}

fn line(name: &str, row: &Row, allocations: &str, copied: &str) -> String {
    let (group, case) = name.split_once('/').unwrap_or((name, ""));
    let rate = |work: f64| scaled(work / row.nanoseconds * 1e9);
    let (each, throughput) = match row.work {
        Some(Work::Items(items)) if items > 1.0 => {
            (duration(row.nanoseconds / items), format!("{}/s", rate(items)))
        }
        Some(Work::Items(items)) => ("–".to_owned(), format!("{}/s", rate(items))),
        Some(Work::Bytes(bytes)) => ("–".to_owned(), format!("{}B/s", rate(bytes))),
        None => Default::default(),
    };
    let time = duration(row.nanoseconds);
    format!("| {group} | {case} | {time} | {each} | {throughput} | {allocations} | {copied} |\n")
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

fn scaled(number: f64) -> String {
    match number {
        n if n < 1e3 => format!("{n:.0} "),
        n if n < 1e6 => format!("{:.1} k", n / 1e3),
        n if n < 1e9 => format!("{:.2} M", n / 1e6),
        n => format!("{:.2} G", n / 1e9),
    }
}

/// What criterion has written, by the full name of the case.
fn rows(folder: &Path) -> Result<BTreeMap<String, Row>> {
    let mut rows = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.ends_with("new") {
                let (name, row) = row(&path)?;
                rows.insert(name, row);
            } else if path.is_dir() {
                folders.push(path);
            }
        }
    }
    Ok(rows)
}

fn row(folder: &Path) -> Result<(String, Row)> {
    let read = |name: &str| -> Result<Value> {
        Ok(serde_json::from_str(&fs::read_to_string(folder.join(name))?)?)
    };
    let (what, estimates) = (read("benchmark.json")?, read("estimates.json")?);
    let name = what
        .pointer("/full_id")
        .and_then(Value::as_str)
        .context("criterion: no full_id")?
        .to_owned();
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
    let nanoseconds = median.context("criterion: no median")?;
    let of = |unit: &str| what.pointer(&format!("/throughput/{unit}"))?.as_f64();
    let work = of("Elements").map(Work::Items).or_else(|| of("Bytes").map(Work::Bytes));
    Ok((name, Row { nanoseconds, work }))
}

/// Bytes that a run copies from one place of memory to another (`memcpy`, `memmove`), by case.
fn copied(meter: &Path, cases: &[(&str, &str)]) -> BTreeMap<String, u64> {
    let names: Vec<&str> =
        cases.iter().map(|(name, _)| *name).filter(|name| !name.starts_with(NOT_COPIED)).collect();
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let part = names.len().div_ceil(workers).max(1);
    thread::scope(|scope| {
        let count = |names: &[&str]| -> Vec<(String, u64)> {
            let one = |name: &&str| Some(((*name).to_owned(), copied_by(meter, name)?));
            names.iter().filter_map(one).collect()
        };
        let started: Vec<_> =
            names.chunks(part).map(|names| scope.spawn(move || count(names))).collect();
        started.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    })
}

/// What the runs copy beyond what is laid ready for them.
fn copied_by(meter: &Path, case: &str) -> Option<u64> {
    let [ready, all] = ["prepare", "run"].map(|what| {
        let mut command = Command::new("valgrind");
        command.args(["--tool=dhat", "--mode=copy", "--dhat-out-file=/dev/null"]);
        let out = command.arg(meter).args([what, case, &RUNS.to_string()]).output().ok()?;
        dhat_total(&String::from_utf8_lossy(&out.stderr))
    });
    Some(all?.saturating_sub(ready?) / RUNS)
}

/// From `Total:     1,234 bytes in 5 blocks`.
fn dhat_total(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("Total:")?;
    let (bytes, _) = rest.split_once("bytes")?;
    bytes.trim().replace(',', "").parse().ok()
}

/// What a reader must know of the figures.
fn head(meter: &Path) -> Result<String> {
    let out = Command::new(meter).arg("ratios").output()?;
    ensure!(out.status.success(), "meter ratios ended with {}", out.status);
    let said = |program: &str, word: &str| {
        let out = Command::new(program).arg(word).output();
        out.map_or_else(|_| String::new(), |out| String::from_utf8_lossy(&out.stdout).trim().into())
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let (kernel, rustc): (String, String) = (said("uname", "-sr"), said("rustc", "--version"));
    let ratios: String =
        String::from_utf8(out.stdout)?.lines().map(|line| format!("- {line}\n")).collect();
    Ok(format!(
        "# Criterion report\n\nMade by `cargo xtask bench --save`. {}, {cores} cores, {kernel}, \
         {rustc}.\n\nTime: median of criterion. Allocations: counted, a run. Bytes copied: \
         `memcpy` and `memmove`, counted by valgrind (dhat), a run; short copies that the compiler \
         inlines are not among them. What the cases are: `benches/groups`.\n\nRatios of \
         alternated runs, median (10th to 90th percentile):\n\n{ratios}\n",
        processor()
    ))
}

fn processor() -> String {
    let text = fs::read_to_string(PathBuf::from("/proc/cpuinfo")).unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.to_owned())
}

const COLUMNS: &str = "\
| group | case | time | each | throughput | allocations | bytes copied |
|---|---|---:|---:|---:|---:|---:|
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_time_throughput_allocations_and_copies() {
        let row = Row { nanoseconds: 50_000.0, work: Some(Work::Items(400.0)) };
        assert_eq!(
            line("fanout/video720/subscribers=100", &row, "0.00", "500000"),
            "| fanout | video720/subscribers=100 | 50.00 µs | 125.0 ns | 8.00 M/s | 0.00 | \
             500000 |\n"
        );
    }

    #[test]
    fn the_total_of_dhat_is_read() {
        assert_eq!(dhat_total("==1== Total:     1,234,567 bytes in 8 blocks"), Some(1_234_567));
        assert_eq!(dhat_total("valgrind: no such tool"), None);
    }
}
