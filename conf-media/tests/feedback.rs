//! Losses, reports and requests in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{call, clock, opus};
use conf_media::command::{Command, Event, TrackId};
use conf_media::rtcp::{self, Packet, write};
use conf_media::rtp::Header;
use conf_media::test_util::{Lab, Outgoing, microphone, subscription};

fn nack(lab: &mut Lab, peer: usize, lost: &[u16]) {
    let mut out = Vec::new();
    write::nack(&mut out, 1, 900, lost);
    lab.send_rtcp(peer, &out).unwrap();
}

#[test]
fn a_lost_packet_comes_again_over_the_stream_of_retransmissions() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    camera.picture(&mut lab, ada, false);
    let received = lab.received(bob);
    let lost = &received[1];
    nack(&mut lab, bob, &[lost.view.sequence]);
    let again = lab.received(bob);
    assert_eq!(again.len(), 1);
    let again = &again[0];
    assert_eq!((again.view.ssrc, again.view.payload_type), (901, 121));
    assert_eq!(again.view.timestamp, lost.view.timestamp);
    assert_eq!(again.view.marker, lost.view.marker);
    let (original, payload) = again.payload().split_at(2);
    assert_eq!(original, lost.view.sequence.to_be_bytes());
    assert_eq!(payload, lost.payload(), "the same bytes, picture id and all");
}

#[test]
fn of_a_source_that_has_fallen_silent_nothing_is_kept() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    let lost = lab.received(bob)[0].view.sequence;
    lab.pass(Duration::from_secs(3), true);
    nack(&mut lab, bob, &[lost]);
    assert_eq!(lab.received(bob).len(), 1);
    lab.pass(Duration::from_millis(1_500), true);
    nack(&mut lab, bob, &[lost]);
    assert_eq!(lab.received(bob).len(), 0);
    camera.picture(&mut lab, ada, false);
    assert!(!lab.received(bob).is_empty(), "the next picture goes on");
}

#[test]
fn without_a_stream_of_retransmissions_the_packet_comes_again_as_it_was() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("3", 900));
    lab.send(ada, &opus(5000, 1, &[(4, &[9])])).unwrap();
    let received = lab.received(bob);
    let peer = lab.remote(bob).address;
    // The far end's window refuses it as a replay, so it is compared unopened.
    let mut out = Vec::new();
    write::nack(&mut out, 1, 900, &[received[0].view.sequence]);
    let before = lab.shard.counters().resent;
    lab.ignore(bob);
    lab.send_rtcp(bob, &out).unwrap();
    assert_eq!(lab.shard.counters().resent, before + 1);
    assert_eq!(lab.remote(bob).address, peer);
}

#[test]
fn what_was_never_sent_is_not_sent_again() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    let last = lab.received(bob)[1].view.sequence;
    nack(&mut lab, bob, &[last.wrapping_add(1), last.wrapping_add(512), last.wrapping_sub(9)]);
    assert!(lab.received(bob).is_empty());
    assert_eq!(lab.shard.counters().nacks_received, 3);
    assert_eq!(lab.shard.counters().resent, 0);
}

#[test]
fn a_flood_of_requests_is_damped() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    let lost = lab.received(bob)[1].view.sequence;
    for _ in 0..1000 {
        nack(&mut lab, bob, &[lost]);
        lab.pass(Duration::from_millis(10), true);
    }
    let again = lab.received(bob).len();
    assert!((2..=5).contains(&again), "sent {again} times");
}

#[test]
fn a_publisher_is_asked_for_what_is_missing_and_its_repair_is_forwarded() {
    let (mut lab, ada, bob, mut camera) = call();
    let missing = camera.sequence.wrapping_add(3);
    camera.lose = vec![missing];
    let timestamp = camera.timestamp.wrapping_add(3600);
    camera.picture(&mut lab, ada, true);
    camera.picture(&mut lab, ada, false);
    camera.picture(&mut lab, ada, false);
    assert_eq!(lab.received(bob).len(), 5);
    lab.pass(Duration::from_millis(20), false);
    let asked = lab.compounds(ada).iter().any(|compound| {
        rtcp::walk(compound).flatten().any(|packet| match packet {
            Packet::Nack { media: 6000, mut lost, .. } => lost.any(|lost| lost == missing),
            _ => false,
        })
    });
    assert!(asked);
    let mut payload = missing.to_be_bytes().to_vec();
    payload.extend(conf_media::test_util::vp8(
        camera.picture.wrapping_sub(2) & 0x7fff,
        false,
        false,
        200,
    ));
    let header = Header { marker: true, payload_type: 97, sequence: 1, timestamp, ssrc: 6001 };
    lab.send(ada, &Outgoing { header, extensions: &[], payload: &payload }).unwrap();
    let repaired = lab.received(bob);
    assert_eq!(repaired.len(), 1);
    assert_eq!(repaired[0].view.payload_type, 120);
    assert_eq!(repaired[0].payload().len(), 200);
    assert_eq!(lab.shard.counters().repaired, 1);
}

