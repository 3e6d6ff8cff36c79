//! In steady state nothing is allocated for a packet, however many subscribers it has, and nothing
//! for the reports around it: with media that waits for its picture, padding, transport-wide numbers
//! and the feedback on them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{clock, opus};
use conf_media::egress::TxBatch;
use conf_media::rtcp::write::{self, TransportInfo};
use conf_media::rtp::Header;
use conf_media::shard::{Input, Output, Shard, ShardConfig};
use conf_media::test_util::{Fleet, Lab, Outgoing, camera, microphone, subscription, vp8};

const SUBSCRIBERS: usize = 5;
/// Datagrams of one call of the kernel.
const BATCH: usize = 32;
/// Packets of a picture, as a browser cuts it.
const PICTURE: [usize; 4] = [1_030, 1_031, 1_031, 1_031];
const WARM_UP: usize = 60;
const MEASURED: usize = 100;

#[test]
fn a_packet_of_sound_is_forwarded_without_an_allocation() {
    let mut lab = lab();
    let ada = lab.connect();
    lab.publish(ada, 1, microphone("0", 5000));
    subscribe_all(&mut lab);
    let level: &[(u8, &[u8])] = &[(4, &[30]), (5, &[0, 1])];
    let packets: Vec<Vec<u8>> = (0..BATCH * (WARM_UP + MEASURED))
        .map(|n| lab.seal(ada, &opus(5000, n as u16, level)))
        .collect();
    assert_no_allocation(&mut lab, ada, 5000, &packets);
}

#[test]
fn a_packet_of_video_is_forwarded_without_an_allocation() {
    let mut lab = lab();
    let ada = lab.connect();
    lab.publish(ada, 1, camera("0", 6000));
    subscribe_all(&mut lab);
    let packets: Vec<Vec<u8>> = (0..BATCH * (WARM_UP + MEASURED))
        .map(|n| {
            let sequence = n as u16;
            let (picture, part) = (n / PICTURE.len(), n % PICTURE.len());
            let (keyframe, first) = (picture % 150 == 0, part == 0);
            let payload = vp8(picture as u16 & 0x7fff, keyframe, first, PICTURE[part]);
            let (marker, timestamp) = (part + 1 == PICTURE.len(), picture as u32 * 3000);
            let header = Header { marker, payload_type: 96, sequence, timestamp, ssrc: 6000 };
            let number = sequence.to_be_bytes();
            let extensions: &[(u8, &[u8])] = &[(5, &number), (7, &[1, 2, 3, 4, 5, 6, 7, 8])];
            lab.seal(ada, &Outgoing { header, extensions, payload: &payload })
        })
        .collect();
    assert_no_allocation(&mut lab, ada, 6000, &packets);
    assert!(lab.shard.counters().padded > 0 && lab.shard.counters().acknowledged > 0);
}

#[test]
fn a_packet_crosses_to_another_shard_without_an_allocation() {
    let mut fleet = Fleet::new(2, clock());
    let ada = fleet.connect(0);
    fleet.publish(ada, 1, camera("0", 6000));
    for _ in 0..SUBSCRIBERS {
        let peer = fleet.connect(1);
        fleet.subscribe(peer, 1, subscription("7", 900));
    }
    let from = fleet.remote(ada).address;
    let count = 3_000;
    let mut packets: Vec<Vec<u8>> = (0..count)
        .map(|n| {
            let payload = vp8(n & 0x7fff, n % 600 == 0, true, 1100);
            let timestamp = u32::from(n) * 3000;
            let header =
                Header { marker: true, payload_type: 96, sequence: n, timestamp, ssrc: 6000 };
            fleet.seal(ada, &Outgoing { header, extensions: &[], payload: &payload })
        })
        .collect();
    let mut sent = TxBatch::new();
    let mut run = |packets: &mut [Vec<u8>]| {
        for bytes in packets {
            fleet.now = fleet.now.later(Duration::from_millis(1));
            let (now, arrival) = (fleet.now, fleet.now.mono);
            let input = Input::Datagram { from, bytes, arrival };
            fleet.shards[0].handle(now, input).expect("taken");
            for shard in &mut fleet.shards {
                shard.look_at_links();
                shard.handle_links(now);
                shard.handle_timeout(now);
                shard.flush(now, &mut sent);
                while let Some(output) = shard.poll() {
                    assert!(matches!(output, Output::ToShard { .. } | Output::Event(_)));
                }
            }
        }
        fleet.shards[1].counters().packets_out
    };
    let (warm_up, measured) = packets.split_at_mut(2_000);
    let before = run(warm_up);
    let mut after = 0;
    let info = allocation_counter::measure(|| after = run(measured));
    assert_eq!(after - before, 1_000 * SUBSCRIBERS as u64);
    assert_eq!(info.count_total, 0, "{} allocations", info.count_total);
}

