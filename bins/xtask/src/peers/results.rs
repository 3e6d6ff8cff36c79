//! All that was measured, found again by case and system.

use serde_json::{Value, json};

use super::figures::{CORE, Figure, LOSS, OTHER_LOAD, SUBSCRIBERS, Spread, Window, ratio};
use super::plan::{Case, System, Turn};

/// What one run of conf-load gave.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    pub(super) turn: Turn,
    pub(super) windows: Vec<Window>,
    /// How often it was measured until the machine was quiet.
    pub(super) tries: usize,
}

impl Measured {
    /// The load of everything else in the worst of its windows, percent of a core.
    pub(super) fn other_load(&self) -> f64 {
        self.windows.iter().filter_map(|window| window.get(OTHER_LOAD)).fold(0.0, f64::max)
    }
}

/// The results of all rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Results {
    pub(super) measured: Vec<Measured>,
}

impl Results {
    /// A figure of a system by round; of a ramp its last window.
    pub(super) fn rounds(&self, case: &str, system: &str, figure: Figure) -> Vec<(usize, f64)> {
        let of = |measured: &&Measured| {
            measured.turn.case.id == case && measured.turn.system.id == system
        };
        let value = |measured: &Measured| {
            Some((measured.turn.round, measured.windows.last()?.get(figure)?))
        };
        self.measured.iter().filter(of).filter_map(value).collect()
    }

    /// Its median and spread.
    pub(super) fn spread(&self, case: &str, system: &str, figure: Figure) -> Option<Spread> {
        Spread::of(self.rounds(case, system, figure).into_iter().map(|(_, value)| value))
    }

    /// How it relates to another system of the same case.
    pub(super) fn ratio(
        &self,
        case: &str,
        (ours, theirs): (&str, &str),
        figure: Figure,
    ) -> Option<Spread> {
        ratio(&self.rounds(case, ours, figure), &self.rounds(case, theirs, figure))
    }

    /// The windows of all ramps of a case, with their system.
    pub(super) fn steps(&self, case: &Case) -> impl Iterator<Item = (&'static System, &Window)> {
        let ramps = self.measured.iter().filter(move |it| it.turn.case.id == case.id);
        ramps.flat_map(|it| it.windows.iter().map(move |window| (it.turn.system, window)))
    }

    /// The most subscribers of any ramp of a case that got all but `loss` percent while the server
    /// used at most `core` percent of its core.
    pub(super) fn most_subscribers(&self, case: &str, loss: f64, core: f64) -> Option<f64> {
        let ramps = self.measured.iter().filter(|it| it.turn.case.id == case);
        ramps
            .flat_map(|it| &it.windows)
            .filter(|window| window.get(LOSS).is_some_and(|it| it < loss))
            .filter(|window| window.get(CORE).is_some_and(|it| it <= core))
            .filter_map(|window| window.get(SUBSCRIBERS))
            .reduce(f64::max)
    }

    /// Every window as it was reported.
    pub(super) fn json(&self) -> Value {
        let each = self.measured.iter().map(|it| {
            json!({
                "case": it.turn.case.id,
                "system": it.turn.system.id,
                "round": it.turn.round,
                "tries": it.tries,
                "windows": it.windows.iter().map(Window::json).collect::<Vec<_>>(),
            })
        });
        Value::Array(each.collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::figures::COST;
    use super::super::plan::Options;
    use super::*;

    /// Every system of every case once a round; `cost` says what a packet costs.
    pub(in super::super) fn results(cost: impl Fn(&Turn) -> f64) -> Results {
        let turns = Options { rounds: 3, ..Options::default() }.turns();
        let measured = turns.into_iter().map(|turn| {
            let report = format!(
                r#"{{"windows":[{{"subscribers":1200,"loss_percent":0.1,"other_load_percent":3,
                "packets_per_second":12500.4,"latency_ms":{{"p50":1.0,"p99":2.0}},
                "server":{{"cpu_us_per_packet":{},"core_percent":60.0}}}}]}}"#,
                cost(&turn)
            );
            Measured { turn, windows: Window::all(&report).unwrap(), tries: 1 }
        });
        Results { measured: measured.collect() }
    }

    #[test]
    fn a_figure_is_found_by_case_and_system_with_its_round() {
        let results = results(|turn| if turn.round == 2 { 4.0 } else { 2.0 });
        let rounds = results.rounds("audio", "conf-cm", COST);
        assert_eq!(rounds, [(0, 2.0), (1, 2.0), (2, 4.0)]);
        assert_eq!(results.spread("audio", "conf-cm", COST).unwrap().median, 2.0);
        assert!(results.rounds("audio", "conf-gcm-browser", COST).is_empty());
    }

    #[test]
    fn a_step_counts_only_below_the_loss_and_the_share_of_the_core() {
        let results = results(|_| 1.0);
        assert_eq!(results.most_subscribers("ramp", 1.0, 65.0), Some(1200.0));
        assert_eq!(results.most_subscribers("ramp", 0.05, 65.0), None);
        assert_eq!(results.most_subscribers("ramp", 1.0, 50.0), None);
    }
}
