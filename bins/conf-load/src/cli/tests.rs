//! Command lines, good and bad.

use super::*;

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn refused(text: &str) -> String {
    parse(&words(text)).unwrap_err().to_string()
}

#[test]
fn a_full_command_line_becomes_a_plan() {
    let line = "audio --door whip --url http://127.0.0.1:8080 --key k --secret s --participants 20 \
        --speakers 10 --seconds 6 --suite gcm128 --twcc --no-nack --shape browser --phases same \
        --seed 9 --pid 77 --json=- --quiet";
    let Task::Run(plan) = parse(&words(line)).unwrap() else { panic!("a run") };
    assert_eq!(plan.scenario, Scenario::Audio { participants: 20, speakers: 10 });
    assert_eq!(plan.media.feedback, Feedback { nack: false, twcc: true });
    assert_eq!((plan.media.suite, plan.media.shape), (Suite::Gcm128, ShapeKind::Browser));
    assert_eq!((plan.media.phases, plan.media.seed), (Phases::Same, 9));
    assert_eq!(plan.window, WindowPlan { seconds: 6, quiet: true });
    assert_eq!((plan.pid, plan.outputs.json), (Some(77), Some("-".into())));
}

#[test]
fn every_door_is_known_by_its_word_and_the_floor_serves() {
    for kind in [DoorKind::Whip, DoorKind::LiveKit, DoorKind::Janus, DoorKind::Floor] {
        let line = format!("fanout --door {} --url http://127.0.0.1:1", kind.name());
        let Task::Run(plan) = parse(&words(&line)).unwrap() else { panic!("a run") };
        assert_eq!(plan.door.kind, kind);
    }
    let listen = "127.0.0.1:8099".parse().unwrap();
    assert_eq!(parse(&words("floor --listen 127.0.0.1:8099")), Ok(Task::Floor(listen)));
    assert!(refused("floor --listen here").starts_with("--listen here: must be an IP address"));
}

#[test]
fn help_is_given_when_asked_and_for_nothing() {
    for line in ["", "--help", "fanout --help"] {
        assert_eq!(parse(&words(line)), Ok(Task::Help));
    }
}

#[test]
fn what_is_refused_names_the_option_and_the_limit() {
    let url = "--door whip --url http://x";
    for (line, error) in [
        ("party".to_owned(), "\"party\" is no scenario; see conf-load --help"),
        ("fanout --url http://x".to_owned(), "--door is missing"),
        ("fanout --door whip".to_owned(), "--url is missing"),
        (
            format!("fanout {url} --subscribers 0"),
            "--subscribers 0: must be a whole number from 1 to 20000",
        ),
        (format!("ramp {url} --steps 200,100"), "--steps must ascend, with at most 100 of them"),
        (format!("audio {url} --participants 5 --speakers 6"), "--speakers 6 of --participants 5"),
        (format!("fanout {url} --suite aes"), "--suite aes: must be one of cm, gcm128, gcm256"),
        (format!("fanout {url} --key k"), "--secret is missing"),
        (
            "meeting --door livekit --url http://x".to_owned(),
            "--door livekit is for scenarios in which nobody both publishes and receives",
        ),
        (
            format!("fanout {url} --speakers 3"),
            "--speakers is not known here; see conf-load --help",
        ),
        (format!("fanout {url} --seed 1 --seed 2"), "--seed is given twice"),
        (format!("fanout {url} now"), "\"now\" is no option; see conf-load --help"),
    ] {
        assert_eq!(refused(&line), error);
    }
}
