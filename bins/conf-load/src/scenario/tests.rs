//! Whole scenarios against the floor program, short and small.

use super::*;
use crate::floor::Floor;
use crate::plan::{
    DoorKind, DoorPlan, Feedback, MediaPlan, Outputs, Phases, ShapeKind, Suite, WindowPlan,
};

/// A floor program on a thread, for the rest of the process.
fn floor() -> String {
    let floor = Floor::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", floor.address().unwrap());
    std::thread::spawn(move || floor.serve());
    url
}

fn plan(scenario: Scenario) -> Plan {
    Plan {
        scenario,
        door: DoorPlan {
            kind: DoorKind::Floor,
            url: floor(),
            credentials: None,
            room: "load".into(),
        },
        media: MediaPlan {
            suite: Suite::Gcm128,
            shape: ShapeKind::Even,
            phases: Phases::Random,
            seed: 1,
            feedback: Feedback { nack: false, twcc: false },
            threads: 1,
            check: true,
            levels: true,
        },
        window: WindowPlan { seconds: 1, quiet: false },
        pid: Some(std::process::id()),
        outputs: Outputs::default(),
    }
}

/// A short window, on a machine that may be busy.
fn about(measured: f64, wanted: f64) {
    assert!((measured / wanted - 1.0).abs() < 0.25, "{measured} instead of {wanted}");
}

#[tokio::test]
async fn a_fan_out_delivers_what_its_shape_says() {
    let report = measure(&plan(Scenario::Fanout { subscribers: 4 })).await.unwrap();
    let [window] = &report.windows[..] else { panic!("{report:?}") };
    assert_eq!((window.subscribers, window.failed_joins, window.forged), (4, 0, 0));
    about(window.sent as f64 / window.seconds, 125.0);
    assert!(window.delivered.abs_diff(4 * window.sent) <= 40, "{window:?}");
    assert!(window.latency_ms.is_some() && window.server.is_some());
    assert!(window.join_ms.first_packet.is_some());
}

#[tokio::test]
async fn everybody_receives_everybody_else_in_a_meeting() {
    let report = measure(&plan(Scenario::Meeting { participants: 3 })).await.unwrap();
    let window = &report.windows[0];
    assert_eq!((window.failed_joins, window.forged), (0, 0), "{window:?}");
    about(window.packets_per_second, 3.0 * 2.0 * 175.0);
}

#[tokio::test]
async fn only_speakers_send_in_an_audio_room() {
    let scenario = Scenario::Audio { participants: 4, speakers: 2 };
    let report = measure(&plan(scenario)).await.unwrap();
    let window = &report.windows[0];
    about(window.sent as f64 / window.seconds, 2.0 * 50.0); // two of four speak
}

#[tokio::test]
async fn a_ramp_goes_on_while_nothing_is_lost_and_names_the_largest_step() {
    let report = measure(&plan(Scenario::Ramp { steps: vec![1, 3] })).await.unwrap();
    let steps: Vec<_> = report.windows.iter().map(|window| window.subscribers).collect();
    assert_eq!(steps[0], 1);
    assert_eq!(report.findings.largest_below_1_percent.is_some(), steps.len() == 2);
}

#[tokio::test]
async fn a_storm_of_joins_reports_its_rate_and_the_latency_of_the_others() {
    let scenario = Scenario::Joins { subscribers: 2, joins: 10, rate: 50.0 };
    let report = measure(&plan(scenario)).await.unwrap();
    let [_, storm] = &report.windows[..] else { panic!("{report:?}") };
    assert_eq!((storm.subscribers, storm.failed_joins), (12, 0));
    assert!(storm.latency_ms.is_some());
    assert!(report.findings.joins_per_second.unwrap() > 1.0);
}

#[tokio::test]
async fn a_soak_goes_on_while_people_come_and_go_and_tells_the_slope_of_memory() {
    let (length, turn) = (Duration::from_secs(4), Duration::from_millis(100));
    let report = measure(&plan(Scenario::Soak { subscribers: 2, length, turn })).await.unwrap();
    let delivered = report.windows.iter().all(|window| window.delivered > 0);
    assert!(delivered && report.windows.len() >= 2, "{report:?}");
    assert!(report.findings.turns.unwrap() >= 2, "{report:?}");
    // A busy machine has but one window behind the warm-up, and a point has no slope.
    let slope = report.findings.rss_slope_kib_per_minute;
    assert!(slope.is_some() || report.windows.len() < 4, "{report:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_ends_the_run_in_words() {
    let mut plan = plan(Scenario::Fanout { subscribers: 1 });
    plan.door.url = "http://127.0.0.1:1".into();
    let error = measure(&plan).await.unwrap_err();
    assert!(format!("{error:#}").contains("no connection to http://127.0.0.1:1"), "{error:#}");
    plan.pid = Some(4_194_305);
    let error = measure(&plan).await.unwrap_err();
    assert_eq!(error.to_string(), "no process 4194305 can be read");
}
