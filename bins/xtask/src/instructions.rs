//! `cargo xtask test instructions`: how many instructions the packet path takes, against the limits
//! of `benches/limits.toml`.
//!
//! Instructions do not depend on what else the machine does. Callgrind counts in one function of
//! the program `meter`, after each case was run before, so that set-up does not count; ciphers are
//! left out, for valgrind has not what processors have for them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::inputs::{cargo, root, target};
use crate::rust::succeed;
use crate::stage::{Stage, say};

/// Case → instructions a run.
pub(crate) type Counts = BTreeMap<String, u64>;

/// The function that is counted, in `benches/meter.rs`.
const MEASURED: &str = "meter::measured";
/// What seals and opens: entered from the counted function, it is not counted.
const CIPHERS: [&str; 2] = ["*EVP_AEAD_CTX_seal_scatter", "*EVP_AEAD_CTX_open_gather"];

/// The stage.
pub(crate) fn check(stage: &mut Stage) {
    match (limits(), count()) {
        (Ok((tolerance, limits)), Ok(counts)) => {
            for (name, limit) in &limits {
                let (what, holds) = compare(name, *limit, tolerance, &counts);
                stage.check(&what, holds);
            }
            for name in counts.keys().filter(|name| !limits.contains_key(*name)) {
                stage.check(&format!("{name} has no limit: cargo xtask bench --limits"), false);
            }
        }
        (Err(error), _) | (_, Err(error)) => stage.check(&format!("{error:#}"), false),
    }
}

/// What to say of a case, and whether it keeps its limit.
fn compare(name: &str, limit: u64, tolerance: u64, counts: &Counts) -> (String, bool) {
    let Some(&count) = counts.get(name) else {
        return (format!("{name} has a limit and is not there any more"), false);
    };
    let most = limit + limit * tolerance / 100;
    if count * (100 + 2 * tolerance) < limit * 100 {
        say(&format!("{name}: {count} instructions, limit {limit}: lower it"));
    }
    (format!("{name}: {count} instructions, limit {limit} + {tolerance} %"), count <= most)
}

/// Writes what is counted now as the new limits.
pub(crate) fn write_limits() -> Result<()> {
    let counts = count()?;
    let (tolerance, before) = limits().unwrap_or((TOLERANCE, Counts::new()));
    let mut text = HEAD.to_owned();
    text.push_str(&format!("tolerance_percent = {tolerance}\n\n[instructions]\n"));
    for (name, count) in &counts {
        if let Some(was) = before.get(name).filter(|was| *was != count) {
            say(&format!("{name}: {was} -> {count}"));
        }
        text.push_str(&format!("\"{name}\" = {count}\n"));
    }
    fs::write(file(), text)?;
    say(&format!("{} limits in {}", counts.len(), file().display()));
    Ok(())
}

fn file() -> PathBuf {
    root().join("benches/limits.toml")
}

fn limits() -> Result<(u64, Counts)> {
    let text = fs::read_to_string(file()).with_context(|| file().display().to_string())?;
    read_limits(&text)
}

/// The file is TOML, of which it uses comments, one table and numbers.
fn read_limits(text: &str) -> Result<(u64, Counts)> {
    let (mut tolerance, mut limits) = (None, Counts::new());
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '[']) {
            continue;
        }
        let (name, value) = line.split_once(" = ").with_context(|| format!("limits: {line}"))?;
        let value: u64 = value.parse().with_context(|| format!("limits: {line}"))?;
        match name {
            "tolerance_percent" => tolerance = Some(value),
            name => drop(limits.insert(name.trim_matches('"').to_owned(), value)),
        }
    }
    Ok((tolerance.context("limits: no tolerance_percent")?, limits))
}

/// The program that runs cases, built as what is shipped, but with the names of its functions.
pub(crate) fn meter() -> Result<PathBuf> {
    let words = ["rustc", "--release", "--locked", "--quiet", "-p", "conf-benches"];
    succeed(cargo(&words).args(["--bin", "meter", "--", "-C", "strip=none"]))?;
    Ok(target().join("release/meter"))
}

/// Instructions a run of every gated case.
fn count() -> Result<Counts> {
    let meter = meter()?;
    let folder = target().join("callgrind");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let output = callgrind(&meter, &folder)?;
    let mut counts = Counts::new();
    for (number, line) in output.lines().enumerate() {
        let (name, runs) = line.rsplit_once(' ').context("meter: no number of runs")?;
        let dump = fs::read_to_string(folder.join(format!("out.{}", number + 1)))
            .with_context(|| format!("callgrind has not counted {name}"))?;
        let total = total(&dump).with_context(|| format!("{name}: no total"))?;
        ensure!(total > 0, "{name}: nothing was counted");
        counts.insert(name.to_owned(), total / runs.parse::<u64>()?);
    }
    ensure!(!counts.is_empty(), "nothing was counted");
    Ok(counts)
}

/// One dump for each case; what `meter` printed.
fn callgrind(meter: &Path, folder: &Path) -> Result<String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--combine-dumps=no"]);
    command.arg(format!("--callgrind-out-file={}", folder.join("out").display()));
    command.arg(format!("--zero-before={MEASURED}")).arg(format!("--dump-after={MEASURED}"));
    for toggled in [&[MEASURED], &CIPHERS[..]].concat() {
        command.arg(format!("--toggle-collect={toggled}"));
    }
    let out = command.arg(meter).arg("instructions").output().context("valgrind")?;
    if !out.status.success() {
        bail!("valgrind ended with {}: {}", out.status, String::from_utf8_lossy(&out.stderr));
    }
    Ok(String::from_utf8(out.stdout)?)
}

fn total(dump: &str) -> Option<u64> {
    let totals = dump.lines().find_map(|line| line.strip_prefix("totals: "))?;
    totals.trim().parse().ok()
}

const TOLERANCE: u64 = 3;
const HEAD: &str = "\
# Instructions a run of each case of `conf-benches`, ciphers left out; `cargo xtask test instructions`
# fails where one takes more than its limit and the tolerance. New limits: `cargo xtask bench
# --limits`; say in the commit why.
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_over_its_limit_is_named_with_both_numbers() {
        let counts = Counts::from([("rtp/parse".to_owned(), 104)]);
        let (what, holds) = compare("rtp/parse", 100, 3, &counts);
        assert!(!holds);
        assert_eq!(what, "rtp/parse: 104 instructions, limit 100 + 3 %");
        assert!(compare("rtp/parse", 101, 3, &counts).1);
        assert!(!compare("rtp/write", 100, 3, &counts).1, "it is gone");
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let text = format!("{HEAD}tolerance_percent = 4\n\n[instructions]\n\"a/b/c=1\" = 77\n");
        let (tolerance, limits) = read_limits(&text).unwrap();
        assert_eq!((tolerance, limits.get("a/b/c=1")), (4, Some(&77)));
        assert!(read_limits("a = b").is_err());
    }
}
