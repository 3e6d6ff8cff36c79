//! Damaged, repeated, foreign and forged packets: each is refused and counted, and nothing else
//! changes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::net::SocketAddr;

use common::{Camera, call, opus};
use conf_media::command::Command;
use conf_media::rtcp::write;
use conf_media::srtp::Sealer;
use conf_media::stats::{Counters, DropReason};
use conf_media::test_util::{Lab, microphone, subscription};

const STRANGER: &str = "192.0.2.1:4000";

/// A call with sound (track 2, source 7000 at the second as 910) that has begun, and the next
/// packet of it, sealed but not sent.
fn begun() -> (Lab, usize, usize, Vec<u8>) {
    let (mut lab, ada, bob, mut camera) = call();
    lab.publish(ada, 2, microphone("2", 7000));
    lab.subscribe(bob, 2, subscription("4", 910));
    camera.step(&mut lab, ada, true);
    lab.send(ada, &opus(7000, 1, &[])).unwrap();
    assert_eq!(lab.received(bob).len(), 3);
    let next = lab.seal(ada, &opus(7000, 2, &[]));
    (lab, ada, bob, next)
}

/// Sends each datagram; afterwards only the counters of drops and of what came in have moved, and
/// all of them together by as much as was sent.
fn all_are_refused(lab: &mut Lab, from: SocketAddr, datagrams: &[Vec<u8>]) {
    for peer in [0, 1] {
        drop((lab.received(peer), lab.compounds(peer)));
    }
    let before = *lab.shard.counters();
    for datagram in datagrams {
        assert!(lab.datagram(from, datagram).is_err(), "{datagram:02x?}");
    }
    let after = *lab.shard.counters();
    let sum = |counters: &Counters| counters.drops.iter().sum::<u64>();
    assert_eq!(sum(&after) - sum(&before), datagrams.len() as u64, "each is counted once");
    let still = |counters: Counters| {
        let came_in = ["datagrams_in", "bytes_in"];
        let totals = counters.totals().filter(|(name, _)| !came_in.contains(name));
        totals.collect::<Vec<_>>()
    };
    assert_eq!(still(after), still(before));
    for peer in [0, 1] {
        assert!(lab.received(peer).is_empty() && lab.compounds(peer).is_empty());
    }
}

/// The packet that `begun` held back arrives, as if nothing had been.
fn goes_on(lab: &mut Lab, ada: usize, bob: usize, next: &[u8]) {
    let from = lab.remote(ada).address;
    lab.datagram(from, next).unwrap();
    let received = lab.received(bob);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].payload(), b"a packet of sound");
}

fn truncated(datagram: &[u8]) -> Vec<Vec<u8>> {
    (0..datagram.len()).map(|len| datagram[..len].to_vec()).collect()
}

/// One bit of each byte. The first byte keeps its upper bits, which tell the protocols apart.
fn flipped(datagram: &[u8]) -> Vec<Vec<u8>> {
    let bit = |at: usize| 1u8 << (at % 4);
    let flip = |at: usize| {
        let mut copy = datagram.to_vec();
        copy[at] ^= bit(at);
        copy
    };
    (0..datagram.len()).map(flip).collect()
}

