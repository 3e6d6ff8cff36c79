//! What is measured: the servers, the cases, and in which order the windows run.
//!
//! Cases and shapes are those of the recorded figures of other servers, so that both can be read
//! side by side. Within a round every system of a case runs once, one after the other; each round
//! starts with another of them, so that a machine that slows down does not always hit the same.

use std::time::Duration;

/// Which program serves, and how it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Janus with all peer connections on one event loop.
    JanusOneLoop,
    /// Janus as it comes: a thread a peer connection.
    JanusThreads,
    /// Our server.
    Conf,
    /// Our server, its subscribers by LiveKit's signalling.
    ConfLiveKit,
    /// The floor: our sends and seals, nothing else.
    Floor,
}

/// One row of a case: a program and what the clients ask of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct System {
    /// Unique among all.
    pub(super) id: &'static str,
    /// As the table names it.
    pub(super) label: &'static str,
    pub(super) program: Program,
    /// `cm` or `gcm128`, as conf-load knows it.
    pub(super) suite: &'static str,
    /// Transport-wide feedback towards subscribers.
    pub(super) feedback: bool,
    /// Packets of sizes and bursts as Chromium makes them, instead of even ones.
    pub(super) browser: bool,
}

/// One load, and who is put under it.
#[derive(Debug)]
pub(super) struct Case {
    /// What `--only` takes.
    pub(super) id: &'static str,
    /// As the table names it.
    pub(super) label: &'static str,
    /// What conf-load is told.
    pub(super) load: &'static [&'static str],
    pub(super) systems: &'static [&'static System],
    /// No more rounds than this: a row that no target hangs on needs fewer, a ramp is long.
    pub(super) most_rounds: usize,
    /// What a window costs beyond its seconds: start, joins, end.
    pub(super) overhead: Duration,
    /// How many windows of the asked length one run of it holds.
    pub(super) steps: u32,
}

const JANUS_CM: System = System {
    id: "janus-loop-cm",
    label: "Janus event_loops=1",
    program: Program::JanusOneLoop,
    suite: "cm",
    feedback: false,
    browser: false,
};
const JANUS_GCM: System = System { id: "janus-loop-gcm", suite: "gcm128", ..JANUS_CM };
const JANUS_THREADS: System = System {
    id: "janus-threads-cm",
    label: "Janus default",
    program: Program::JanusThreads,
    ..JANUS_CM
};
const CONF_CM: System = System { id: "conf-cm", label: "conf", program: Program::Conf, ..JANUS_CM };
const CONF_GCM: System = System { id: "conf-gcm", suite: "gcm128", ..CONF_CM };
const CONF_FEEDBACK: System = System { id: "conf-gcm-feedback", feedback: true, ..CONF_GCM };
const CONF_BROWSER: System = System { id: "conf-gcm-browser", browser: true, ..CONF_FEEDBACK };
const CONF_LIVEKIT: System = System {
    id: "conf-gcm-livekit",
    label: "conf, by LiveKit signalling",
    program: Program::ConfLiveKit,
    ..CONF_FEEDBACK
};
const FLOOR_CM: System =
    System { id: "floor-cm", label: "floor", program: Program::Floor, ..JANUS_CM };
const FLOOR_GCM: System = System { id: "floor-gcm", suite: "gcm128", ..FLOOR_CM };

