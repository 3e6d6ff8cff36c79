//! The results as a page to read (Markdown) and as rows to compute with (CSV).

use std::fmt::Write as _;

use super::figures::{
    CLIENT_CORE, CORE, COST, FIRST_PICTURE, Figure, GAPS, LATENCY, LATENCY_MEDIAN, LOSS, MEMORY,
    OTHER_LOAD, RATE, SUBSCRIBERS, SWITCHES, Spread,
};
use super::machine::Machine;
use super::musts::{MUSTS, Must};
use super::plan::{CASES, Case, Program, System};
use super::results::Results;

/// Everything else on the machine may use this much of a core, in percent, in a quiet window.
pub(super) const QUIET: f64 = 25.0;

/// The whole page.
pub(super) fn markdown(machine: &Machine, results: &Results) -> String {
    let mut page = format!("# conf beside Janus and the floor\n\n{machine}\n");
    page.push_str(&noise(results));
    page.push_str("\n## Targets\n\n| target | must | measured | |\n|---|---|---|---|\n");
    for must in MUSTS {
        let verdict = must.judge(results);
        let sign = if must.is_least() { "≥" } else { "≤" };
        let (value, word) = match verdict.measured {
            Some(value) => (short(value), if verdict.met { "met" } else { "**missed**" }),
            None => ("–".into(), "not measured"),
        };
        let limit = short(verdict.limit);
        let _ = writeln!(page, "| {} | {sign} {limit} | {value} | {word} |", must.what);
    }
    for case in CASES.iter().filter(|case| results.steps(case).next().is_some()) {
        let _ = writeln!(page, "\n## {} (`{}`)\n", case.label, case.id);
        page.push_str(&if case.steps > 1 { ramp(case, results) } else { rows(case, results) });
    }
    page.push_str(LEGEND);
    page
}

/// Says which rows other load has touched.
fn noise(results: &Results) -> String {
    let loud = results.measured.iter().filter(|it| it.other_load() > QUIET).count();
    if loud == 0 {
        return "Every window was quiet.\n".into();
    }
    let all = results.measured.len();
    format!(
        "**{loud} of {all} windows were not quiet** (other load above {QUIET} % of a core, or not \
         below it within the tries): read absolute figures, and p99 above all, with care.\n"
    )
}

const HEAD: &str = "\
| system | suite | n | packets/s | CPU µs/packet (least–most) | × Janus CM | × Janus GCM | × floor \
| core % | latency p50 / p99 ms | loss % (gaps) | KiB/sub | first picture p50 ms | switches/s \
| client core % | other load % |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

fn rows(case: &Case, results: &Results) -> String {
    let mut table = HEAD.to_owned();
    for system in case.systems {
        let rounds = results.rounds(case.id, system.id, RATE).len();
        if rounds == 0 {
            continue;
        }
        let cell = |figure: Figure| cell(results.spread(case.id, system.id, figure));
        let cost = results.spread(case.id, system.id, COST).map_or("–".into(), |it| {
            format!("**{}** ({}–{})", short(it.median), short(it.least), short(it.most))
        });
        let _ = writeln!(
            table,
            "| {} | {} | {rounds} | {} | {cost} | {} | {} | {} | {} | {} / {} | {} ({}) | {} | {} | {} | {} | {} |",
            name(system),
            system.suite.to_uppercase(),
            cell(RATE),
            beside(case, system, "janus-loop-cm", results),
            beside(case, system, "janus-loop-gcm", results),
            beside(case, system, floor_of(system), results),
            cell(CORE),
            cell(LATENCY_MEDIAN),
            cell(LATENCY),
            cell(LOSS),
            cell(GAPS),
            cell(MEMORY),
            cell(FIRST_PICTURE),
            cell(SWITCHES),
            cell(CLIENT_CORE),
            cell(OTHER_LOAD),
        );
    }
    table
}

fn ramp(case: &Case, results: &Results) -> String {
    let mut table = "| system | suite | subscribers | packets/s | CPU µs/packet | core % | loss % \
        (gaps) | latency p50 / p99 ms | RSS KiB/sub | client core % | other load % |\n\
        |---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (system, window) in results.steps(case) {
        let cell = |figure| window.get(figure).map_or("–".into(), short);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {} | {} | {} ({}) | {} / {} | {} | {} | {} |",
            name(system),
            system.suite.to_uppercase(),
            cell(SUBSCRIBERS),
            cell(RATE),
            cell(COST),
            cell(CORE),
            cell(LOSS),
            cell(GAPS),
            cell(LATENCY_MEDIAN),
            cell(LATENCY),
            cell(MEMORY),
            cell(CLIENT_CORE),
            cell(OTHER_LOAD),
        );
    }
    table
}

/// The program, and what else the row has that others of its case have not.
fn name(system: &System) -> String {
    let mut name = system.label.to_owned();
    for (has, word) in [(system.feedback, ", feedback"), (system.browser, ", browser-like")] {
        name.push_str(if has { word } else { "" });
    }
    name
}

/// The floor with the same suite.
fn floor_of(system: &System) -> &'static str {
    if system.suite == "cm" { "floor-cm" } else { "floor-gcm" }
}

