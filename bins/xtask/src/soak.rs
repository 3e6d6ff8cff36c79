//! `cargo xtask soak`: what takes long. A hundred kills in mid-meeting; then a meeting in which
//! people come and go while media flows: does the server's memory grow, do packets get lost?
//!
//! The second part is conf-load's scenario `soak` against the release server, on pinned cores in a
//! namespace that has only loopback, as `cargo xtask peers` measures. What came out is written to
//! `benches/results/soak.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::inputs::{cargo, root, target};
use crate::namespace::{self, INSIDE};
use crate::peers::Program;
use crate::peers::figures::{FAILED, Figure, LATENCY, LOSS, Window};
use crate::peers::machine::Machine;
use crate::peers::server::{self, Server};
use crate::rust::succeed;
use crate::stage::say;

const USAGE: &str = "cargo xtask soak [--minutes 30] [--only kills|media]";
/// A shorter one does not replace the stored result, and memory is not judged: it is still settling.
const FULL_MINUTES: u64 = 30;
/// Who receives the camera at any time; each second one leaves and one comes.
const SUBSCRIBERS: &str = "100";
/// Growth of the server's memory after warm-up that fails a full soak, KiB a minute: some 270 bytes a
/// join, of which there are 60. In ten minutes the memory of a server without leaks came to rest
/// within six, on the same tenth of a MiB; what the allocator does then is far below this.
const MOST_GROWTH: f64 = 16.0;
/// Lost packets that fail a soak, percent of those that were to arrive.
const MOST_LOSS: f64 = 1.0;

const RSS: Figure = Figure("/server/rss_mib");
const IDLE_RSS: Figure = Figure("/server/rss_idle_mib");
const DELIVERED: Figure = Figure("/delivered");
const LOST: Figure = Figure("/gaps");
const SECONDS: Figure = Figure("/seconds");

/// What the person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Options {
    minutes: u64,
    kills: bool,
    media: bool,
}

/// Runs both parts, the second in a namespace.
pub(crate) fn run(words: &[String]) -> Result<()> {
    if let Some((first, rest)) = words.split_first()
        && first == INSIDE
    {
        return media(&options(rest)?);
    }
    let options = options(words)?;
    if options.kills {
        kills()?;
    }
    if options.media {
        namespace::prerequisites(&[])?;
        server::build()?;
        say(&format!("a meeting of {} minutes", options.minutes));
        namespace::enter("soak", words)?;
    }
    Ok(())
}

fn options(words: &[String]) -> Result<Options> {
    let mut options = Options { minutes: FULL_MINUTES, kills: true, media: true };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let value = words.next().with_context(|| format!("{word} needs a value\n{USAGE}"))?;
        match (word.as_str(), value.as_str()) {
            ("--minutes", number) => {
                options.minutes = number.parse().context("--minutes needs a number")?;
            }
            ("--only", "kills") => options.media = false,
            ("--only", "media") => options.kills = false,
            _ => bail!("{word} {value} is not known\n{USAGE}"),
        }
    }
    ensure!(options.minutes > 0, "at least one minute");
    ensure!(options.kills || options.media, "--only one of both");
    Ok(options)
}

fn kills() -> Result<()> {
    let words = ["test", "-p", "conf-server", "--test", "kill", "--locked", "--", "--nocapture"];
    succeed(cargo(&words).env("CONF_KILLS", "100"))
}

fn media(options: &Options) -> Result<()> {
    let folder = target().join("soak");
    fs::create_dir_all(&folder)?;
    let report = folder.join("soak.json");
    if report.exists() {
        fs::remove_file(&report)?;
    }
    let server = Server::start(Program::Conf, &folder)?;
    let mut command = Command::new(server::conf_load());
    command
        .args(["soak", "--subscribers", SUBSCRIBERS, "--minutes", &options.minutes.to_string()])
        .args(["--door", server.door, "--url", &server.url, "--pid", &server.pid()])
        .args(["--key", server::KEY, "--secret", server::SECRET])
        .args(["--shape", "browser", "--twcc", "--json"])
        .arg(&report);
    let log = folder.join("client.log");
    let patience = Duration::from_secs(options.minutes * 60 + 120);
    let ended = server::load(&command, &log, patience);
    // What was measured until then is told all the same.
    let Ok(text) = fs::read_to_string(&report) else {
        return ended.and_then(|()| bail!("conf-load wrote no report; see {}", log.display()));
    };
    let soak = Soak::read(&text)?;
    write(options, &soak)?;
    ended?;
    let failures = soak.failures();
    ensure!(failures.is_empty(), "{}; see {}", failures.join("; "), log.display());
    Ok(())
}