/// All cases, in the order of the table.
pub(super) const CASES: &[Case] = &[
    Case {
        id: "fan-out-10",
        label: "1 video → 10",
        load: &["fanout", "--subscribers", "10"],
        systems: &[&JANUS_CM, &CONF_FEEDBACK],
        most_rounds: 3,
        overhead: Duration::from_secs(3),
        steps: 1,
    },
    Case {
        id: "fan-out-50",
        label: "1 video → 50",
        load: &["fanout", "--subscribers", "50"],
        systems: &[&JANUS_CM, &CONF_FEEDBACK],
        most_rounds: 3,
        overhead: Duration::from_secs(3),
        steps: 1,
    },
    Case {
        id: "fan-out-100",
        label: "1 video → 100",
        load: &["fanout", "--subscribers", "100"],
        systems: &[
            &JANUS_CM,
            &CONF_CM,
            &FLOOR_CM,
            &JANUS_GCM,
            &CONF_GCM,
            &CONF_FEEDBACK,
            &CONF_BROWSER,
            &CONF_LIVEKIT,
            &FLOOR_GCM,
            &JANUS_THREADS,
        ],
        most_rounds: usize::MAX,
        overhead: Duration::from_secs(4),
        steps: 1,
    },
    Case {
        id: "audio",
        label: "audio, 20 in the room, 10 speak",
        load: &["audio", "--participants", "20", "--speakers", "10", "--phases", "random"],
        systems: &[&JANUS_CM, &CONF_CM, &CONF_GCM, &FLOOR_CM, &FLOOR_GCM, &JANUS_THREADS],
        most_rounds: usize::MAX,
        overhead: Duration::from_secs(3),
        steps: 1,
    },
    Case {
        id: "meeting-5",
        label: "meeting 5 × 5",
        load: &["meeting", "--participants", "5"],
        systems: &[&JANUS_CM, &CONF_FEEDBACK],
        most_rounds: 3,
        overhead: Duration::from_secs(3),
        steps: 1,
    },
    Case {
        id: "meeting-10",
        label: "meeting 10 × 10",
        load: &["meeting", "--participants", "10"],
        systems: &[&JANUS_CM, &CONF_CM, &CONF_FEEDBACK, &FLOOR_GCM],
        most_rounds: usize::MAX,
        overhead: Duration::from_secs(3),
        steps: 1,
    },
    Case {
        id: "ramp-janus",
        label: "1 video → as many as it takes",
        load: &["ramp", "--steps", "100,200,250,300,350,400"],
        systems: &[&JANUS_CM],
        most_rounds: 1,
        overhead: Duration::from_secs(20),
        steps: 6,
    },
    Case {
        id: "ramp",
        label: "1 video → as many as it takes",
        load: &["ramp", "--steps", "400,800,1100,1400,2000"],
        systems: &[&CONF_FEEDBACK],
        most_rounds: 1,
        overhead: Duration::from_secs(30),
        steps: 5,
    },
];

/// What the person asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) rounds: usize,
    pub(super) seconds: u64,
    pub(super) only: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 5, seconds: 10, only: Vec::new() }
    }
}

/// One window to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub(super) round: usize,
    pub(super) case: &'static Case,
    pub(super) system: &'static System,
}

impl Turn {
    /// How long it takes, about.
    pub(super) fn lasts(&self, seconds: u64) -> Duration {
        self.case.overhead + Duration::from_secs(seconds) * self.case.steps
    }
}

impl Options {
    fn wants(&self, case: &Case) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == case.id)
    }

    /// All windows, in order.
    pub(super) fn turns(&self) -> Vec<Turn> {
        let mut turns = Vec::new();
        for round in 0..self.rounds {
            for case in CASES.iter().filter(|case| self.wants(case) && round < case.most_rounds) {
                let mut systems = case.systems.to_vec();
                let first = round % systems.len().max(1);
                systems.rotate_left(first);
                turns.extend(systems.into_iter().map(|system| Turn { round, case, system }));
            }
        }
        turns
    }

    /// How long all of it takes, about, without repeats.
    pub(super) fn lasts(&self) -> Duration {
        self.turns().iter().map(|turn| turn.lasts(self.seconds)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_without_options_takes_at_most_thirty_five_minutes() {
        let lasts = Options::default().lasts();
        assert!(lasts <= Duration::from_secs(35 * 60), "{lasts:?}");
    }

    #[test]
    fn each_round_of_a_case_starts_with_another_system_and_holds_all_of_them() {
        let only = vec!["audio".to_owned()];
        let turns = Options { rounds: 2, seconds: 1, only }.turns();
        let ids: Vec<_> = turns.iter().map(|turn| (turn.round, turn.system.id)).collect();
        assert_eq!(ids[0], (0, "janus-loop-cm"));
        assert_eq!(ids[6], (1, "conf-cm"));
        assert_eq!(ids[11], (1, "janus-loop-cm"));
    }

    #[test]
    fn no_two_systems_of_a_case_share_a_name() {
        for case in CASES {
            let mut ids: Vec<_> = case.systems.iter().map(|system| system.id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), case.systems.len(), "{}", case.id);
        }
    }
}