#[test]
fn two_hundred_keyframe_requests_reach_the_publisher_as_few() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.picture(&mut lab, ada, true);
    lab.pass(Duration::from_millis(600), true);
    lab.compounds(ada);
    let before = lab.shard.counters().plis_sent;
    for n in 0..200 {
        let mut out = Vec::new();
        write::pli(&mut out, 1, 900);
        lab.send_rtcp(bob, &out).unwrap();
        if n % 10 == 0 {
            lab.pass(Duration::from_millis(20), true);
        }
    }
    assert_eq!(lab.shard.counters().plis_received, 200);
    assert_eq!(lab.shard.counters().plis_sent - before, 1);
    assert!(common::asks_for_keyframe(&lab.compounds(ada), 6000));
}

#[test]
fn sound_and_picture_of_a_publisher_are_reported_on_its_own_clock() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    lab.send(ada, &opus(5000, 50, &[])).unwrap();
    let ntp = 3_900_000_000u64 << 32;
    let mut report = Vec::new();
    // Packet 50 was captured half a second before the report.
    write::sender_report(&mut report, &common::sender_info(5000, ntp, 50 * 960 + 24_000), &[]);
    lab.send_rtcp(ada, &report).unwrap();
    let sent = lab.received(bob)[0].view.timestamp;
    lab.pass(Duration::from_millis(100), true);
    let compounds = lab.compounds(bob);
    let (at, rtp, packets) = compounds
        .iter()
        .find_map(|compound| match rtcp::walk(compound).next()?.ok()? {
            Packet::SenderReport { ssrc: 900, ntp, rtp, packets, .. } => Some((ntp, rtp, packets)),
            _ => None,
        })
        .expect("a sender report within 100 ms");
    assert_eq!(packets, 1);
    let elapsed = ((u128::from(at - ntp) * 48_000) >> 32) as u32;
    assert!(elapsed.abs_diff(rtp.wrapping_sub(sent).wrapping_sub(24_000)) <= 1);
    let named = compounds.iter().any(|compound| {
        rtcp::walk(compound).flatten().any(|packet| match packet {
            Packet::SourceDescription(mut chunks) => {
                chunks.any(|chunk| chunk.cname == Some(b"conference"))
            }
            _ => false,
        })
    });
    assert!(named);
}

#[test]
fn a_publisher_gets_receiver_reports_and_transport_feedback() {
    let (mut lab, ada, _, _) = call();
    for n in 0..20u16 {
        let number = n.to_be_bytes();
        let payload = conf_media::test_util::vp8(n, n == 0, true, 100);
        let header = Header {
            marker: true,
            payload_type: 96,
            sequence: 100 + n,
            timestamp: u32::from(n) * 3600,
            ssrc: 6000,
        };
        let extensions: &[(u8, &[u8])] = &[(5, &number)];
        lab.send(ada, &Outgoing { header, extensions, payload: &payload }).unwrap();
        lab.pass(Duration::from_millis(100), true);
    }
    let (mut reports, mut arrived) = (0, 0);
    for compound in lab.compounds(ada) {
        for packet in rtcp::walk(&compound).flatten() {
            match packet {
                Packet::ReceiverReport { blocks, .. } => reports += blocks.count(),
                Packet::TransportFeedback(feedback) => {
                    arrived += feedback.statuses().filter(|s| s.arrival.is_some()).count();
                }
                _ => {}
            }
        }
    }
    assert!(reports >= 2, "{reports} receiver reports in two seconds");
    assert!(arrived >= 18, "{arrived} of 20 arrivals reported");
}

#[test]
fn nothing_is_sent_to_a_peer_that_is_silent_for_fifteen_seconds() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, microphone("0", 5000));
    lab.subscribe(bob, 1, subscription("7", 900));
    for _ in 0..8 {
        lab.pass(Duration::from_secs(2), false);
        lab.check(ada);
    }
    assert!(lab.events.contains(&Event::Disconnected { peer: lab.id(bob) }));
    lab.send(ada, &opus(5000, 1, &[])).unwrap();
    assert!(lab.received(bob).is_empty());
    lab.check(bob);
    assert!(lab.events.contains(&Event::Reconnected { peer: lab.id(bob) }));
    lab.send(ada, &opus(5000, 2, &[])).unwrap();
    assert_eq!(lab.received(bob).len(), 1);
}

#[test]
fn a_speaker_is_reported_and_a_muted_one_is_not() {
    let mut lab = Lab::new(clock());
    let ada = lab.connect();
    lab.publish(ada, 1, microphone("0", 5000));
    let mut n = 0;
    let mut speak = |lab: &mut Lab| {
        for _ in 0..50 {
            n += 1;
            let _ = lab.send(ada, &opus(5000, n, &[(4, &[20])]));
            lab.pass(Duration::from_millis(20), true);
        }
    };
    speak(&mut lab);
    assert!(lab.events.contains(&Event::TrackLive { track: TrackId(1) }));
    let speaking = |event: &Event| matches!(event, Event::Level { speaking: true, .. });
    assert!(lab.events.iter().any(speaking));
    lab.command(Command::Mute { track: TrackId(1), muted: true }).unwrap();
    lab.pass(Duration::from_secs(1), true);
    lab.events.clear();
    speak(&mut lab);
    assert!(!lab.events.iter().any(speaking));
}
