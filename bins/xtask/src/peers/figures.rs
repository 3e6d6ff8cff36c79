//! What conf-load measured, and the arithmetic on it: medians, spread, ratios.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// One window of conf-load's JSON; what it could not measure is absent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window(Value);

/// A number of a window, by its place in conf-load's JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Figure(pub(crate) &'static str);

/// CPU µs of the server a packet that arrived, as the scheduler counts them; where it does not, in
/// ticks of 10 ms.
pub(crate) const COST: Figure = Figure("/server/schedstat_us_per_packet");
const COST_IN_TICKS: Figure = Figure("/server/cpu_us_per_packet");
pub(crate) const SUBSCRIBERS: Figure = Figure("/subscribers");
pub(crate) const RATE: Figure = Figure("/packets_per_second");
pub(crate) const CORE: Figure = Figure("/server/core_percent");
pub(crate) const LOSS: Figure = Figure("/loss_percent");
pub(crate) const GAPS: Figure = Figure("/gaps");
pub(crate) const LATENCY_MEDIAN: Figure = Figure("/latency_ms/p50");
pub(crate) const LATENCY: Figure = Figure("/latency_ms/p99");
pub(crate) const MEMORY: Figure = Figure("/server/kib_per_subscriber");
pub(crate) const FIRST_PICTURE: Figure = Figure("/join_ms/first_keyframe/p50");
pub(crate) const FAILED: Figure = Figure("/failed_joins");
pub(crate) const SWITCHES: Figure = Figure("/server/context_switches_per_second");
pub(crate) const CLIENT_CORE: Figure = Figure("/client/core_percent");
pub(crate) const OTHER_LOAD: Figure = Figure("/other_load_percent");

impl Window {
    /// The windows in one report of conf-load, in their order.
    ///
    /// # Errors
    /// If it is no such report.
    pub(crate) fn all(report: &str) -> Result<Vec<Self>> {
        let value: Value = serde_json::from_str(report).context("conf-load's report is no JSON")?;
        let windows = value.get("windows").and_then(Value::as_array);
        let windows = windows.context("conf-load's report has no windows")?;
        Ok(windows.iter().cloned().map(Self).collect())
    }

    pub(crate) fn get(&self, figure: Figure) -> Option<f64> {
        let number = |figure: Figure| self.0.pointer(figure.0)?.as_f64();
        number(figure).or_else(|| number(COST_IN_TICKS).filter(|_| figure == COST))
    }

    pub(super) fn json(&self) -> &Value {
        &self.0
    }
}

/// The middle one of some numbers and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// `None` of no numbers.
    pub(super) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> =
            numbers.into_iter().filter(|number| number.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        Some(Self { median: f64::midpoint(lower, upper), least, most })
    }
}

/// How one system's figure relates to another's, round by round: what slows a whole round down
/// leaves the ratio alone. Rounds in which either is missing do not count.
pub(super) fn ratio(ours: &[(usize, f64)], theirs: &[(usize, f64)]) -> Option<Spread> {
    let pairs = ours.iter().filter_map(|(round, mine)| {
        let (_, other) = theirs.iter().find(|(their_round, _)| their_round == round)?;
        (*other > 0.0).then(|| mine / other)
    });
    Spread::of(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
        let spread = Spread::of([3.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([f64::NAN]), None);
    }

    #[test]
    fn ratios_are_taken_within_a_round_so_that_a_slow_round_does_not_move_them() {
        let ours = [(0, 2.0), (1, 4.0), (2, 2.0)];
        let theirs = [(0, 10.0), (1, 20.0), (3, 1.0)];
        let ratio = ratio(&ours, &theirs).unwrap();
        assert_eq!(ratio, Spread { median: 0.2, least: 0.2, most: 0.2 });
    }

    #[test]
    fn a_ratio_to_nothing_is_none() {
        assert_eq!(ratio(&[(0, 1.0)], &[(0, 0.0)]), None);
        assert_eq!(ratio(&[(0, 1.0)], &[]), None);
    }

    #[test]
    fn a_report_gives_its_windows_and_an_absent_figure_is_none() {
        let report = r#"{"tool":"conf-load","version":1,"windows":[
            {"subscribers":100,"server":{"cpu_us_per_packet":1.5},"latency_ms":{"p50":null}}]}"#;
        let windows = Window::all(report).unwrap();
        assert_eq!(windows[0].get(COST), Some(1.5));
        assert_eq!(windows[0].get(LATENCY_MEDIAN), None);
        let both = r#"{"windows":[{"server":{"cpu_us_per_packet":1.5,
            "schedstat_us_per_packet":1.42}}]}"#;
        assert_eq!(Window::all(both).unwrap()[0].get(COST), Some(1.42));
        assert!(Window::all("{}").is_err());
        assert!(Window::all("no").is_err());
    }
}
