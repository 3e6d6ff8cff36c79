//! What reports hold, and what they must not.

use super::*;

fn report() -> Report {
    let window = |subscribers, noisy| Window {
        subscribers,
        seconds: 10.0,
        sent: 1_250,
        expected: 125_000,
        delivered: 124_000,
        packets_per_second: 12_400.0,
        loss_percent: 0.8,
        server: Some(Server { cpu_us_per_packet: 2.5, ..Server::default() }),
        latency_ms: Some(Latency { p50: 0.5, p99: 1.5, p999: 2.0 }),
        noisy,
        ..Window::default()
    };
    Report {
        tool: "conf-load",
        version: 1,
        scenario: "ramp",
        door: "whip",
        settings: Settings {
            suite: "gcm128",
            twcc: true,
            nack: true,
            shape: "even",
            phases: "random",
            seed: 1,
        },
        windows: vec![window(100, false), window(200, true)],
        findings: Findings { largest_below_1_percent: Some(200), ..Findings::default() },
    }
}

#[test]
fn the_json_has_the_agreed_names_and_null_for_what_is_absent() {
    let json = serde_json::to_value(report()).unwrap();
    for path in [
        "/tool",
        "/version",
        "/suite",
        "/seed",
        "/windows/0/packets_per_second",
        "/windows/0/server/cpu_us_per_packet",
        "/windows/0/client/core_percent",
        "/windows/0/latency_ms/p999",
        "/windows/0/other_load_percent",
        "/largest_below_1_percent",
    ] {
        assert!(json.pointer(path).is_some(), "{path}");
    }
    assert!(json.pointer("/windows/0/join_ms/dtls").unwrap().is_null());
    assert!(json.pointer("/windows/0/client/send_lag_ms").unwrap().is_null());
    assert!(json.pointer("/rss_slope_kib_per_minute").is_none());
}

#[test]
fn the_table_has_a_row_for_each_window_and_as_many_fields_as_its_head() {
    let table = csv::table(&report());
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    let column = rows[0].iter().position(|name| *name == "latency_p99_ms").unwrap();
    assert_eq!(rows[1][column], "1.5");
    let column = rows[0].iter().position(|name| *name == "join_dtls_p50_ms").unwrap();
    assert_eq!(rows[1][column], "");
}

#[test]
fn the_page_has_plots_and_needs_no_script_and_no_other_host() {
    let page = html::page(&report());
    assert!(page.matches("<svg").count() >= 4);
    assert!(page.contains("Largest step below 1 % loss: <b>200</b>"));
    assert!(page.contains("prefers-color-scheme:dark") && page.contains("not quiet"));
    for word in ["<script", "http://", "https://", "url(", "@import", "NaN", "inf"] {
        assert!(!page.contains(word), "{word}");
    }
    let nothing = Report { windows: Vec::new(), ..report() };
    assert!(html::page(&nothing).contains("Nothing was measured."));
}

#[test]
fn a_window_is_one_line_that_says_whether_it_was_quiet() {
    let report = report();
    let line = write::line(&report.windows[1]);
    assert!(line.starts_with("200 subscribers: 12400 packets/s, loss 0.80 %"), "{line}");
    assert!(line.ends_with("(not quiet)"), "{line}");
}
