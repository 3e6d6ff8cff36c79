//! Everything that a remote can make grow, or can ask for, has an end and a counter.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{Camera, asks_for_keyframe, call, clock, opus};
use conf_media::ice::MAX_PATHS;
use conf_media::rtcp::write;
use conf_media::rtp::Header;
use conf_media::shard::Input;
use conf_media::srtp::MAX_SOURCES;
use conf_media::stats::DropReason;
use conf_media::test_util::{Lab, Outgoing, camera, simulcast, subscription, vp8};

fn pli(lab: &mut Lab, peer: usize, media: u32) {
    let mut out = Vec::new();
    write::pli(&mut out, 1, media);
    lab.send_rtcp(peer, &out).unwrap();
}

#[test]
fn a_flood_of_sources_ends_at_the_cap_of_a_peer() {
    let (mut lab, ada, _, _) = call();
    for ssrc in 0..2_000 {
        let _ = lab.send(ada, &opus(100_000 + ssrc, 1, &[]));
    }
    let counters = lab.shard.counters();
    assert_eq!(counters.dropped(DropReason::UnknownSource), MAX_SOURCES as u64);
    assert_eq!(counters.dropped(DropReason::TooManySources), 2_000 - MAX_SOURCES as u64);
}

#[test]
fn a_flood_of_sources_that_name_a_track_takes_it_over_twice_a_second_at_most() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, simulcast("1"));
    lab.subscribe(bob, 1, subscription("3", 900));
    let mut accepted = 0;
    for n in 0..500u32 {
        let payload = vp8(1, true, true, 50);
        let header =
            Header { marker: true, payload_type: 96, sequence: 1, timestamp: 1, ssrc: 7_000 + n };
        let extensions: &[(u8, &[u8])] = &[(1, b"1"), (2, b"q")];
        let packet = Outgoing { header, extensions, payload: &payload };
        accepted += u32::from(lab.send(ada, &packet).is_ok());
        lab.pass(Duration::from_millis(10), true);
    }
    assert!((2..=11).contains(&accepted), "{accepted} sources in five seconds");
    let refused = lab.shard.counters().dropped(DropReason::UnknownSource);
    assert_eq!(refused, u64::from(500 - accepted));
}

#[test]
fn a_flood_of_lost_packets_is_looked_at_at_two_thousand_a_second() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    let last = lab.received(bob)[1].view.sequence;
    lab.ignore(bob);
    let many: Vec<u16> = (0..500).map(|n| last.wrapping_sub(n)).collect();
    let mut out = Vec::new();
    write::nack(&mut out, 1, 900, &many);
    let asked = 100 * 500;
    for _ in 0..100 {
        lab.send_rtcp(bob, &out).unwrap();
        lab.pass(Duration::from_millis(10), true);
    }
    let counters = lab.shard.counters();
    assert_eq!(counters.nacks_received, asked);
    let looked_at = asked - counters.nacks_refused;
    assert!((2_000..=3_100).contains(&looked_at), "{looked_at} in a second");
}

#[test]
fn a_subscriber_that_always_asks_for_keyframes_gets_one_in_three_seconds() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.step(&mut lab, ada, true);
    lab.compounds(ada);
    let mut keyframes = 0;
    for _ in 0..750 {
        pli(&mut lab, bob, 900);
        lab.pass(Duration::from_millis(1), true);
        let asked = asks_for_keyframe(&lab.compounds(ada), 6000);
        keyframes += u32::from(asked);
        camera.step(&mut lab, ada, asked);
    }
    assert!((10..=14).contains(&keyframes), "{keyframes} keyframes in 30 s");
    let counters = lab.shard.counters();
    assert_eq!(counters.plis_received, 750);
    assert!(counters.plis_refused > 700);
}

