//! Floods: of checks and handshakes from anywhere, of sources, labels and requests from peers.
//! Each meets a cap, is counted, and costs bounded memory and a bounded number of operations.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use allocation_counter::{AllocationInfo, measure};
use common::{call, clock, opus};
use conf_media::rtcp::write;
use conf_media::rtp::Header;
use conf_media::srtp::{MAX_SOURCES, Sealer};
use conf_media::stats::DropReason;
use conf_media::stun::{Class, IntegrityKey, Role, TransactionId, Writer};
use conf_media::test_util::{Lab, Outgoing, microphone, simulcast, subscription};

const FLOOD: u32 = 20_000;
/// Datagrams of one call of the kernel.
const BATCH: usize = 32;

/// One of four thousand million addresses.
fn address(number: u32) -> SocketAddr {
    let [a, b, c, d] = number.wrapping_mul(0x9e37_79b9).to_be_bytes();
    SocketAddr::from(([a | 1, b, c, d], 1024 + (number % 60_000) as u16))
}

fn check(ufrag: &str, password: &str, number: u32) -> Vec<u8> {
    let mut id = [7; 12];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let mut out = Vec::new();
    Writer::new(&mut out, Class::Request, TransactionId(id))
        .username(&format!("{ufrag}:remote"))
        .priority(1)
        .use_candidate()
        .role(Role::Controlling { tie_breaker: 1 })
        .integrity(&IntegrityKey::new(password))
        .fingerprint();
    out
}

/// The first bytes of a ClientHello's record, and rubbish behind it.
fn hello(len: usize) -> Vec<u8> {
    let mut record = vec![22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0];
    record.extend(u16::try_from(len).unwrap().to_be_bytes());
    record.resize(13 + len, 0x5a);
    record
}

/// Sends the flood, each datagram from an address of its own, in batches as the kernel would; what
/// comes out is thrown away. Returns what was allocated meanwhile.
fn flood(lab: &mut Lab, datagram: impl Fn(u32) -> Vec<u8>) -> AllocationInfo {
    let datagrams: Vec<_> = (0..FLOOD).map(|n| (address(n), [datagram(n)])).collect();
    // The arenas take their sizes first.
    let (warm_up, measured) = datagrams.split_at(1_000);
    let run = |lab: &mut Lab, from: &[(SocketAddr, [Vec<u8>; 1])]| {
        for (from, datagram) in from {
            lab.run_batch(*from, datagram);
        }
    };
    run(lab, warm_up);
    measure(|| run(lab, measured))
}

/// The call goes on: a packet of sound arrives.
fn goes_on(lab: &mut Lab, ada: usize, bob: usize, sequence: u16) {
    lab.received(bob);
    lab.send(ada, &opus(7000, sequence, &[])).unwrap();
    assert_eq!(lab.received(bob).len(), 1);
}

fn sound() -> (Lab, usize, usize) {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 2, microphone("2", 7000));
    lab.subscribe(bob, 2, subscription("4", 910));
    lab.send(ada, &opus(7000, 1, &[])).unwrap();
    (lab, ada, bob)
}

