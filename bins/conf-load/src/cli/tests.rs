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

#[test]
fn a_relay_has_two_directions_steps_for_both_or_one_and_moments_of_rebinding() {
    let line = "relay --listen 127.0.0.1:7000 --to 127.0.0.1:7882 --up rate=2M,delay=20ms \
        --down loss=1% --step 10s:rate=500k --step 15s:up:loss=2% --step 20s:down:path,delay=1ms \
        --rebind 12s,18s --seconds 30 --seed 4 --json out.json";
    let Task::Relay(plan) = parse(&words(line)).unwrap() else { panic!("a relay") };
    assert_eq!((plan.up.steps.len(), plan.down.steps.len()), (2, 2));
    assert_eq!(plan.up.steps[1].conditions.rate, Some(500_000));
    assert_eq!((plan.down.first.loss, plan.down.steps[1].other_path), (0.01, true));
    assert_eq!(plan.rebinds, [Duration::from_secs(12), Duration::from_secs(18)]);
    assert_eq!((plan.seed, plan.length), (4, Some(Duration::from_secs(30))));
}

#[test]
fn a_relay_refuses_wrong_values_by_name() {
    let ends = "relay --listen 127.0.0.1:1 --to 127.0.0.1:2";
    assert_eq!(refused("relay --listen 127.0.0.1:1"), "--to is missing");
    for (option, error) in [
        ("--up loss=2", "loss=2: must be a share from 0 to 1, as 1% or 0.01"),
        ("--down rate=fast", "rate=fast: must be none, or bits per second from 1k to 10G"),
        ("--up path", "\"path\" is no condition"),
        ("--step 10s", "step \"10s\": must be a time of at most 24 h and a change"),
        ("--step 9s:loss=0 --step 8s:loss=0", "step \"8s:loss=0\" comes before"),
        ("--rebind soon", "--rebind soon: must be a time of at most a day, as 500ms or 20s"),
        ("--rebind 2s,1s", "--rebind must name ascending times, with at most 1000 of them"),
        ("--seconds 0", "--seconds 0: must be a whole number from 1 to 604800"),
        ("--twcc", "--twcc is not known here; see conf-load --help"),
    ] {
        let found = refused(&format!("{ends} {option}"));
        assert!(found.starts_with(error), "{option}: {found}");
    }
}
