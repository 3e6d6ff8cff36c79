//! What was measured, and how it is written down: JSON, CSV, one HTML page with plots.
//!
//! Units are in the names. What could not be measured is absent: `null` in JSON, empty in CSV.

use serde::Serialize;

use crate::plan::Plan;

mod csv;
mod html;
pub mod write;

/// A whole run. The fields' names are the JSON's.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// `conf-load`
    pub tool: &'static str,
    /// Of this format.
    pub version: u32,
    /// The scenario's word.
    pub scenario: &'static str,
    /// The door's word.
    pub door: &'static str,
    /// What was asked for beside it.
    #[serde(flatten)]
    pub settings: Settings,
    /// In order of time; each with more subscribers than the one before, or later.
    pub windows: Vec<Window>,
    /// What the scenario itself finds out.
    #[serde(flatten)]
    pub findings: Findings,
}

/// How packets were sent and protected.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// SRTP profile.
    pub suite: &'static str,
    /// Subscribers sent transport-wide feedback.
    pub twcc: bool,
    /// NACK and RTX were negotiated.
    pub nack: bool,
    /// Load shape.
    pub shape: &'static str,
    /// When sources started.
    pub phases: &'static str,
    /// Of all that was random.
    pub seed: u64,
}

/// What a scenario finds beside its windows.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Ramp: the largest step that lost less than 1 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_below_1_percent: Option<usize>,
    /// Soak: by how much the server's memory grows, by least squares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_slope_kib_per_minute: Option<f64>,
    /// Soak: how often one left and one came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turns: Option<usize>,
    /// Joins: how fast they really were let in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joins_per_second: Option<f64>,
}

/// One stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Window {
    /// Who receives.
    pub subscribers: usize,
    /// How long.
    pub seconds: f64,
    /// Packets that publishers sent.
    pub sent: u64,
    /// Packets that should have come out of the server.
    pub expected: u64,
    /// RTP packets that arrived at subscribers, each once, without retransmissions.
    pub delivered: u64,
    /// `delivered` a second.
    pub packets_per_second: f64,
    /// Undelivered in the window; what is late, not dropped, leaves no `gaps`. Its edges are put
    /// where little is on its way; a few tenths of a percent, also negative, may remain.
    pub loss_percent: f64,
    /// Sequence numbers that were skipped and did not come later.
    pub gaps: u64,
    /// Packets that came more than once.
    pub duplicates: u64,
    /// Packets that came again because they were asked for, under a source of their own.
    pub retransmitted: u64,
    /// Packets that did not authenticate, of those that were opened.
    pub forged: u64,
    /// Keyframes that publishers were asked for.
    pub keyframes_asked: u64,
    /// Keyframes that publishers sent.
    pub keyframes_sent: u64,
    /// The server's process; absent without `--pid`.
    pub server: Option<Server>,
    /// This process.
    pub client: Client,
    /// From a publisher's send to the kernel's receive stamp.
    pub latency_ms: Option<Latency>,
    /// Steps of joining of those that joined before or in this window.
    pub join_ms: Join,
    /// Joins that did not come to media.
    pub failed_joins: usize,
    /// Processor time of everything else on the machine, in percent of one core.
    pub other_load_percent: Option<f64>,
    /// Other load was above the limit even in the last repetition, or nobody asked for quiet.
    pub noisy: bool,
}

/// The server's process during a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Server {
    /// User and system time per delivered packet.
    pub cpu_us_per_packet: f64,
    /// User time per delivered packet.
    pub user_us: f64,
    /// System time per delivered packet.
    pub system_us: f64,
    /// The same from the scheduler's own counts; absent where the kernel has none.
    pub schedstat_us_per_packet: Option<f64>,
    /// Of one core.
    pub core_percent: f64,
    /// Resident memory at the window's end.
    pub rss_mib: f64,
    /// Resident memory before anybody entered.
    pub rss_idle_mib: f64,
    /// Growth since then, for each subscriber.
    pub kib_per_subscriber: Option<f64>,
    /// Voluntary and involuntary.
    pub context_switches_per_second: f64,
    /// At the window's end.
    pub threads: u64,
}

/// This process during a window.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Client {
    /// Of one core, all threads.
    pub core_percent: f64,
    /// How late publishers sent.
    pub send_lag_ms: Option<Percentiles>,
}

/// Latency percentiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 99 of 100 are below.
    pub p99: f64,
    /// 999 of 1,000 are below.
    pub p999: f64,
}

/// Median and 99th percentile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: f64,
    /// 99 of 100 are below.
    pub p99: f64,
}

/// Steps of joining, each since its start; absent where none got there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Join {
    /// The server's answer is read.
    pub signalling: Option<Percentiles>,
    /// The handshake is done.
    pub dtls: Option<Percentiles>,
    /// First RTP packet.
    pub first_packet: Option<Percentiles>,
    /// First packet of a keyframe.
    pub first_keyframe: Option<Percentiles>,
}

impl Window {
    /// With the loss that sequence numbers tell, for when the audience changes all the time and
    /// nobody can say who should have received what.
    #[must_use]
    pub fn by_gaps(self) -> Self {
        let expected = self.delivered + self.gaps;
        let loss_percent = 100.0 * self.gaps as f64 / expected.max(1) as f64;
        Self { expected, loss_percent, ..self }
    }
}

impl Report {
    /// An empty one for a plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        Self {
            tool: "conf-load",
            version: 1,
            scenario: plan.scenario.name(),
            door: plan.door.kind.name(),
            settings: Settings {
                suite: plan.media.suite.name(),
                twcc: plan.media.feedback.twcc,
                nack: plan.media.feedback.nack,
                shape: plan.media.shape.name(),
                phases: plan.media.phases.name(),
                seed: plan.media.seed,
            },
            windows: Vec::new(),
            findings: Findings::default(),
        }
    }
}

#[cfg(test)]
mod tests;
