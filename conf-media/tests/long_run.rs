//! What happens to a publisher in the course of a long meeting: probes, mutes, other sources.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{Camera, asks_for_keyframe, call};
use conf_media::command::{Command, TrackId};
use conf_media::rtcp::{self, Packet, ReportBlock};
use conf_media::rtp::Header;
use conf_media::stats::DropReason;
use conf_media::test_util::{Lab, Outgoing, subscription, vp8};

fn mute(lab: &mut Lab, muted: bool) {
    lab.command(Command::Mute { track: TrackId(1), muted }).unwrap();
}

#[test]
fn a_probe_with_what_has_arrived_is_a_duplicate_and_not_late() {
    let (mut lab, ada, bob, mut camera) = call();
    let (sequence, picture) = (camera.sequence, camera.picture);
    camera.picture(&mut lab, ada, true);
    lab.received(bob);
    let mut payload = sequence.to_be_bytes().to_vec();
    payload.extend(vp8(picture, true, true, 200));
    let header = Header { marker: false, payload_type: 97, sequence: 1, timestamp: 0, ssrc: 6001 };
    let probe = lab.send(ada, &Outgoing { header, extensions: &[], payload: &payload });
    assert!(probe.is_err() && lab.received(bob).is_empty());
    let counters = lab.shard.counters();
    assert_eq!(counters.dropped(DropReason::Duplicate), 1);
    assert_eq!((counters.dropped(DropReason::Late), counters.repaired), (0, 0));
}

#[test]
fn what_was_sent_before_a_mute_is_not_sent_after_it() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.step(&mut lab, ada, true);
    camera.step(&mut lab, ada, false);
    lab.received(bob);
    lab.compounds(ada);
    mute(&mut lab, true);
    camera.refused = true;
    (0..5).for_each(|_| camera.step(&mut lab, ada, false));
    mute(&mut lab, false);
    assert!(lab.received(bob).is_empty(), "pictures from before the mute");
    lab.pass(Duration::from_millis(500), true);
    assert!(asks_for_keyframe(&lab.compounds(ada), 6000));
    camera.refused = false;
    camera.step(&mut lab, ada, true);
    assert_eq!(lab.received(bob).len(), 2);
}

#[test]
fn the_losses_of_a_new_source_are_counted_from_its_own_first_packet() {
    let (mut lab, ada, _, mut camera) = call();
    (0..30).for_each(|n| camera.step(&mut lab, ada, n == 0));
    let mut other = Camera { ssrc: 7000, sequence: camera.sequence.wrapping_add(2000), ..camera };
    (0..60).for_each(|n| other.step(&mut lab, ada, n == 0));
    let blocks = reports(&lab.compounds(ada), 7000);
    assert!(!blocks.is_empty());
    for block in blocks {
        assert_eq!((block.fraction_lost, block.cumulative_lost), (0, 0), "{block:?}");
    }
}

#[test]
fn a_check_from_another_peer_s_address_does_not_take_it_over() {
    let (mut lab, ada, bob, mut camera) = call();
    let address = lab.remote(ada).address;
    let forged = lab.remote(bob).check();
    assert!(lab.datagram(address, &forged).is_err());
    assert_eq!(lab.shard.counters().dropped(DropReason::AddressTaken), 1);
    camera.step(&mut lab, ada, true);
    assert_eq!(lab.received(bob).len(), 2, "both are where they were");
    // Nobody checks from there any more: a translator may have given the address away.
    lab.pass(conf_media::ice::HOLD, false);
    assert!(lab.datagram(address, &forged).is_ok());
}

#[test]
fn time_goes_on_when_a_subscriber_comes_back_to_its_section() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.step(&mut lab, ada, true);
    // Another source with another clock: its timestamps are rewritten from now on.
    let mut other = Camera { ssrc: 7000, timestamp: 3_000_000_000, ..camera };
    other.step(&mut lab, ada, true);
    let before = lab.received(bob).last().unwrap().view;
    let (track, peer) = (TrackId(1), lab.id(bob));
    lab.command(Command::Unsubscribe { track, peer }).unwrap();
    (0..24).for_each(|_| other.step(&mut lab, ada, false));
    lab.subscribe(bob, 1, subscription("3", 900));
    other.step(&mut lab, ada, true);
    let after = lab.received(bob)[0].view;
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
    let ticks = after.timestamp.wrapping_sub(before.timestamp);
    assert!((89_000..=91_000).contains(&ticks), "{ticks} ticks for a second");
}

/// What a publisher was told about a source.
fn reports(compounds: &[Vec<u8>], of: u32) -> Vec<ReportBlock> {
    let packets = compounds.iter().flat_map(|compound| rtcp::walk(compound).flatten());
    let blocks = packets.flat_map(|packet| match packet {
        Packet::ReceiverReport { blocks, .. } => blocks.collect::<Vec<_>>(),
        _ => Vec::new(),
    });
    blocks.filter(|block| block.ssrc == of).collect()
}
