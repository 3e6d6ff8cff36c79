//! How packets leave: what waits for what, the byte that keeps runs whole, and the numbers that
//! subscribers report on.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::clock;
use conf_media::command::{Command, Extensions, Subscription};
use conf_media::egress::TxBatch;
use conf_media::ingress::RxBatch;
use conf_media::rtcp::write::{self, TransportInfo};
use conf_media::rtp::Header;
use conf_media::shard::{Input, Shard, ShardConfig};
use conf_media::test_util::{Lab, Outgoing, TO, camera, microphone, subscription, vp8};

const HOLD: Duration = Duration::from_millis(1);
/// Sizes that Chromium was seen to cut pictures into: small ones first.
const PICTURE: [usize; 4] = [1_030, 1_031, 1_031, 1_031];

/// A lab whose media waits as it does between sockets.
fn patient() -> Lab {
    let mut lab = Lab::new(clock());
    lab.shard = Shard::new(ShardConfig { seed: 1, hold: HOLD, ..ShardConfig::default() });
    lab
}

/// A publisher of pictures and so many subscribers.
fn pictures(lab: &mut Lab, subscribers: usize) -> (usize, Vec<usize>) {
    let ada = lab.connect();
    lab.publish(ada, 1, camera("0", 6000));
    let subscribers: Vec<usize> = (0..subscribers).map(|_| lab.connect()).collect();
    for &peer in &subscribers {
        lab.subscribe(peer, 1, subscription("7", 900));
    }
    (ada, subscribers)
}

/// The packets of a picture, sealed.
fn picture(lab: &mut Lab, ada: usize, number: u16, lengths: &[usize]) -> Vec<Vec<u8>> {
    let last = lengths.len() - 1;
    let packet = |(index, &len): (usize, &usize)| {
        let payload = vp8(number, number == 0, index == 0, len);
        let header = Header {
            marker: index == last,
            payload_type: 96,
            sequence: number * 10 + index as u16,
            timestamp: u32::from(number) * 3_000,
            ssrc: 6000,
        };
        lab.seal(ada, &Outgoing { header, extensions: &[(5, &[0, 1])], payload: &payload })
    };
    lengths.iter().enumerate().map(packet).collect()
}

/// What comes out when a batch with these datagrams went in: segments of each run.
fn batch(lab: &mut Lab, from: usize, datagrams: &[Vec<u8>], out: &mut TxBatch) -> Vec<usize> {
    let mut batch = RxBatch::new();
    for datagram in datagrams {
        assert!(batch.push(lab.remote(from).address, datagram, lab.now.mono));
    }
    lab.shard.handle_batch(lab.now, &mut batch);
    lab.shard.flush(lab.now, out);
    out.runs().map(|run| run.segments()).collect()
}

#[test]
fn a_picture_that_comes_in_three_batches_leaves_in_one_run_for_each_subscriber() {
    let mut lab = patient();
    let (ada, _) = pictures(&mut lab, 3);
    let mut out = TxBatch::new();
    let first = picture(&mut lab, ada, 0, &[1_000; 5]);
    assert!(batch(&mut lab, ada, &first[..2], &mut out).is_empty(), "its marker is still missing");
    assert_eq!(lab.shard.timeout(), Some(lab.now.mono + HOLD));
    assert!(batch(&mut lab, ada, &first[2..4], &mut out).is_empty());
    assert_eq!(batch(&mut lab, ada, &first[4..], &mut out), [5, 5, 5]);
    assert!(lab.shard.timeout() > Some(lab.now.mono + HOLD), "nothing waits");
}