#[test]
fn the_counter_counts() {
    let info = allocation_counter::measure(|| drop(std::hint::black_box(vec![0u8; 10])));
    assert_eq!(info.count_total, 1);
}

/// Everything on.
fn lab() -> Lab {
    let mut lab = Lab::new(clock());
    lab.shard = Shard::new(ShardConfig { seed: 1, ..ShardConfig::default() });
    lab
}

/// What a subscriber says, before a batch, of the packets of the one before; sealed.
fn feedback(lab: &mut Lab, peer: usize, batch: usize) -> Vec<u8> {
    let base = 1 + (batch.saturating_sub(1) * BATCH) as u16;
    let info = TransportInfo { sender: 1, media: 900, base, reference: 0, number: batch as u8 };
    let mut feedback = Vec::new();
    write::transport_feedback(&mut feedback, &info, &[Some(1); BATCH]);
    lab.seal_rtcp(peer, &feedback)
}

fn subscribe_all(lab: &mut Lab) {
    for _ in 0..SUBSCRIBERS {
        let peer = lab.connect();
        lab.subscribe(peer, 1, subscription("7", 900));
    }
}

/// Batches go in, 10 ms apart; after the warm-up nothing may be allocated.
fn assert_no_allocation(lab: &mut Lab, publisher: usize, media: u32, packets: &[Vec<u8>]) {
    let from = lab.remote(publisher).address;
    let subscriber = publisher + 1;
    let reports: Vec<_> =
        (0..packets.len() / BATCH).map(|batch| feedback(lab, subscriber, batch)).collect();
    let mut reports = reports.chunks(1);
    let mut forwarded = 0;
    let mut run = |lab: &mut Lab, batch: &[Vec<u8>]| {
        lab.run_batch(lab.remote(subscriber).address, reports.next().unwrap());
        lab.now = lab.now.later(Duration::from_millis(10));
        lab.shard.handle_timeout(lab.now);
        forwarded += lab.run_batch(from, batch);
        while lab.shard.poll().is_some() {}
    };
    let (warm_up, measured) = packets.split_at(BATCH * WARM_UP);
    let (first, second) = warm_up.split_at(BATCH * WARM_UP / 2);
    first.chunks(BATCH).for_each(|batch| run(lab, batch));
    // From here on the subscribers get sender reports, too.
    let mut report = Vec::new();
    write::sender_report(&mut report, &common::sender_info(media, 1 << 60, 0), &[]);
    lab.send_rtcp(publisher, &report).expect("a report");
    second.chunks(BATCH).for_each(|batch| run(lab, batch));
    let before = lab.shard.counters().packets_out;
    let info = allocation_counter::measure(|| {
        measured.chunks(BATCH).for_each(|batch| run(lab, batch));
    });
    let packets = lab.shard.counters().packets_out - before;
    assert_eq!(packets as usize, BATCH * MEASURED * SUBSCRIBERS);
    assert!(forwarded >= BATCH * MEASURED * SUBSCRIBERS);
    assert_eq!(info.count_total, 0, "{} allocations for {packets} packets", info.count_total);
}