/// What a soak found.
#[derive(Clone, Debug, PartialEq)]
struct Soak {
    minutes: f64,
    /// Resident memory of the server: before anybody came, after the first window, at the end; MiB.
    rss_mib: [f64; 3],
    /// Of it after the warm-up; `None` if there was nothing to measure.
    growth_kib_per_minute: Option<f64>,
    delivered: f64,
    lost: f64,
    /// Of the worst window.
    worst_loss_percent: f64,
    /// Median over the windows.
    latency_p99_ms: f64,
    /// How often one left and one came.
    turns: u64,
    failed_joins: f64,
}

impl Soak {
    /// From conf-load's report.
    fn read(text: &str) -> Result<Self> {
        let windows = Window::all(text)?;
        let value: Value = serde_json::from_str(text)?;
        let each = |figure| windows.iter().filter_map(move |window| window.get(figure));
        let memory = "conf-load's report has no window with the server's memory";
        let (first, last) = (each(RSS).next().context(memory)?, each(RSS).next_back());
        let mut latencies: Vec<f64> = each(LATENCY).collect();
        latencies.sort_by(f64::total_cmp);
        Ok(Self {
            minutes: each(SECONDS).sum::<f64>() / 60.0,
            rss_mib: [each(IDLE_RSS).next().unwrap_or_default(), first, last.unwrap_or(first)],
            growth_kib_per_minute: value.get("rss_slope_kib_per_minute").and_then(Value::as_f64),
            delivered: each(DELIVERED).sum(),
            lost: each(LOST).sum(),
            worst_loss_percent: each(LOSS).fold(0.0, f64::max),
            latency_p99_ms: latencies.get(latencies.len() / 2).copied().unwrap_or_default(),
            turns: value.get("turns").and_then(Value::as_u64).unwrap_or_default(),
            failed_joins: each(FAILED).next_back().unwrap_or_default(),
        })
    }

    fn loss_percent(&self) -> f64 {
        100.0 * self.lost / (self.delivered + self.lost).max(1.0)
    }

    /// Memory is not judged then; windows end a little before or after the full time.
    fn is_short(&self) -> bool {
        self.minutes < FULL_MINUTES as f64 - 1.0
    }

    /// Which limits were missed.
    fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        match self.growth_kib_per_minute {
            _ if self.is_short() => {}
            Some(growth) if growth <= MOST_GROWTH => {}
            Some(growth) => failures.push(format!(
                "the server's memory grows by {growth:.0} KiB a minute, at most {MOST_GROWTH} pass"
            )),
            None => failures.push("how the server's memory grows is not known".into()),
        }
        let loss = self.loss_percent();
        if loss >= MOST_LOSS {
            failures.push(format!("{loss:.2} % of the packets are lost, limit {MOST_LOSS}"));
        }
        if self.failed_joins > 0.0 {
            failures.push(format!("{} joins failed", self.failed_joins));
        }
        if self.delivered == 0.0 {
            failures.push("no packet arrived".into());
        }
        failures
    }

    fn markdown(&self, machine: &Machine) -> String {
        let Self { minutes, rss_mib: [idle, first, last], delivered, lost, turns, .. } = self;
        let growth = self.growth_kib_per_minute.map_or("–".into(), |it| format!("{it:.1}"));
        let failures = self.failures();
        let verdict = match failures.as_slice() {
            [] if self.is_short() => "Too short to judge memory; other limits are kept.".to_owned(),
            [] => "All limits are kept.".to_owned(),
            some => format!("**Failed:** {}.", some.join("; ")),
        };
        let loss = self.loss_percent();
        format!(
            "# Soak\n\n{machine}\nOne camera to {SUBSCRIBERS} subscribers, shaped as a browser's, \
             transport-wide feedback, NACK; one leaves and one\ncomes each second, a microphone comes \
             or goes with every tenth. {verdict}\n\n\
             | what | limit | measured |\n|---|---|---|\n\
             | how long, minutes | | {minutes:.1} |\n\
             | growth of the server's memory after a sixth of the time, KiB/minute | ≤ {MOST_GROWTH} \
             | {growth} |\n\
             | RSS before anybody came, MiB | | {idle:.1} |\n\
             | RSS after the first window and at the end, MiB | | {first:.1}, {last:.1} |\n\
             | packets that arrived | | {delivered} |\n\
             | packets lost for good | | {lost} |\n\
             | loss, percent | < {MOST_LOSS} | {loss:.3} |\n\
             | loss of the worst window, percent | | {:.3} |\n\
             | latency p99, median of the windows, ms | | {:.2} |\n\
             | joins beside the first ones, and as many leaves | | {turns} |\n\
             | joins that failed | 0 | {} |\n",
            self.worst_loss_percent, self.latency_p99_ms, self.failed_joins
        )
    }
}

