//! `cargo xtask peers`: Janus from Debian, our server and the floor program, one after the other
//! under the same load on pinned cores, in a network namespace that has only loopback.
//!
//! What is measured is in [`plan`], what has to come out in [`musts`].

pub(crate) mod figures;
mod janus;
pub(crate) mod machine;
mod musts;
mod plan;
mod results;
pub(crate) mod server;
mod table;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use serde_json::json;

use crate::inputs::{root, target};
use crate::namespace::{self, INSIDE};
use crate::setup::is_on_path;
use crate::stage::{now, say};
use figures::{COST, FAILED, Window};
use machine::Machine;
pub(crate) use plan::Program;
use plan::{CASES, Options, Turn};
use results::{Measured, Results};
use server::Server;

const USAGE: &str = "cargo xtask peers [--rounds 5] [--seconds 10] [--only CASE]…";
/// A window is measured again until it is quiet, so often at most.
const TRIES: usize = 5;
/// Prepares everything, then runs itself again where only loopback is.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if let Some((first, rest)) = words.split_first()
        && first == INSIDE
    {
        return measure(&options(rest)?);
    }
    let options = options(words)?;
    prerequisites()?;
    janus::install()?;
    server::build()?;
    let minutes = options.lasts().as_secs().div_ceil(60);
    let turns = options.turns().len();
    say(&format!("{turns} windows, about {minutes} minutes; longer if the machine is not quiet"));
    namespace::enter("peers", words)
}

fn options(words: &[String]) -> Result<Options> {
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
        match word.as_str() {
            "--rounds" => options.rounds = value.parse().context("--rounds needs a number")?,
            "--seconds" => options.seconds = value.parse().context("--seconds needs a number")?,
            "--only" => {
                let known: Vec<_> = CASES.iter().map(|case| case.id).collect();
                ensure!(known.contains(&value.as_str()), "cases: {}", known.join(" "));
                options.only.push(value.clone());
            }
            _ => bail!("{word} is not known\n{USAGE}"),
        }
    }
    ensure!(options.rounds > 0 && options.seconds > 0, "at least one round of one second");
    Ok(options)
}

/// Names what this machine has not and cannot be given.
fn prerequisites() -> Result<()> {
    namespace::prerequisites(&[("cc", "gcc")])?;
    let janus = is_on_path("janus") || is_on_path("apt-get");
    ensure!(janus, "missing: janus, and no apt-get to install it; Debian packages it");
    Ok(())
}

fn measure(options: &Options) -> Result<()> {
    let folder = target().join("peers");
    fs::create_dir_all(&folder)?;
    let turns = options.turns();
    // What repeats may take: each window brings a quarter of itself, and leaves what it does not use.
    let mut spare = Duration::ZERO;
    let mut results = Results::default();
    let mut failed = 0;
    for (number, turn) in turns.iter().enumerate() {
        let (case, system) = (turn.case.id, turn.system.id);
        spare += turn.lasts(options.seconds) / 4;
        match quiet(*turn, options, &folder, &mut spare) {
            Ok(measured) => {
                let cost = measured.windows.last().and_then(|window| window.get(COST));
                let cost = cost.map_or("–".into(), |cost| format!("{cost:.2}"));
                let (tries, other) = (measured.tries, measured.other_load());
                say(&format!(
                    "{}/{} {case} {system}: {cost} µs/packet, other load {other:.0} %, tries {tries}",
                    number + 1,
                    turns.len()
                ));
                results.measured.push(measured);
            }
            Err(error) => {
                failed += 1;
                say(&format!("{}/{} {case} {system}: {error:#}", number + 1, turns.len()));
            }
        }
    }
    write(options, &results)?;
    ensure!(failed == 0, "{failed} windows could not be measured; see {}", folder.display());
    Ok(())
}

