//! What the server counts, and how Prometheus reads it. No label names a person, room or address.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;
use conf_media::net::TcpCounters;
use conf_media::stats::{Counters, DropReason, Measure};

/// Counters of the control plane.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) meetings: AtomicU64,
    pub(crate) meetings_started: AtomicU64,
    pub(crate) meetings_panicked: AtomicU64,
    pub(crate) participants: AtomicU64,
    pub(crate) players: AtomicU64,
    pub(crate) joins: AtomicU64,
    pub(crate) meeting_sockets: AtomicU64,
    pub(crate) signal_sockets: AtomicU64,
    pub(crate) too_slow: AtomicU64,
    pub(crate) events_lost: AtomicU64,
    pub(crate) password_hashes: AtomicU64,
    pub(crate) sign_ins: SignIns,
    /// By the first digit of the answer's status, from 1 to 5.
    requests: [AtomicU64; 5],
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

/// How attempts to sign in ended.
#[derive(Debug, Default)]
pub(crate) struct SignIns {
    pub(crate) ok: AtomicU64,
    pub(crate) wrong: AtomicU64,
    /// Not answered: more waited than the server takes.
    pub(crate) busy: AtomicU64,
}

impl Metrics {
    /// Counts a refusal under a word from the code, never from a request.
    pub(crate) fn refuse(&self, reason: &'static str) {
        if let Ok(mut refusals) = self.refusals.lock() {
            *refusals.entry(reason).or_default() += 1;
        }
    }

    /// Counts a request by the class of its answer; nothing else is logged of it.
    pub(crate) fn request(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100);
        if let Some(count) = class.checked_sub(1).and_then(|index| self.requests.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The page in Prometheus' text format.
    pub(crate) fn page(&self, media: &Counters, tcp: &TcpCounters) -> String {
        let mut page = String::new();
        for (name, kind, value) in [
            ("meetings", "gauge", &self.meetings),
            ("participants", "gauge", &self.participants),
            ("players", "gauge", &self.players),
            ("meeting_websockets", "gauge", &self.meeting_sockets),
            ("signalling_websockets", "gauge", &self.signal_sockets),
            ("meetings_started_total", "counter", &self.meetings_started),
            ("meetings_panicked_total", "counter", &self.meetings_panicked),
            ("joins_total", "counter", &self.joins),
            ("websockets_too_slow_total", "counter", &self.too_slow),
            ("media_events_lost_total", "counter", &self.events_lost),
            ("password_hashes_total", "counter", &self.password_hashes),
        ] {
            write_one(&mut page, &format!("conf_{name}"), kind, value.load(Ordering::Relaxed));
        }
        let SignIns { ok, wrong, busy } = &self.sign_ins;
        let _ = writeln!(page, "# TYPE conf_sign_ins_total counter");
        for (outcome, count) in [("ok", ok), ("wrong", wrong), ("busy", busy)] {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(page, "conf_sign_ins_total{{outcome=\"{outcome}\"}} {count}");
        }
        let _ = writeln!(page, "# TYPE conf_http_requests_total counter");
        for (class, count) in (1..).zip(&self.requests) {
            let count = count.load(Ordering::Relaxed);
            let _ = writeln!(page, "conf_http_requests_total{{status=\"{class}xx\"}} {count}");
        }
        let _ = writeln!(page, "# TYPE conf_refusals_total counter");
        if let Ok(refusals) = self.refusals.lock() {
            for (reason, count) in &*refusals {
                let _ = writeln!(page, "conf_refusals_total{{reason=\"{reason}\"}} {count}");
            }
        }
        media_part(&mut page, media);
        tcp_part(&mut page, tcp);
        page
    }
}

fn media_part(page: &mut String, media: &Counters) {
    for (name, value) in media.totals() {
        match name {
            "peers" | "tracks" | "edges" | "mirrors" | "paths" => {
                write_one(page, &format!("conf_media_{name}"), "gauge", value);
            }
            _ => write_one(page, &format!("conf_media_{name}_total"), "counter", value),
        }
    }
    let _ = writeln!(page, "# TYPE conf_media_drops_total counter");
    for reason in DropReason::ALL {
        let (label, count) = (reason.label(), media.dropped(reason));
        let _ = writeln!(page, "conf_media_drops_total{{reason=\"{label}\"}} {count}");
    }
    histograms(page, media);
}

/// How connections are, over all of them: no label says whose.
fn histograms(page: &mut String, media: &Counters) {
    let mut before = "";
    for (measure, histogram) in Measure::ALL.into_iter().zip(&media.histograms) {
        let (name, direction) = measure.name();
        if name != before {
            let _ = writeln!(page, "# TYPE conf_media_{name} histogram");
            before = name;
        }
        let mut below = 0;
        let bounds = measure.bounds().map(|bound| millionths(bound).to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, count) in bounds.zip(histogram.counts) {
            below += count;
            let labels = format!("direction=\"{direction}\",le=\"{bound}\"");
            let _ = writeln!(page, "conf_media_{name}_bucket{{{labels}}} {below}");
        }
        let label = format!("direction=\"{direction}\"");
        let _ = writeln!(page, "conf_media_{name}_sum{{{label}}} {}", millionths(histogram.sum));
        let _ = writeln!(page, "conf_media_{name}_count{{{label}}} {below}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sum of measured values, never exact")]
fn millionths(value: u64) -> f64 {
    value as f64 / 1e6
}

fn tcp_part(page: &mut String, tcp: &TcpCounters) {
    for (name, value) in tcp.all() {
        match name {
            "connections" | "half_open" => {
                write_one(page, &format!("conf_media_tcp_{name}"), "gauge", value);
            }
            _ => write_one(page, &format!("conf_media_tcp_{name}_total"), "counter", value),
        }
    }
}

fn write_one(page: &mut String, name: &str, kind: &str, value: u64) {
    let _ = writeln!(page, "# TYPE {name} {kind}\n{name} {value}");
}

/// Counts up as long as it lives: sockets, meetings.
#[derive(Debug)]
pub(crate) struct Gauge<F: Fn(&Metrics) -> &AtomicU64> {
    metrics: std::sync::Arc<Metrics>,
    which: F,
}

impl<F: Fn(&Metrics) -> &AtomicU64> Gauge<F> {
    /// One more.
    pub(crate) fn new(metrics: std::sync::Arc<Metrics>, which: F) -> Self {
        which(&metrics).fetch_add(1, Ordering::Relaxed);
        Self { metrics, which }
    }
}

impl<F: Fn(&Metrics) -> &AtomicU64> Drop for Gauge<F> {
    fn drop(&mut self) {
        (self.which)(&self.metrics).fetch_sub(1, Ordering::Relaxed);
    }
}