#[test]
fn checks_for_unknown_users_cost_no_memory_and_get_no_answer() {
    let (mut lab, ada, bob) = sound();
    let out = lab.shard.counters().bytes_out;
    let one = check("nobody", "a password of 22 bytes", 1);
    let info = flood(&mut lab, |_| one.clone());
    assert_eq!(info.count_total, 0, "allocations");
    assert_eq!(lab.shard.counters().dropped(DropReason::UnknownUser), u64::from(FLOOD));
    assert_eq!(lab.shard.counters().bytes_out, out, "nothing to amplify");
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn checks_with_a_wrong_password_cost_no_memory_and_are_answered_with_less() {
    let (mut lab, ada, bob) = sound();
    let before = *lab.shard.counters();
    let one = check("u00000", "a password of 22 bytes", 1);
    let info = flood(&mut lab, |_| one.clone());
    assert_eq!(info.count_total, 0, "allocations");
    let after = *lab.shard.counters();
    assert_eq!(after.dropped(DropReason::Unauthenticated), u64::from(FLOOD));
    assert!(after.bytes_out - before.bytes_out <= after.bytes_in - before.bytes_in);
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn checks_that_are_right_from_ever_new_addresses_keep_only_a_few() {
    let (mut lab, ada, bob) = sound();
    let (ufrag, password) = ("u00001", format!("{:022}", 1));
    let right = check(ufrag, &password, 1);
    let info = flood(&mut lab, |_| right.clone());
    assert!(info.bytes_current.abs() < 4_096, "{} bytes are kept", info.bytes_current);
    // Bob's own address was forgotten among them; a check brings it back.
    lab.pass(Duration::from_secs(20), true);
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn handshakes_from_addresses_without_a_check_cost_nothing() {
    let (mut lab, ada, bob) = sound();
    let hello = hello(1_200);
    let info = flood(&mut lab, |_| hello.clone());
    assert_eq!(info.count_total, 0, "allocations");
    assert_eq!(lab.shard.counters().dropped(DropReason::UnvalidatedAddress), u64::from(FLOOD));
    assert!(lab.shard.poll().is_none(), "the control plane hears nothing of it");
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn handshakes_of_a_peer_wait_in_a_queue_that_ends() {
    let (mut lab, ada, bob) = sound();
    let (from, hello) = (lab.remote(ada).address, vec![hello(1_200); BATCH]);
    let info = measure(|| {
        for _ in 0..FLOOD as usize / BATCH {
            lab.run_batch(from, &hello); // and nobody polls
        }
    });
    assert!(info.bytes_max < 8 << 20, "{} bytes", info.bytes_max);
    let mut waiting = 0;
    while lab.shard.poll().is_some() {
        waiting += 1;
    }
    assert!((1_000..=4_100).contains(&waiting), "{waiting} wait");
    let dropped = lab.shard.counters().dropped(DropReason::ControlFull);
    assert_eq!(dropped as usize + waiting, FLOOD as usize / BATCH * BATCH);
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn rubbish_from_anywhere_costs_nothing() {
    let (mut lab, ada, bob) = sound();
    let info = flood(&mut lab, |n| n.to_le_bytes().repeat(1 + n as usize % 300));
    assert_eq!(info.count_total, 0, "allocations");
    assert!(lab.shard.counters().drops.iter().sum::<u64>() >= u64::from(FLOOD));
    goes_on(&mut lab, ada, bob, 2);
}

/// Authentic packets of a peer, sealed with its keys.
fn sealed(
    lab: &Lab,
    peer: usize,
    packets: impl Iterator<Item = (Header, Vec<u8>)>,
) -> Vec<Vec<u8>> {
    let keys = lab.keys(peer);
    packets
        .map(|(header, mid)| {
            // A sealer each: what a peer sends has no cap of ours.
            let mut sealer = Sealer::new(keys.profile, &keys.remote).unwrap();
            let packet = Outgoing { header, extensions: &[(1, &mid)], payload: &[0x90; 40] };
            let mut bytes = vec![0; 300];
            let at = header.write(packet.extensions, &mut bytes).unwrap();
            bytes[at..at + 40].copy_from_slice(packet.payload);
            let len = sealer.seal_rtp(&mut bytes, at + 40).unwrap();
            bytes.truncate(len);
            bytes
        })
        .collect()
}

fn video(ssrc: u32) -> Header {
    Header { marker: true, payload_type: 96, sequence: 1, timestamp: 1, ssrc }
}

#[test]
fn authentic_packets_of_ever_new_sources_meet_a_cap() {
    let (mut lab, ada, bob) = sound();
    let flood = sealed(&lab, ada, (0..5_000).map(|n| (video(100_000 + n), b"none".to_vec())));
    let from = lab.remote(ada).address;
    let info = measure(|| {
        for batch in flood.chunks(BATCH) {
            lab.run_batch(from, batch);
        }
    });
    assert!(info.bytes_current < 1 << 20, "{} bytes are kept", info.bytes_current);
    let counters = lab.shard.counters();
    let (unknown, refused) =
        (counters.dropped(DropReason::UnknownSource), counters.dropped(DropReason::TooManySources));
    assert_eq!(unknown + refused, 5_000);
    assert!((1..=MAX_SOURCES as u64).contains(&unknown), "{unknown} were opened before the cap");
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn packets_that_claim_sections_and_layers_nobody_published_bind_nothing() {
    let (mut lab, ada, bob) = sound();
    lab.publish(ada, 5, simulcast("5"));
    let packets = (0..1_000u32).map(|n| (video(200_000 + n), format!("m{n}").into_bytes()));
    let flood = sealed(&lab, ada, packets);
    let from = lab.remote(ada).address;
    let before = lab.shard.counters().packets_in;
    for batch in flood.chunks(BATCH) {
        lab.run_batch(from, batch);
    }
    assert_eq!(lab.shard.counters().packets_in, before);
    assert_eq!(lab.shard.counters().dropped(DropReason::UnknownSource), 1_000);
    for n in 0..500u16 {
        let rid = format!("r{n}").into_bytes();
        let header = Header { sequence: n, ..video(300_000 + u32::from(n)) };
        let extensions: &[(u8, &[u8])] = &[(1, b"5"), (2, &rid)];
        assert!(lab.send(ada, &Outgoing { header, extensions, payload: &[0x90; 40] }).is_err());
    }
    assert_eq!(lab.shard.counters().packets_in, before);
    goes_on(&mut lab, ada, bob, 2);
}

#[test]
fn requests_for_everything_over_and_over_are_answered_a_few_times_only() {
    let (mut lab, ada, bob, mut camera) = call();
    for picture in 0..50 {
        camera.step(&mut lab, ada, picture == 0);
    }
    let sent = lab.received(bob);
    let numbers: Vec<u16> = sent.iter().map(|packet| packet.view.sequence).collect();
    let everything: Vec<u16> = (0..=u16::MAX).step_by(16).collect();
    let mut ask = Vec::new();
    write::nack(&mut ask, 1, 900, &numbers);
    let mut all = Vec::new();
    write::nack(&mut all, 1, 900, &everything);
    all.truncate(1_400);
    let words = (all.len() / 4 - 1) as u16;
    all[2..4].copy_from_slice(&words.to_be_bytes());
    for _ in 0..200 {
        lab.send_rtcp(bob, &ask).unwrap();
        lab.send_rtcp(bob, &all).unwrap();
        lab.pass(Duration::from_millis(10), true);
    }
    let counters = *lab.shard.counters();
    assert!(counters.nacks_received > 60_000, "{} were asked for", counters.nacks_received);
    assert!(counters.resent <= 5 * numbers.len() as u64, "{} were sent again", counters.resent);
    camera.step(&mut lab, ada, false);
    assert!(lab.received(bob).iter().any(|packet| packet.view.ssrc == 900), "and it goes on");
}

#[test]
fn a_flood_of_keyframe_requests_costs_the_publisher_few() {
    let (mut lab, ada, bob, mut camera) = call();
    camera.step(&mut lab, ada, true);
    let before = lab.shard.counters().plis_sent;
    let mut ask = Vec::new();
    (0..100).for_each(|_| write::pli(&mut ask, 1, 900));
    for _ in 0..100 {
        lab.send_rtcp(bob, &ask).unwrap();
        lab.pass(Duration::from_millis(10), true);
    }
    let counters = lab.shard.counters();
    assert_eq!(counters.plis_received, 10_000);
    let sent = counters.plis_sent - before;
    assert!((1..=10).contains(&sent), "{sent} in a second");
}
