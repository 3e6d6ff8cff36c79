//! One page with plots: no script, no style sheet or picture of another host.

use std::fmt::Write as _;

use super::{Report, Window, csv};

/// A line of a plot: its name, and its value in a window.
type Line = (&'static str, fn(&Window) -> Option<f64>);

/// The whole page. Every text in it is ours or a number, so nothing needs escaping.
pub(super) fn page(report: &Report) -> String {
    let title = format!("conf-load: {} by {}", report.scenario, report.door);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    summary(&mut page, report);
    if report.windows.is_empty() {
        page += "<p>Nothing was measured.</p>\n";
        return page;
    }
    for (name, unit, lines) in PLOTS {
        plot(&mut page, (name, unit), lines, &report.windows);
    }
    table(&mut page, &report.windows);
    page
}

fn summary(page: &mut String, report: &Report) {
    let settings = &report.settings;
    let _ = writeln!(
        page,
        "<p>Suite {}, shape {}, phases {}, seed {}, NACK {}, transport-wide feedback {}.</p>",
        settings.suite,
        settings.shape,
        settings.phases,
        settings.seed,
        if settings.nack { "on" } else { "off" },
        if settings.twcc { "on" } else { "off" },
    );
    let findings = &report.findings;
    if let Some(step) = findings.largest_below_1_percent {
        let _ = writeln!(page, "<p>Largest step below 1 % loss: <b>{step}</b> subscribers.</p>");
    }
    if let Some(slope) = findings.rss_slope_kib_per_minute {
        let _ = writeln!(page, "<p>Server's memory: <b>{slope:+.2}</b> KiB a minute.</p>");
    }
    if let Some(rate) = findings.joins_per_second {
        let _ = writeln!(page, "<p>Joins: <b>{rate:.1}</b> a second.</p>");
    }
    if report.windows.iter().any(|window| window.noisy) {
        page.push_str("<p class=\"noisy\">Marked windows were not quiet: other programs used more than 25 % of a core.</p>\n");
    }
}

/// Windows from left to right, by their number of subscribers where that grows.
fn plot(page: &mut String, (name, unit): (&str, &str), lines: &[Line], windows: &[Window]) {
    let values = |of: fn(&Window) -> Option<f64>| windows.iter().filter_map(of);
    let top = lines.iter().flat_map(|(_, of)| values(*of)).fold(0.0_f64, f64::max);
    if top <= 0.0 {
        return;
    }
    let top = round_up(top);
    let _ = write!(
        page,
        "<figure><figcaption>{name}, {unit}</figcaption>\
         <svg viewBox=\"0 0 640 260\" role=\"img\" aria-label=\"{name}\">"
    );
    for part in 0..=4 {
        let share = f64::from(part) / 4.0;
        let y = y_of(share);
        let _ = write!(
            page,
            "<line class=\"grid\" x1=\"60\" x2=\"630\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"54\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y + 4.0,
            csv::number(top * share)
        );
    }
    for (at, window) in windows.iter().enumerate().step_by(windows.len().div_ceil(10)) {
        let x = x_of(at, windows.len());
        let count = window.subscribers;
        let _ = write!(page, "<text x=\"{x:.1}\" y=\"236\" text-anchor=\"middle\">{count}</text>");
    }
    for (number, (label, of)) in lines.iter().enumerate() {
        draw(page, (number, label), (*of, top), windows);
    }
    page.push_str(
        "<text x=\"345\" y=\"254\" text-anchor=\"middle\">subscribers</text></svg></figure>\n",
    );
}

fn draw(
    page: &mut String,
    (number, label): (usize, &str),
    (of, top): (fn(&Window) -> Option<f64>, f64),
    windows: &[Window],
) {
    let mut points = String::new();
    let mut dots = String::new();
    for (at, window) in windows.iter().enumerate() {
        let Some(value) = of(window) else { continue };
        let (x, y) = (x_of(at, windows.len()), y_of(value / top));
        let _ = write!(points, "{x:.1},{y:.1} ");
        let noisy = if window.noisy { " class=\"noisy\"" } else { "" };
        let value = csv::number(value);
        let _ = write!(
            dots,
            "<circle{noisy} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{label}: {value}</title></circle>"
        );
    }
    let x = 70 + 140 * number;
    let _ = write!(
        page,
        "<g class=\"line{number}\"><polyline points=\"{points}\"/>{dots}\
         <rect x=\"{x}\" y=\"4\" width=\"10\" height=\"10\"/>\
         <text x=\"{}\" y=\"13\">{label}</text></g>",
        x + 15
    );
}

fn table(page: &mut String, windows: &[Window]) {
    page.push_str("<div class=\"wide\"><table><tr><th>figure</th>");
    for window in windows {
        let mark = if window.noisy { " *" } else { "" };
        let _ = write!(page, "<th>{}{mark}</th>", window.subscribers);
    }
    page.push_str("</tr>\n");
    for (name, value) in csv::COLUMNS {
        let _ = write!(page, "<tr><th>{name}</th>");
        for window in windows {
            let text = value(window).map_or_else(|| "–".to_owned(), csv::number);
            let _ = write!(page, "<td>{text}</td>");
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

fn x_of(at: usize, count: usize) -> f64 {
    let share = if count > 1 { at as f64 / (count - 1) as f64 } else { 0.5 };
    80.0 + 530.0 * share
}

fn y_of(share: f64) -> f64 {
    220.0 - 195.0 * share
}

/// To the next 1, 2 or 5 with zeros.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps.into_iter().find(|step| *step >= value * 0.999).unwrap_or(value)
}

const PLOTS: &[(&str, &str, &[Line])] = &[
    (
        "Server CPU per delivered packet",
        "µs",
        &[
            ("user + system", |window| Some(window.server.as_ref()?.cpu_us_per_packet)),
            ("user", |window| Some(window.server.as_ref()?.user_us)),
            ("system", |window| Some(window.server.as_ref()?.system_us)),
        ],
    ),
    (
        "Busy",
        "% of a core",
        &[
            ("server", |window| Some(window.server.as_ref()?.core_percent)),
            ("this client", |window| Some(window.client.core_percent)),
            ("all else", |window| window.other_load_percent),
        ],
    ),
    ("Packets delivered", "a second", &[("packets", |window| Some(window.packets_per_second))]),
    ("Loss", "%", &[("undelivered", |window| Some(window.loss_percent.max(0.0)))]),
    (
        "Latency",
        "ms",
        &[
            ("p50", |window| Some(window.latency_ms?.p50)),
            ("p99", |window| Some(window.latency_ms?.p99)),
            ("p99.9", |window| Some(window.latency_ms?.p999)),
        ],
    ),
    (
        "Join, median",
        "ms",
        &[
            ("handshake done", |window| Some(window.join_ms.dtls?.p50)),
            ("first packet", |window| Some(window.join_ms.first_packet?.p50)),
            ("first keyframe", |window| Some(window.join_ms.first_keyframe?.p50)),
        ],
    ),
    (
        "Server's resident memory",
        "MiB",
        &[("resident", |window| Some(window.server.as_ref()?.rss_mib))],
    ),
];

const STYLE: &str = include_str!("style.css");