#[test]
fn truncated_media_changes_nothing() {
    let (mut lab, ada, bob, next) = begun();
    let from = lab.remote(ada).address;
    all_are_refused(&mut lab, from, &truncated(&next));
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn media_with_a_flipped_bit_changes_nothing() {
    let (mut lab, ada, bob, next) = begun();
    let from = lab.remote(ada).address;
    all_are_refused(&mut lab, from, &flipped(&next));
    assert!(lab.shard.counters().dropped(DropReason::Unopened) > 30);
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn repeated_media_changes_nothing() {
    let (mut lab, ada, bob, next) = begun();
    let from = lab.remote(ada).address;
    let old = lab.seal(ada, &opus(7000, 3, &[]));
    lab.datagram(from, &old).unwrap();
    assert_eq!(lab.received(bob).len(), 1);
    all_are_refused(&mut lab, from, &vec![old; 100]);
    assert_eq!(lab.shard.counters().dropped(DropReason::Unopened), 100);
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn media_sealed_with_the_keys_of_another_changes_nothing() {
    let (mut lab, ada, bob, next) = begun();
    let (from_ada, from_bob) = (lab.remote(ada).address, lab.remote(bob).address);
    // What one peer sealed, from the address of the other, and the other way round.
    all_are_refused(&mut lab, from_bob, std::slice::from_ref(&next));
    let foreign: Vec<_> = (0..50).map(|n| lab.seal(bob, &opus(7000, 10 + n, &[]))).collect();
    all_are_refused(&mut lab, from_ada, &foreign);
    assert_eq!(lab.shard.counters().dropped(DropReason::Unopened), 51);
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn media_from_an_address_without_a_check_changes_nothing() {
    let (mut lab, ada, bob, next) = begun();
    let stranger = STRANGER.parse().unwrap();
    all_are_refused(&mut lab, stranger, std::slice::from_ref(&next));
    assert_eq!(lab.shard.counters().dropped(DropReason::UnvalidatedAddress), 1);
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn media_sealed_with_the_keys_of_before_changes_nothing() {
    let (mut lab, ada, bob, old) = begun();
    let mut keys = lab.keys(ada);
    keys.remote.key.iter_mut().for_each(|byte| *byte ^= 0x55);
    let mut sealer = Sealer::new(keys.profile, &keys.remote).unwrap();
    lab.command(Command::SetKeys { peer: lab.id(ada), keys }).unwrap();
    let from = lab.remote(ada).address;
    all_are_refused(&mut lab, from, std::slice::from_ref(&old));

    let packet = opus(7000, 2, &[]);
    let mut bytes = vec![0; 200];
    let at = packet.header.write(packet.extensions, &mut bytes).unwrap();
    let end = at + packet.payload.len();
    bytes[at..end].copy_from_slice(packet.payload);
    let len = sealer.seal_rtp(&mut bytes, end).unwrap();
    goes_on(&mut lab, ada, bob, &bytes[..len]);
}

#[test]
fn damaged_and_repeated_requests_change_nothing() {
    let (mut lab, ada, bob, next) = begun();
    let mut compound = Vec::new();
    write::receiver_report(&mut compound, 1, &[]);
    write::nack(&mut compound, 1, 900, &[1, 2, 3]);
    write::pli(&mut compound, 1, 900);
    let keys = lab.keys(bob);
    let mut sealer = Sealer::new(keys.profile, &keys.remote).unwrap();
    let mut sealed = compound.clone();
    sealed.resize(compound.len() + 64, 0);
    let len = sealer.seal_rtcp(&mut sealed, compound.len()).unwrap();
    sealed.truncate(len);

    let from = lab.remote(bob).address;
    all_are_refused(&mut lab, from, &truncated(&sealed));
    all_are_refused(&mut lab, from, &flipped(&sealed));
    all_are_refused(&mut lab, STRANGER.parse().unwrap(), std::slice::from_ref(&sealed));
    lab.datagram(from, &sealed).unwrap();
    assert_eq!(lab.shard.counters().plis_received, 1);
    all_are_refused(&mut lab, from, &vec![sealed; 100]);
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn damaged_checks_validate_no_address() {
    let (mut lab, ada, bob, next) = begun();
    let check = lab.remote(ada).check();
    let stranger: SocketAddr = STRANGER.parse().unwrap();
    // The integrity covers all but the fingerprint behind it, of which one of another type is
    // passed over (RFC 8489, section 14.5).
    let mut damaged = truncated(&check);
    damaged.extend(flipped(&check).into_iter().take(check.len() - 8));
    for damaged in damaged {
        assert!(lab.datagram(stranger, &damaged).is_err(), "{damaged:02x?}");
    }
    let from_there = lab.datagram(stranger, &next);
    assert!(from_there.is_err(), "the address is still unknown");
    goes_on(&mut lab, ada, bob, &next);
}

#[test]
fn a_peer_that_sends_only_rubbish_leaves_the_others_alone() {
    let (mut lab, ada, bob, next) = begun();
    let mallory = lab.connect();
    let mut other = Camera::new(8000);
    lab.publish(mallory, 3, conf_media::test_util::camera("1", 8000));
    other.step(&mut lab, mallory, true);
    let from = lab.remote(mallory).address;
    for round in 0..2_000u32 {
        let noise: Vec<u8> = (0..round % 300).map(|at| (at ^ (round * 31)) as u8).collect();
        let _ = lab.datagram(from, &noise);
    }
    assert!(lab.shard.counters().drops.iter().sum::<u64>() > 500);
    goes_on(&mut lab, ada, bob, &next);
    assert_eq!(lab.shard.counters().peers, 3);
}