#[test]
fn a_picture_whose_end_is_lost_waits_no_longer_than_the_hold() {
    let mut lab = patient();
    let (ada, _) = pictures(&mut lab, 2);
    let mut out = TxBatch::new();
    let first = picture(&mut lab, ada, 0, &[1_000; 3]);
    assert!(batch(&mut lab, ada, &first[..2], &mut out).is_empty());
    lab.now = lab.now.later(HOLD / 2);
    lab.shard.flush(lab.now, &mut out);
    assert!(out.is_empty());
    lab.now = lab.now.later(HOLD / 2);
    lab.shard.flush(lab.now, &mut out);
    assert_eq!(out.runs().map(|run| run.segments()).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn answers_to_checks_do_not_wait_for_pictures() {
    let mut lab = patient();
    let (ada, subscribers) = pictures(&mut lab, 1);
    let mut out = TxBatch::new();
    let first = picture(&mut lab, ada, 0, &[1_000; 2]);
    let check = lab.remote(subscribers[0]).check();
    assert!(batch(&mut lab, ada, &first[..1], &mut out).is_empty());
    assert_eq!(batch(&mut lab, subscribers[0], &[check], &mut out), [1]);
    assert!(out.bytes_used() < 200, "the answer alone");
    assert_eq!(batch(&mut lab, ada, &first[1..], &mut out), [2]);
}

#[test]
fn microphones_of_one_moment_share_a_run() {
    let mut lab = patient();
    let speakers: Vec<usize> = (0..3).map(|_| lab.connect()).collect();
    let bob = lab.connect();
    for (&peer, number) in speakers.iter().zip(1..) {
        lab.publish(peer, number, microphone("0", 5000 + number as u32));
        lab.subscribe(bob, number, subscription("7", 900 + 2 * number as u32));
    }
    let mut out = TxBatch::new();
    for (&peer, number) in speakers.iter().zip(1u32..) {
        let sound = common::opus(5000 + number, 1, &[]);
        let sound = lab.seal(peer, &sound);
        assert!(batch(&mut lab, peer, &[sound], &mut out).is_empty());
    }
    lab.now = lab.now.later(HOLD);
    lab.shard.flush(lab.now, &mut out);
    assert_eq!(out.runs().map(|run| run.segments()).collect::<Vec<_>>(), [3]);
}

#[test]
fn a_byte_of_padding_makes_one_run_of_a_picture_of_two_sizes() {
    let mut lab = patient();
    let (ada, _) = pictures(&mut lab, 2);
    let mut out = TxBatch::new();
    let first = picture(&mut lab, ada, 0, &PICTURE);
    assert_eq!(batch(&mut lab, ada, &first, &mut out), [1, 3, 1, 3], "nothing is known yet");
    for number in 1..20 {
        let next = picture(&mut lab, ada, number, &PICTURE);
        assert_eq!(batch(&mut lab, ada, &next, &mut out), [4, 4]);
    }
    assert_eq!(lab.shard.counters().padded, 2 * 19, "one packet of each picture");
}

#[test]
fn a_peer_that_takes_no_padding_gets_none() {
    let mut lab = Lab::new(clock());
    let (ada, subscribers) = pictures(&mut lab, 2);
    let [bob, cleo] = subscribers[..] else { panic!() };
    let peer = lab.id(cleo);
    lab.command(Command::SetPadding { peer, padding: false }).unwrap();
    for number in 0..3 {
        for datagram in picture(&mut lab, ada, number, &PICTURE) {
            lab.datagram(lab.remote(ada).address, &datagram).unwrap();
        }
    }
    let padding = |lab: &mut Lab, peer| -> Vec<u8> {
        lab.received(peer).iter().map(|packet| packet.view.padding).collect()
    };
    assert_eq!(padding(&mut lab, bob), [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(padding(&mut lab, cleo), [0; 12]);
}

#[test]
fn a_packet_that_is_sent_again_under_its_number_is_the_same_bit_by_bit() {
    let mut lab = Lab::new(clock());
    let ada = lab.connect();
    lab.publish(ada, 1, camera("0", 6000));
    let bob = lab.connect();
    lab.subscribe(bob, 1, Subscription { rtx_ssrc: None, ..subscription("7", 900) });
    let (mut out, mut sent) = (TxBatch::new(), Vec::new());
    for number in 0..3 {
        let next = picture(&mut lab, ada, number, &PICTURE);
        batch(&mut lab, ada, &next, &mut out);
        sent.extend(out.iter().map(|(_, datagram)| datagram.to_vec()));
    }
    assert_eq!(sent.len(), 12);
    assert_eq!(sent[8].len(), sent[9].len(), "padded");
    for index in [8, 9, 11] {
        let sequence = u16::from_be_bytes([sent[index][2], sent[index][3]]);
        let mut nack = Vec::new();
        write::nack(&mut nack, 1, 900, &[sequence]);
        let nack = lab.seal_rtcp(bob, &nack);
        batch(&mut lab, bob, &[nack], &mut out);
        let again: Vec<Vec<u8>> = out.iter().map(|(_, datagram)| datagram.to_vec()).collect();
        assert_eq!(again, sent[index..=index]);
    }
}

#[test]
fn a_retransmission_of_its_own_stream_is_not_padded_and_has_a_new_number() {
    let mut lab = Lab::new(clock());
    let (ada, subscribers) = pictures(&mut lab, 1);
    let bob = subscribers[0];
    for number in 0..2 {
        for datagram in picture(&mut lab, ada, number, &PICTURE) {
            lab.datagram(lab.remote(ada).address, &datagram).unwrap();
        }
    }
    let sent = lab.received(bob);
    assert_eq!(sent[4].view.padding, 1);
    let mut nack = Vec::new();
    write::nack(&mut nack, 1, 900, &[sent[4].view.sequence]);
    lab.send_rtcp(bob, &nack).unwrap();
    let again = &lab.received(bob)[0];
    assert_eq!((again.view.ssrc, again.view.padding), (901, 0));
    assert_eq!(again.payload().len(), 2 + sent[4].payload().len());
    assert_eq!(again.extension(13), Some(&[0, 9][..]), "eight packets came before it");
}

#[test]
fn every_packet_of_a_peer_carries_the_next_transport_wide_number() {
    let mut lab = Lab::new(clock());
    let (ada, subscribers) = pictures(&mut lab, 2);
    let [bob, cleo] = subscribers[..] else { panic!() };
    lab.publish(ada, 2, microphone("1", 5000));
    lab.subscribe(bob, 2, subscription("8", 910));
    let none = Extensions { transport_cc: None, ..TO };
    lab.subscribe(cleo, 1, Subscription { extensions: none, ..subscription("7", 900) });
    for number in 0..3 {
        for datagram in picture(&mut lab, ada, number, &[500; 2]) {
            lab.datagram(lab.remote(ada).address, &datagram).unwrap();
        }
        lab.send(ada, &common::opus(5000, number, &[])).unwrap();
    }
    let numbers: Vec<_> =
        lab.received(bob).iter().map(|packet| packet.extension(13).unwrap().to_vec()).collect();
    let expected: Vec<_> = (1..=9u8).map(|number| vec![0, number]).collect();
    assert_eq!(numbers, expected, "over all its sources");
    assert!(lab.received(cleo).iter().all(|packet| packet.extension(13).is_none()));
}

#[test]
fn feedback_is_matched_with_what_was_sent() {
    let mut lab = Lab::new(clock());
    let (ada, subscribers) = pictures(&mut lab, 1);
    let bob = subscribers[0];
    for datagram in picture(&mut lab, ada, 0, &[500; 4]) {
        lab.datagram(lab.remote(ada).address, &datagram).unwrap();
    }
    lab.now = lab.now.later(Duration::from_millis(30));
    let mut feedback = Vec::new();
    let info = TransportInfo { sender: 1, media: 900, base: 1, reference: 0, number: 0 };
    write::transport_feedback(&mut feedback, &info, &[Some(1), None, Some(1), Some(1)]);
    lab.send_rtcp(bob, &feedback).unwrap();
    let stats = lab.shard.transport(lab.id(bob)).unwrap();
    assert_eq!((stats.sent, stats.acknowledged, stats.lost), (4, 3, 1));
    assert_eq!(stats.delivered_bytes * 4, stats.sent_bytes * 3);
    assert_eq!(stats.round_trip, Some(Duration::from_millis(30)));
    let counters = lab.shard.counters();
    assert_eq!((counters.feedback_received, counters.acknowledged), (1, 3));
    assert_eq!(counters.reported_lost, 1);
    assert!(lab.shard.transport(lab.id(ada)).is_none(), "it receives nothing");
}

/// Otherwise the picture comes before its keys, is thrown away, and is not asked for again: nothing
/// that came later has a gap before it.
#[test]
fn the_end_of_a_handshake_leaves_before_the_first_picture() {
    let mut lab = patient();
    let (ada, _) = pictures(&mut lab, 0);
    let mut out = TxBatch::new();
    let first = picture(&mut lab, ada, 0, &[1_000; 3]);
    batch(&mut lab, ada, &first, &mut out);
    let bob = lab.announce();
    lab.check(bob);
    lab.subscribe(bob, 1, subscription("7", 900));
    // As a worker orders it, both in one turn of the thread.
    let (peer, datagram) = (lab.id(bob), bytes::Bytes::from_static(&[22; 60]));
    let keys = lab.keys(bob);
    let shard = &mut lab.shard;
    for command in [Command::SendDatagram { peer, datagram }, Command::SetKeys { peer, keys }] {
        shard.handle(lab.now, Input::Command(command)).unwrap();
    }
    shard.flush(lab.now, &mut out);
    let kinds: Vec<u8> = out.iter().map(|(_, datagram)| datagram[0]).collect();
    assert_eq!(kinds[0], 22, "{kinds:?}");
    assert!(kinds[1..].iter().filter(|&&kind| kind >> 6 == 2).count() >= 3, "{kinds:?}");
}