/// The ratio of the costs, and what it must be.
fn beside(case: &Case, system: &System, other: &str, results: &Results) -> String {
    let ours = matches!(system.program, Program::Conf | Program::ConfLiveKit);
    let ratio = results.ratio(case.id, (system.id, other), COST);
    let Some(ratio) = ratio.filter(|_| ours && system.id != other) else { return String::new() };
    let ratio = short(ratio.median);
    match Must::limit(case.id, (system.id, other)) {
        Some(limit) => format!("{ratio} (must ≤ {})", short(limit)),
        None => ratio,
    }
}

fn cell(spread: Option<Spread>) -> String {
    spread.map_or("–".into(), |spread| short(spread.median))
}

/// Three digits that count, and whole numbers above a hundred.
fn short(number: f64) -> String {
    match number.abs() {
        big if big >= 100.0 => format!("{number:.0}"),
        middle if middle >= 10.0 => format!("{number:.1}"),
        small if small >= 0.005 => format!("{number:.2}"),
        0.0 => "0".into(),
        _ => format!("{number:.4}"),
    }
}

/// One row a window, for spreadsheets and plots.
pub(super) fn csv(results: &Results) -> String {
    let figures = [
        SUBSCRIBERS,
        RATE,
        COST,
        CORE,
        LATENCY_MEDIAN,
        LATENCY,
        LOSS,
        GAPS,
        MEMORY,
        FIRST_PICTURE,
        SWITCHES,
        CLIENT_CORE,
        OTHER_LOAD,
    ];
    let names = figures.map(|figure| figure.0.trim_start_matches('/').replace('/', "_"));
    let mut rows = format!("case,system,suite,round,tries,{}\n", names.join(","));
    for it in &results.measured {
        let (case, system) = (it.turn.case.id, it.turn.system);
        for window in &it.windows {
            let values = figures.map(|figure| {
                window.get(figure).map_or_else(String::new, |value| format!("{value}"))
            });
            let (id, suite) = (system.id, system.suite);
            let values = values.join(",");
            let _ = writeln!(rows, "{case},{id},{suite},{},{},{values}", it.turn.round, it.tries);
        }
    }
    rows
}

const LEGEND: &str = "
CPU: user and system time of the server process (/proc/PID/task/*/schedstat), divided by the packets
that arrived at the subscribers; median of the rounds, with the least and the most. Ratios are taken within a round; the
column shows their median. On loopback the receivers' input path runs inside the sender's system
call and is charged to every server alike. The floor receives and opens each published packet once,
and copies, seals and sends it to each subscriber in the runs in which our server sends: nothing
else. Debian's libsrtp is linked with NSS, which makes CM expensive in this Janus; a Janus with
libsrtp on OpenSSL would be cheaper with CM, so look at both ratios. Janus has no transport-wide
feedback towards subscribers. RSS a subscriber is the growth of the process since it was idle.
Windows come from one machine and one run: figures of different runs are not to be compared.
";

#[cfg(test)]
mod tests {
    use super::super::results::tests::results;
    use super::*;

    fn machine() -> Machine {
        Machine { facts: vec![("kernel", "6.1".into())] }
    }

    #[test]
    fn a_row_shows_the_ratio_with_what_it_must_be_beside_it() {
        let results = results(|turn| match turn.system.program {
            Program::Floor => 1.0,
            Program::Conf | Program::ConfLiveKit => 1.25,
            _ => 10.0,
        });
        let page = markdown(&machine(), &results);
        let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap();
        let fan_out = page.split("(`fan-out-100`)").nth(1).unwrap();
        let row = fan_out.lines().find(|line| line.starts_with("| conf, feedback |")).unwrap();
        assert!(row.contains("| **1.25** (1.25–1.25) |"), "{row}");
        assert!(
            row.contains("| 0.12 (must ≤ 0.20) | 0.12 (must ≤ 0.33) | 1.25 (must ≤ 1.50) |"),
            "{row}"
        );
        assert!(row.contains("| 12500 |"), "{row}");
        assert!(line("| … × Janus event_loops=1 (GCM) |").ends_with("| met |"));
        assert!(line("| RSS a video").ends_with("| – | not measured |"));
        assert!(page.contains("Every window was quiet"));
    }

    #[test]
    fn a_ramp_shows_each_step() {
        let page = markdown(&machine(), &results(|_| 1.0));
        let ramp = page.split("(`ramp`)").nth(1).unwrap();
        assert!(
            ramp.contains("| conf, feedback | GCM128 | 1200 | 12500 | 1.00 | 60.0 | 0.10 (–) |")
        );
    }

    #[test]
    fn windows_that_were_not_quiet_are_counted_on_the_page() {
        let mut results = results(|_| 1.0);
        let loud = r#"{"windows":[{"other_load_percent":80}]}"#;
        results.measured[0].windows = super::super::figures::Window::all(loud).unwrap();
        assert!(markdown(&machine(), &results).contains("**1 of "));
    }

    #[test]
    fn rows_of_the_csv_have_as_many_fields_as_its_head() {
        let csv = csv(&results(|_| 1.0));
        let mut lines = csv.lines();
        let fields = lines.next().unwrap().split(',').count();
        assert!(lines.all(|line| line.split(',').count() == fields));
    }

    #[test]
    fn numbers_show_the_digits_that_count() {
        let shown = [12500.4, 12.34, 1.256, 0.0, 0.0012].map(short);
        assert_eq!(shown, ["12500", "12.3", "1.26", "0", "0.0012"]);
    }
}
