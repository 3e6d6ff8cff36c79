//! The targets: what the packet path has to reach, each with the figure that decides it.

use super::figures::{COST, FIRST_PICTURE, Figure, LATENCY, MEMORY};
use super::results::Results;

/// One line of the list of targets.
pub(super) struct Must {
    /// In words.
    pub(super) what: &'static str,
    rule: Rule,
}

enum Rule {
    /// A figure of one system is at most so many times that of another.
    Ratio { case: &'static str, pair: (&'static str, &'static str), figure: Figure, limit: f64 },
    /// A figure is at most this.
    AtMost { case: &'static str, system: &'static str, figure: Figure, limit: f64 },
    /// So many subscribers with less than 1 % loss below so many percent of a core.
    Subscribers { least: f64, core: f64 },
}

/// How a target came out.
pub(super) struct Verdict {
    pub(super) limit: f64,
    /// `None`: it was not measured in this run.
    pub(super) measured: Option<f64>,
    pub(super) met: bool,
}

const OURS: &str = "conf-gcm-feedback";
const FIFTH: f64 = 0.2;
const THIRD: f64 = 1.0 / 3.0;

/// All of them.
pub(super) const MUSTS: &[Must] = &[
    Must {
        what: "1 video → 100 (GCM, NACK, feedback): CPU, × floor (GCM)",
        rule: cost("fan-out-100", (OURS, "floor-gcm"), 1.5),
    },
    Must {
        what: "… × Janus event_loops=1 (CM)",
        rule: cost("fan-out-100", (OURS, "janus-loop-cm"), FIFTH),
    },
    Must {
        what: "… × Janus event_loops=1 (GCM)",
        rule: cost("fan-out-100", (OURS, "janus-loop-gcm"), THIRD),
    },
    Must {
        what: "… with browser-like packets, × even ones",
        rule: cost("fan-out-100", ("conf-gcm-browser", OURS), 1.25),
    },
    Must {
        what: "audio, 20 in, 10 speak: CPU, × floor (GCM)",
        rule: cost("audio", ("conf-gcm", "floor-gcm"), 1.5),
    },
    Must {
        what: "… × Janus event_loops=1 (CM)",
        rule: cost("audio", ("conf-gcm", "janus-loop-cm"), THIRD),
    },
    Must {
        what: "10 × 10 audio + video: CPU, × Janus event_loops=1 (CM)",
        rule: cost("meeting-10", (OURS, "janus-loop-cm"), THIRD),
    },
    Must {
        what: "subscribers on a core, < 1 % loss, below 65 % of it",
        rule: Rule::Subscribers { least: 1100.0, core: 65.0 },
    },
    Must {
        what: "latency p99 at 100, × Janus event_loops=1 (CM)",
        rule: Rule::Ratio {
            case: "fan-out-100",
            pair: (OURS, "janus-loop-cm"),
            figure: LATENCY,
            limit: 0.25,
        },
    },
    Must {
        what: "RSS a video subscriber at 100, KiB",
        rule: Rule::AtMost { case: "fan-out-100", system: OURS, figure: MEMORY, limit: 64.0 },
    },
    Must {
        what: "… by LiveKit signalling",
        rule: Rule::AtMost {
            case: "fan-out-100",
            system: "conf-gcm-livekit",
            figure: MEMORY,
            limit: 128.0,
        },
    },
    Must {
        what: "join → first picture at 100, p50, ms",
        rule: Rule::AtMost {
            case: "fan-out-100",
            system: OURS,
            figure: FIRST_PICTURE,
            limit: 60.0,
        },
    },
];

const fn cost(case: &'static str, pair: (&'static str, &'static str), limit: f64) -> Rule {
    Rule::Ratio { case, pair, figure: COST, limit }
}

impl Must {
    /// What the results say of it.
    pub(super) fn judge(&self, results: &Results) -> Verdict {
        let median = |spread: super::figures::Spread| spread.median;
        match self.rule {
            Rule::Ratio { case, pair, figure, limit } => {
                at_most(limit, results.ratio(case, pair, figure).map(median))
            }
            Rule::AtMost { case, system, figure, limit } => {
                at_most(limit, results.spread(case, system, figure).map(median))
            }
            Rule::Subscribers { least, core } => {
                let measured = results.most_subscribers("ramp", 1.0, core);
                Verdict { limit: least, measured, met: measured.is_some_and(|it| it >= least) }
            }
        }
    }

    /// Whether the figure has to be at least, not at most, the limit.
    pub(super) fn is_least(&self) -> bool {
        matches!(self.rule, Rule::Subscribers { .. })
    }

    /// The limit on the ratio of two systems' costs, for the column next to that ratio.
    pub(super) fn limit(case: &str, pair: (&str, &str)) -> Option<f64> {
        MUSTS.iter().find_map(|must| match must.rule {
            Rule::Ratio { case: of, pair: these, figure, limit } => {
                (of == case && these == pair && figure == COST).then_some(limit)
            }
            _ => None,
        })
    }
}

fn at_most(limit: f64, measured: Option<f64>) -> Verdict {
    Verdict { limit, measured, met: measured.is_some_and(|it| it <= limit) }
}

#[cfg(test)]
mod tests {
    use super::super::plan::CASES;
    use super::super::results::tests::results;
    use super::*;

    #[test]
    fn a_target_is_met_or_missed_by_the_median_of_ratios() {
        let good = results(|turn| if turn.system.id.starts_with("janus") { 12.0 } else { 2.0 });
        let first = MUSTS[0].judge(&good);
        assert_eq!((first.measured, first.met), (Some(1.0), true));
        assert!(MUSTS[1].judge(&good).met);
        let bad = results(|turn| if turn.system.id.starts_with("janus") { 9.0 } else { 2.0 });
        assert!(!MUSTS[1].judge(&bad).met);
    }

    #[test]
    fn what_was_not_measured_is_not_met() {
        let verdict = MUSTS[0].judge(&Results::default());
        assert!(verdict.measured.is_none() && !verdict.met);
    }

    #[test]
    fn every_target_names_a_case_and_systems_that_are_measured() {
        let known = |case: &str, system: &str| {
            let case = CASES.iter().find(|known| known.id == case).unwrap();
            case.systems.iter().any(|known| known.id == system)
        };
        for must in MUSTS {
            match must.rule {
                Rule::Ratio { case, pair, .. } => {
                    assert!(known(case, pair.0) && known(case, pair.1), "{}", must.what);
                }
                Rule::AtMost { case, system, .. } => assert!(known(case, system), "{}", must.what),
                Rule::Subscribers { .. } => {}
            }
        }
    }
}
