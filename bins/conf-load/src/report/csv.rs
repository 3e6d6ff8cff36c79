//! One row a window, one column a figure: for spreadsheets and scripts.

use super::{Report, Window};

/// Name of a column, and its value.
type Column = (&'static str, fn(&Window) -> Option<f64>);

/// The whole table, with a head.
pub(super) fn table(report: &Report) -> String {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    let settings = &report.settings;
    let mut text = format!("scenario,door,suite,twcc,nack,shape,phases,seed,{}\n", names.join(","));
    for window in &report.windows {
        let values = COLUMNS.iter().map(|(_, value)| value(window).map_or(String::new(), number));
        text += &format!(
            "{},{},{},{},{},{},{},{},{}\n",
            report.scenario,
            report.door,
            settings.suite,
            settings.twcc,
            settings.nack,
            settings.shape,
            settings.phases,
            settings.seed,
            values.collect::<Vec<_>>().join(",")
        );
    }
    text
}

/// Three decimals, without zeros at the end.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(super) const COLUMNS: &[Column] = &[
    ("subscribers", |window| Some(window.subscribers as f64)),
    ("seconds", |window| Some(window.seconds)),
    ("sent", |window| Some(window.sent as f64)),
    ("expected", |window| Some(window.expected as f64)),
    ("delivered", |window| Some(window.delivered as f64)),
    ("packets_per_second", |window| Some(window.packets_per_second)),
    ("loss_percent", |window| Some(window.loss_percent)),
    ("gaps", |window| Some(window.gaps as f64)),
    ("duplicates", |window| Some(window.duplicates as f64)),
    ("retransmitted", |window| Some(window.retransmitted as f64)),
    ("forged", |window| Some(window.forged as f64)),
    ("keyframes_asked", |window| Some(window.keyframes_asked as f64)),
    ("keyframes_sent", |window| Some(window.keyframes_sent as f64)),
    ("server_cpu_us_per_packet", |window| Some(window.server.as_ref()?.cpu_us_per_packet)),
    ("server_user_us", |window| Some(window.server.as_ref()?.user_us)),
    ("server_system_us", |window| Some(window.server.as_ref()?.system_us)),
    ("server_schedstat_us_per_packet", |window| window.server.as_ref()?.schedstat_us_per_packet),
    ("server_core_percent", |window| Some(window.server.as_ref()?.core_percent)),
    ("server_rss_mib", |window| Some(window.server.as_ref()?.rss_mib)),
    ("server_rss_idle_mib", |window| Some(window.server.as_ref()?.rss_idle_mib)),
    ("server_kib_per_subscriber", |window| window.server.as_ref()?.kib_per_subscriber),
    ("server_context_switches_per_second", |window| {
        Some(window.server.as_ref()?.context_switches_per_second)
    }),
    ("server_threads", |window| Some(window.server.as_ref()?.threads as f64)),
    ("client_core_percent", |window| Some(window.client.core_percent)),
    ("client_send_lag_p50_ms", |window| Some(window.client.send_lag_ms?.p50)),
    ("client_send_lag_p99_ms", |window| Some(window.client.send_lag_ms?.p99)),
    ("latency_p50_ms", |window| Some(window.latency_ms?.p50)),
    ("latency_p99_ms", |window| Some(window.latency_ms?.p99)),
    ("latency_p999_ms", |window| Some(window.latency_ms?.p999)),
    ("join_signalling_p50_ms", |window| Some(window.join_ms.signalling?.p50)),
    ("join_signalling_p99_ms", |window| Some(window.join_ms.signalling?.p99)),
    ("join_dtls_p50_ms", |window| Some(window.join_ms.dtls?.p50)),
    ("join_dtls_p99_ms", |window| Some(window.join_ms.dtls?.p99)),
    ("join_first_packet_p50_ms", |window| Some(window.join_ms.first_packet?.p50)),
    ("join_first_packet_p99_ms", |window| Some(window.join_ms.first_packet?.p99)),
    ("join_first_keyframe_p50_ms", |window| Some(window.join_ms.first_keyframe?.p50)),
    ("join_first_keyframe_p99_ms", |window| Some(window.join_ms.first_keyframe?.p99)),
    ("failed_joins", |window| Some(window.failed_joins as f64)),
    ("other_load_percent", |window| window.other_load_percent),
    ("noisy", |window| Some(if window.noisy { 1.0 } else { 0.0 })),
];
