//! What is due is looked at when it is due, and nothing else is.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{Camera, call, clock, opus};
use conf_media::test_util::{Lab, camera, microphone, subscription};

#[test]
fn peers_that_have_no_path_yet_wake_nobody() {
    let mut lab = Lab::new(clock());
    for _ in 0..10_000 {
        lab.announce();
    }
    assert_eq!(lab.shard.timeout(), None);
    lab.pass(Duration::from_secs(1), false);
    assert_eq!(lab.shard.counters().timers_run, 0);
}

#[test]
fn ten_thousand_idle_peers_are_looked_at_once_in_fifteen_seconds() {
    const PEERS: u64 = 10_000;
    let mut lab = Lab::new(clock());
    let all: Vec<usize> = (0..PEERS).map(|_| lab.announce()).collect();
    for &peer in &all {
        lab.ignore(peer);
        let check = lab.remote(peer).check();
        let from = lab.remote(peer).address;
        let _ = lab.datagram(from, &check);
    }
    let due = lab.shard.timeout().expect("a path ends some time");
    assert_eq!(due, lab.now.mono + conf_media::ice::CONSENT, "nothing before");
    lab.now = lab.now.later(Duration::from_secs(14));
    lab.shard.handle_timeout(lab.now);
    assert_eq!(lab.shard.counters().timers_run, 0);
    lab.now = lab.now.later(Duration::from_secs(1));
    lab.shard.handle_timeout(lab.now);
    assert_eq!(lab.shard.counters().timers_run, PEERS);
    assert_eq!(lab.shard.timeout(), None, "they are gone");
}

#[test]
fn a_publisher_that_is_silent_lets_the_shard_sleep() {
    let (mut lab, ada, _, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    lab.pass(Duration::from_secs(6), true);
    let before = lab.shard.counters().timers_run;
    lab.pass(Duration::from_secs(10), true);
    let run = lab.shard.counters().timers_run - before;
    assert!(run <= 4, "{run} timers in ten seconds of two peers that only check");
}

#[test]
fn a_lost_packet_is_asked_for_within_some_milliseconds() {
    let (mut lab, ada, _, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    lab.pass(Duration::from_millis(1_200), true);
    camera.lose = vec![camera.sequence];
    camera.picture(&mut lab, ada, false);
    let due = lab.shard.timeout().expect("something is missing");
    assert!(due <= lab.now.mono + Duration::from_millis(10));
    lab.pass(Duration::from_millis(10), true);
    assert_eq!(lab.shard.counters().nacks_sent, 1);
}

#[test]
fn a_keyframe_is_asked_for_at_once() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    let mut camera = Camera::new(6000);
    camera.picture(&mut lab, ada, false);
    lab.pass(Duration::from_secs(2), true);
    lab.subscribe(bob, 1, subscription("3", 900));
    let due = lab.shard.timeout().expect("a request");
    assert!(due <= lab.now.mono + Duration::from_millis(1));
}

#[test]
fn a_busy_shard_looks_at_what_is_due_only() {
    let mut lab = Lab::new(clock());
    let ada = lab.connect();
    lab.publish(ada, 1, microphone("0", 5000));
    let subscribers = 20;
    for _ in 0..subscribers {
        let peer = lab.connect();
        lab.subscribe(peer, 1, subscription("7", 900));
    }
    for n in 0..500u16 {
        lab.send(ada, &opus(5000, n, &[(4, &[30]), (5, &n.to_be_bytes())])).unwrap();
        lab.pass(Duration::from_millis(20), true);
    }
    let run = lab.shard.counters().timers_run;
    // Ten feedbacks and a report a second, a level every 300 ms or so, two reports an edge at first.
    assert!(run <= 10 * (11 + 5) + 4 * subscribers, "{run} timers in ten seconds");
}
