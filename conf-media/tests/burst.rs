//! Packets of a picture that come in one batch: they are sent edge by edge, and what is in the batch
//! beside them happens in its order.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use common::clock;
use conf_media::egress::TxBatch;
use conf_media::ingress::RxBatch;
use conf_media::rtcp::write;
use conf_media::rtp::Header;
use conf_media::shard::{Shard, ShardConfig};
use conf_media::test_util::{Lab, Outgoing, camera, subscription, vp8};

/// A publisher of one camera, sealed packet by packet, and its subscribers.
struct Room {
    lab: Lab,
    ada: usize,
    others: Vec<usize>,
    next: u16,
}

impl Room {
    fn new(subscribers: usize) -> Self {
        let mut lab = Lab::new(clock());
        let hold = Duration::ZERO;
        lab.shard = Shard::new(ShardConfig { seed: 1, hold, ..ShardConfig::default() });
        let ada = lab.connect();
        lab.publish(ada, 1, camera("0", 6000));
        let others: Vec<usize> = (0..subscribers).map(|_| lab.connect()).collect();
        for &peer in &others {
            lab.subscribe(peer, 1, subscription("7", 900));
        }
        Self { lab, ada, others, next: 100 }
    }

    /// The packets of a picture, sealed.
    fn picture(&mut self, keyframe: bool, packets: u16) -> Vec<Vec<u8>> {
        let timestamp = u32::from(self.next) * 1_000;
        let number = self.next;
        (0..packets)
            .map(|index| {
                let payload = vp8(number, keyframe, index == 0, 900);
                let sequence = self.next;
                self.next += 1;
                let marker = index + 1 == packets;
                let header = Header { marker, payload_type: 96, sequence, timestamp, ssrc: 6000 };
                self.lab.seal(self.ada, &Outgoing { header, extensions: &[], payload: &payload })
            })
            .collect()
    }

    /// One batch; what comes out, in the order in which it was written: destination and length.
    fn batch(&mut self, datagrams: &[(usize, Vec<u8>)]) -> Vec<(SocketAddr, u16)> {
        let (mut batch, mut out) = (RxBatch::new(), TxBatch::new());
        for (peer, datagram) in datagrams {
            assert!(batch.push(self.lab.remote(*peer).address, datagram, self.lab.now.mono));
        }
        self.lab.shard.handle_batch(self.lab.now, &mut batch);
        self.lab.shard.flush(self.lab.now, &mut out);
        let number = |datagram: &[u8]| u16::from_be_bytes([datagram[2], datagram[3]]);
        let media = out.iter().filter(|(_, datagram)| !(192..=223).contains(&datagram[1]));
        media.map(|(to, datagram)| (to, number(datagram))).collect()
    }

    fn of_ada(&self, datagrams: Vec<Vec<u8>>) -> Vec<(usize, Vec<u8>)> {
        datagrams.into_iter().map(|datagram| (self.ada, datagram)).collect()
    }

    /// The numbers that each subscriber got.
    fn numbers(&self, sent: &[(SocketAddr, u16)]) -> Vec<Vec<u16>> {
        let of = |&peer: &usize| {
            let address = self.lab.remote(peer).address;
            sent.iter().filter(|(to, _)| *to == address).map(|(_, number)| *number).collect()
        };
        self.others.iter().map(of).collect()
    }
}

#[test]
fn every_subscriber_gets_all_packets_of_a_batch_in_their_order() {
    let mut room = Room::new(3);
    let mut datagrams = room.picture(true, 20);
    datagrams.extend(room.picture(false, 4));
    let datagrams = room.of_ada(datagrams);
    let sent = room.batch(&datagrams);
    for numbers in room.numbers(&sent) {
        assert_eq!(numbers.len(), 24, "more than one burst holds");
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    }
    assert_eq!(room.lab.shard.counters().packets_out, 72);
}

#[test]
fn a_keyframe_in_the_middle_of_a_batch_begins_a_stream_once_and_nobody_is_asked_for_another() {
    let mut room = Room::new(2);
    let mut datagrams = room.picture(false, 3);
    datagrams.extend(room.picture(true, 3));
    datagrams.extend(room.picture(false, 2));
    let datagrams = room.of_ada(datagrams);
    let sent = room.batch(&datagrams);
    for numbers in room.numbers(&sent) {
        assert_eq!(numbers.len(), 5, "from the keyframe on: {numbers:?}");
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "no number twice");
    }
    let drops = &room.lab.shard.counters().drops;
    assert!(drops.iter().all(|&count| count == 0), "{drops:?}");
    let asked = room.lab.shard.counters().plis_sent;
    room.lab.pass(Duration::from_secs(3), true);
    assert_eq!(room.lab.shard.counters().plis_sent, asked, "the keyframe has come");
}

#[test]
fn packets_of_one_batch_that_overtook_each_other_are_all_sent_once() {
    let mut room = Room::new(2);
    let first = room.picture(true, 2);
    let first = room.of_ada(first);
    room.batch(&first);
    let mut datagrams = room.picture(false, 4);
    datagrams.swap(1, 2);
    datagrams.push(datagrams[3].clone());
    let datagrams = room.of_ada(datagrams);
    let sent = room.batch(&datagrams);
    for mut numbers in room.numbers(&sent) {
        numbers.sort_unstable();
        assert_eq!(numbers.len(), 4);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
    }
}

#[test]
fn a_report_between_two_packets_finds_the_first_one_sent() {
    let mut room = Room::new(1);
    let first = room.picture(true, 1);
    let first = room.of_ada(first);
    let sent = room.batch(&first);
    let [begun] = &room.numbers(&sent)[..] else { panic!("one subscriber") };
    let [begun] = begun[..] else { panic!("one packet") };
    let bob = room.others[0];
    let mut nack = Vec::new();
    write::receiver_report(&mut nack, 1, &[]);
    write::nack(&mut nack, 1, 900, &[begun + 1]);
    let nack = room.lab.seal_rtcp(bob, &nack);
    let pictures = room.picture(false, 2);
    let [one, two] = &pictures[..] else { panic!("two packets") };
    let (ada, bob) = (room.ada, bob);
    room.batch(&[(ada, one.clone()), (bob, nack), (ada, two.clone())]);
    assert_eq!(room.lab.shard.counters().resent, 1, "what was asked for had been sent");
}