fn write(options: &Options, soak: &Soak) -> Result<()> {
    let command = format!("cargo xtask soak --minutes {} --only media", options.minutes);
    let mut machine = Machine::ask(&command);
    machine.facts.retain(|(name, _)| !name.contains("Janus"));
    let page = soak.markdown(&machine);
    let place = place(options.minutes);
    fs::create_dir_all(place.parent().unwrap_or(Path::new(".")))?;
    fs::write(&place, &page)?;
    say(&format!("\n{page}\nwritten: {}", place.display()));
    Ok(())
}

fn place(minutes: u64) -> PathBuf {
    if minutes >= FULL_MINUTES {
        root().join("benches/results/soak.md")
    } else {
        target().join("soak/short.md")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn report(slope: f64, gaps: u64, failed: u64) -> String {
        let window = |rss: f64| {
            format!(
                r#"{{"seconds":900,"delivered":1000,"gaps":{gaps},"loss_percent":0.5,
                "failed_joins":{failed},"latency_ms":{{"p99":2.0}},
                "server":{{"rss_mib":{rss},"rss_idle_mib":9.0}}}}"#
            )
        };
        let windows = [window(20.0), window(21.0)].join(",");
        format!(r#"{{"windows":[{windows}],"rss_slope_kib_per_minute":{slope},"turns":60}}"#)
    }

    #[test]
    fn options_are_read_and_unknown_ones_named() {
        let read = options(&words("--minutes 2 --only media")).unwrap();
        assert_eq!(read, Options { minutes: 2, kills: false, media: true });
        assert!(!options(&words("--only kills")).unwrap().media);
        assert_eq!(options(&[]).unwrap().minutes, 30);
        for line in ["--minutes", "--minutes 0", "--only all", "--only media --only kills"] {
            assert!(options(&words(line)).is_err(), "{line}");
        }
    }

    #[test]
    fn a_flat_soak_without_loss_passes_and_is_told() {
        let soak = Soak::read(&report(3.0, 1, 0)).unwrap();
        assert_eq!((soak.minutes, soak.rss_mib, soak.turns), (30.0, [9.0, 20.0, 21.0], 60));
        assert_eq!((soak.delivered, soak.lost), (2_000.0, 2.0));
        assert!(soak.failures().is_empty());
        let page = soak.markdown(&Machine::default());
        assert!(page.contains("All limits are kept") && page.contains("| ≤ 16 | 3.0 |"), "{page}");
    }

    #[test]
    fn growth_loss_and_failed_joins_fail_a_soak_each() {
        for (text, word) in [
            (report(17.0, 0, 0), "grows by 17 KiB"),
            (report(0.0, 11, 0), "are lost"),
            (report(0.0, 0, 1), "1 joins failed"),
            (report(0.0, 0, 0).replace("rss_slope", "other"), "is not known"),
        ] {
            let failures = Soak::read(&text).unwrap().failures();
            assert!(failures.len() == 1 && failures[0].contains(word), "{failures:?}");
        }
    }

    #[test]
    fn a_short_soak_does_not_replace_the_stored_result_nor_judges_memory() {
        let short = report(90.0, 0, 0).replace("900", "60");
        assert!(Soak::read(&short).unwrap().failures().is_empty());
        assert!(place(30).ends_with("benches/results/soak.md"));
        assert!(!place(2).starts_with(root().join("benches")));
    }
}
