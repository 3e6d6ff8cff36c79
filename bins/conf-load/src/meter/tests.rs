//! The arithmetic of a window.

use super::*;
use crate::client::Totals;

fn usage(user: u64, system: u64, rss_kib: u64, switches: u64) -> Usage {
    Usage {
        user: Duration::from_millis(user),
        system: Duration::from_millis(system),
        scheduled: Some(Duration::from_millis(user + system)),
        switches,
        rss_kib,
        threads: 4,
    }
}

fn reading(at: Instant, server: Usage, (client, machine): (u64, u64), totals: Totals) -> Reading {
    let counts = Counts { totals, ..Counts::new() };
    let machine = Duration::from_millis(machine);
    Reading { at, server: Some(server), client: usage(client, 0, 1, 0), machine, counts }
}

#[test]
fn a_window_is_the_difference_of_two_readings() {
    let meter = Meter { pid: Some(1), idle_kib: 10_240 };
    let start = clock::now();
    let before = Totals { expected: 100, delivered: 100, sent: 10, ..Totals::default() };
    let after = Totals {
        expected: 20_100,
        delivered: 20_000,
        sent: 210,
        gaps: 100_u64.wrapping_neg(), // more came late than were skipped in this window
        ..before
    };
    let before = reading(start, usage(1_000, 500, 20_480, 10), (200, 5_000), before);
    let end = start + Duration::from_secs(2);
    let mut after = reading(end, usage(1_100, 700, 30_720, 210), (600, 6_000), after);
    for us in 1..=1_000 {
        after.counts.latency_us.record(us * 10).unwrap();
    }
    let window = meter.window(&before, &after, 100);
    let server = window.server.unwrap();
    let near = |value: f64, wanted: f64| assert!((value - wanted).abs() < 0.02 * wanted, "{value}");
    near(window.packets_per_second, 9_950.0);
    near(window.loss_percent, 0.5);
    near(server.cpu_us_per_packet, 15.08);
    near(server.user_us, 5.03);
    near(server.schedstat_us_per_packet.unwrap(), 15.08);
    near(server.core_percent, 15.0);
    near(server.kib_per_subscriber.unwrap(), 204.8);
    near(server.context_switches_per_second, 100.0);
    near(window.client.core_percent, 20.0);
    near(window.other_load_percent.unwrap(), 15.0); // 1,000 ms less 300 and 400
    let latency = window.latency_ms.unwrap();
    near(latency.p50, 5.0);
    near(latency.p999, 9.99);
    assert_eq!((window.gaps, window.noisy, window.sent), (0, false, 200));
}

#[test]
fn a_window_beside_other_programs_is_marked() {
    let meter = Meter { pid: None, idle_kib: 0 };
    let start = clock::now();
    let before = reading(start, Usage::default(), (0, 0), Totals::default());
    let end = start + Duration::from_secs(1);
    let after = reading(end, Usage::default(), (100, 400), Totals::default());
    assert!(meter.window(&before, &after, 1).noisy);
}

#[test]
fn percentiles_of_nothing_are_absent() {
    assert_eq!(percentiles_of(&[]), None);
    let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
    let found = percentiles_of(&times).unwrap();
    assert!((found.p50 - 50.0).abs() < 0.1 && (found.p99 - 99.0).abs() < 0.2, "{found:?}");
}

#[test]
fn a_windows_edge_is_where_least_is_on_its_way() {
    let start = clock::now();
    let at = |millis, expected, delivered| {
        let totals = Totals { expected, delivered, ..Totals::default() };
        let at = start + Duration::from_millis(millis);
        let mut reading = reading(at, Usage::default(), (0, 0), totals);
        reading.counts.latency_us.record(millis).unwrap();
        reading
    };
    let edge = at(1, 500, 100).or(at(2, 500, 500)).or(at(3, 1_000, 600));
    assert_eq!(edge.at, start + Duration::from_millis(2));
    assert_eq!(edge.counts.latency_us.len(), 3);
}

#[tokio::test]
async fn the_memory_of_a_server_is_noted_once_its_start_is_over() {
    let mut starting = std::process::Command::new("sh")
        .args(["-c", "sleep 0.3; x=$(head -c 4000000 /dev/zero | tr '\\0' x); read y"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let at_once = Usage::of(starting.id()).unwrap().rss_kib;
    let meter = Meter::start(Some(starting.id())).await.unwrap();
    let _ = (starting.kill(), starting.wait());
    assert!(meter.idle_kib >= at_once + 3_000, "{at_once} and {}", meter.idle_kib);
    assert!(Meter::start(Some(starting.id())).await.is_err(), "it has ended");
}