#[test]
fn many_subscribers_together_force_one_keyframe_a_second() {
    let (mut lab, ada, bob, mut camera) = call();
    let mut all = vec![bob];
    for _ in 0..60 {
        let peer = lab.connect();
        lab.subscribe(peer, 1, subscription("3", 900));
        all.push(peer);
    }
    camera.step(&mut lab, ada, true);
    let mut keyframes = 0;
    for n in 0..250 {
        for &peer in all.iter().skip(n % 10).step_by(10) {
            pli(&mut lab, peer, 900);
        }
        lab.pass(Duration::from_millis(1), true);
        let asked = asks_for_keyframe(&lab.compounds(ada), 6000);
        keyframes += u32::from(asked);
        camera.step(&mut lab, ada, asked);
    }
    assert!((6..=11).contains(&keyframes), "{keyframes} keyframes in ten seconds");
}

#[test]
fn a_flood_of_addresses_leaves_a_peer_with_eight() {
    let (mut lab, ada, _, _) = call();
    let check = lab.remote(ada).check();
    for port in 10_000..11_000 {
        let _ = lab.datagram(([10, 9, 9, 9], port).into(), &check);
        assert!(lab.shard.counters().paths <= MAX_PATHS as u64 + 1);
    }
    lab.pass(Duration::from_secs(16), false);
    assert_eq!(lab.shard.counters().paths, 0);
}

#[test]
fn a_flood_for_the_control_plane_is_cut_off_while_nobody_takes_it() {
    let (mut lab, ada, _, _) = call();
    let (now, from) = (lab.now, lab.remote(ada).address);
    for _ in 0..6_000 {
        let mut record = [22u8, 254, 253, 0, 0, 0, 0];
        let input = Input::Datagram { from, bytes: &mut record, arrival: now.mono };
        let _ = lab.shard.handle(now, input);
    }
    let waiting = std::iter::from_fn(|| lab.shard.poll()).count();
    assert_eq!(waiting, 4_096);
    assert_eq!(lab.shard.counters().dropped(DropReason::ControlFull), 6_000 - 4_096);
}

#[test]
fn a_storm_of_joins_begins_at_once_from_one_keyframe() {
    let mut lab = Lab::new(clock());
    let ada = lab.connect();
    lab.publish(ada, 1, camera("1", 6000));
    let mut camera = Camera::new(6000);
    (0..10).for_each(|n| camera.step(&mut lab, ada, n == 0));
    lab.compounds(ada);
    let mut all = Vec::new();
    for n in 0..300 {
        let peer = lab.connect();
        lab.subscribe(peer, 1, subscription("3", 900));
        assert!(!lab.received(peer).is_empty(), "its picture comes with the subscription");
        all.push(peer);
        if n % 15 == 0 {
            camera.step(&mut lab, ada, false);
        }
    }
    assert_eq!(lab.shard.counters().started_from_ring, 300);
    assert!(!asks_for_keyframe(&lab.compounds(ada), 6000), "nobody else is asked");
}

#[test]
fn a_picture_begins_although_a_later_packet_is_still_missing_and_is_completed() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    let mut camera = Camera::new(6000);
    let missing = camera.sequence.wrapping_add(21);
    camera.lose = vec![missing];
    (0..20).for_each(|n| camera.picture(&mut lab, ada, n == 0));
    lab.subscribe(bob, 1, subscription("3", 900));
    let begun = lab.received(bob);
    assert_eq!(begun.len(), 39);
    // The publisher sends it again over its stream of retransmissions (RFC 4588).
    let mut payload = missing.to_be_bytes().to_vec();
    payload.extend(vp8(32_765 + 10, false, false, 200));
    let timestamp = camera.timestamp.wrapping_sub(10 * 3600);
    let header = Header { marker: true, payload_type: 97, sequence: 1, timestamp, ssrc: 6001 };
    lab.send(ada, &Outgoing { header, extensions: &[], payload: &payload }).unwrap();
    let late = lab.received(bob);
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].view.sequence, begun[20].view.sequence.wrapping_add(1));
}