/// Measures until everything else on the machine was quiet; keeps the quietest.
fn quiet(turn: Turn, options: &Options, folder: &Path, spare: &mut Duration) -> Result<Measured> {
    let mut best: Result<Measured> = Err(anyhow!("nothing was measured"));
    for tries in 1..=TRIES {
        let start = now();
        let measured = once(turn, options, folder).map(|windows| Measured { turn, windows, tries });
        best = match (best, measured) {
            (Ok(best), Ok(new)) if new.other_load() < best.other_load() => Ok(new),
            (Ok(best), _) => Ok(Measured { tries, ..best }),
            (Err(_), measured) => measured,
        };
        let quiet = best.as_ref().is_ok_and(|best| best.other_load() <= table::QUIET);
        if quiet || *spare < start.elapsed() {
            break;
        }
        *spare -= start.elapsed();
    }
    best
}

/// One fresh server, one run of conf-load against it.
fn once(turn: Turn, options: &Options, folder: &Path) -> Result<Vec<Window>> {
    let server = Server::start(turn.system.program, folder)?;
    let report = folder.join("window.json");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let mut command = Command::new(server::conf_load());
    command
        .args(turn.case.load)
        .args(["--door", server.door, "--url", &server.url, "--pid", &server.pid()])
        .args(["--suite", turn.system.suite])
        .args(["--shape", if turn.system.browser { "browser" } else { "even" }])
        .args(["--seconds", &options.seconds.to_string()])
        .args(["--seed", &(turn.round + 1).to_string()])
        .arg("--json")
        .arg(&report);
    if turn.system.feedback {
        command.arg("--twcc");
    }
    if ["whip", "livekit"].contains(&server.door) {
        command.args(["--key", server::KEY, "--secret", server::SECRET]);
    }
    let log = folder.join("client.log");
    let patience = turn.lasts(options.seconds) * 3 + Duration::from_secs(30);
    server::load(&command, &log, patience)?;
    let windows = Window::all(&fs::read_to_string(&report)?)?;
    ensure!(!windows.is_empty(), "conf-load measured nothing; see {}", log.display());
    // A ramp goes on until something fails; elsewhere all have to be there.
    let failed: f64 = windows.iter().filter_map(|window| window.get(FAILED)).sum();
    let ramp = turn.case.steps > 1;
    ensure!(ramp || failed == 0.0, "{failed} joins failed; see {}", log.display());
    Ok(windows)
}

/// Prints the table and writes it, with the rows behind it, to `benches/results`.
fn write(options: &Options, results: &Results) -> Result<()> {
    let mut command =
        format!("cargo xtask peers --rounds {} --seconds {}", options.rounds, options.seconds);
    for only in &options.only {
        command.push_str(" --only ");
        command.push_str(only);
    }
    let machine = Machine::ask(&command);
    let page = table::markdown(&machine, results);
    let json = json!({ "machine": machine.json(), "measured": results.json() });
    let place = place(options);
    fs::create_dir_all(place.parent().unwrap_or(&place))?;
    fs::write(place.with_extension("md"), &page)?;
    fs::write(place.with_extension("csv"), table::csv(results))?;
    fs::write(place.with_extension("json"), format!("{json:#}\n"))?;
    say(&format!("\n{page}\nwritten: {}.{{md,csv,json}}", place.display()));
    Ok(())
}

/// Some cases alone do not replace the whole table.
fn place(options: &Options) -> PathBuf {
    if options.only.is_empty() {
        root().join("benches/results/peers")
    } else {
        target().join("peers/some")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn options_are_read_and_unknown_ones_named() {
        let read = options(&words("--rounds 2 --seconds 3 --only audio --only ramp")).unwrap();
        assert_eq!((read.rounds, read.seconds), (2, 3));
        assert_eq!(read.only, ["audio", "ramp"]);
        assert!(options(&words("--rounds")).is_err());
        assert!(options(&words("--fast yes")).is_err());
        let cases = options(&words("--only nothing")).unwrap_err().to_string();
        assert!(cases.contains("fan-out-100"));
        assert!(options(&words("--rounds 0")).is_err());
    }

    #[test]
    fn some_cases_alone_are_written_elsewhere() {
        let some = options(&words("--only audio")).unwrap();
        assert!(place(&Options::default()).ends_with("benches/results/peers"));
        assert!(!place(&some).starts_with(root().join("benches")));
    }
}
