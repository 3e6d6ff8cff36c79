//! Group `engine`: a shard in memory with everything on but the sockets, and what nobody can do
//! without.

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use conf_media::rtcp::{ReportBlock, write};
use conf_media::shard::ShardConfig;
use conf_media::test_util::TO;

use crate::Work::Items;
use crate::call::{Call, Shape};
use crate::spread::Spread;
use crate::{Case, Operation};

const SUBSCRIBERS: usize = 100;
/// Every subscriber reports once in so many pictures: each 100 ms.
const REPORT_EVERY: usize = 3;
/// And asks for one lost packet in so many reports: 1 of 100 packets is lost.
const LOSS_EVERY: usize = 8;
/// And checks its path once in so many pictures: each 2.5 s.
const CHECK_EVERY: usize = 75;
const FRAME: Duration = Duration::from_millis(33);

/// One picture a run, 33 ms apart: opened, kept, forwarded to a hundred subscribers with GCM,
/// transport-wide numbers and padding, while they report, ask for what they lost and check their
/// paths, and the timers run.
struct EndToEnd {
    call: Call,
    /// Sequence number of the subscribers' next packet.
    sequence: u16,
    /// And its transport-wide number.
    number: u16,
    pictures: usize,
    /// Datagrams of each run; the last is the next.
    ready: Vec<Vec<(SocketAddr, Vec<u8>)>>,
}

impl EndToEnd {
    fn new() -> Self {
        let config = ShardConfig { seed: 1, ..ShardConfig::default() };
        let mut call = Call::new(Shape::PICTURE, SUBSCRIBERS, config);
        let from = call.lab.remote(call.publisher).address;
        for datagram in call.unit() {
            call.lab.datagram(from, &datagram).expect("a packet of the publisher");
        }
        let received = call.lab.received(1);
        let last = received.last().expect("the first picture arrives");
        let sequence = last.view.sequence.wrapping_add(1);
        let number = TO.transport_cc.and_then(|id| last.extension(id)?.try_into().ok());
        let number = number.map_or(0, |bytes| u16::from_be_bytes(bytes).wrapping_add(1));
        Self { call, sequence, number, pictures: 0, ready: Vec::new() }
    }

    /// What goes in with the next picture.
    fn datagrams(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let from = self.call.lab.remote(self.call.publisher).address;
        let unit = self.call.unit();
        let mut datagrams: Vec<_> = unit.into_iter().map(|datagram| (from, datagram)).collect();
        for peer in 0..=SUBSCRIBERS {
            let address = self.call.lab.remote(peer).address;
            if (self.pictures + peer).is_multiple_of(CHECK_EVERY) {
                datagrams.push((address, self.call.lab.remote(peer).check()));
            }
            if peer != self.call.publisher && (self.pictures + peer).is_multiple_of(REPORT_EVERY) {
                let report = self.report((self.pictures + peer).is_multiple_of(LOSS_EVERY));
                datagrams.push((address, self.call.lab.seal_rtcp(peer, &report)));
            }
        }
        self.pictures += 1;
        let packets = u16::try_from(Shape::PICTURE.payloads.len()).unwrap_or_default();
        self.sequence = self.sequence.wrapping_add(packets);
        self.number = self.number.wrapping_add(packets);
        datagrams
    }

    /// A receiver report, feedback on the last twelve packets and, after a loss, a request.
    fn report(&self, lost: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let block = ReportBlock { ssrc: 900, ..ReportBlock::default() };
        write::receiver_report(&mut out, 1, &[block]);
        if lost {
            write::nack(&mut out, 1, 900, &[self.sequence.wrapping_sub(2)]);
        }
        let base = self.number.wrapping_sub(12);
        let info = write::TransportInfo { sender: 1, media: 900, base, ..Default::default() };
        write::transport_feedback(&mut out, &info, &[Some(4); 12]);
        out
    }
}

impl Operation for EndToEnd {
    fn prepare(&mut self, runs: usize) {
        self.ready = (0..runs).map(|_| self.datagrams()).collect();
        self.ready.reverse();
    }

    fn run(&mut self) {
        let Some(datagrams) = self.ready.pop() else { return };
        self.call.lab.now = self.call.lab.now.later(FRAME);
        let sent =
            self.call.carry(datagrams.iter().map(|(from, datagram)| (*from, datagram.as_slice())));
        assert!(sent.len() >= SUBSCRIBERS * Shape::PICTURE.payloads.len(), "{}", sent.len());
    }
}

/// One copy and one seal, with a key of its own, for each packet of the same picture.
struct Bare {
    keys: Vec<LessSafeKey>,
    picture: Vec<Vec<u8>>,
    arena: Vec<u8>,
    index: u64,
}

impl Bare {
    fn new() -> Self {
        let key = |n: u8| LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[n; 16]).expect("a key"));
        let packet = |len| vec![0xab; len + HEADER];
        let picture: Vec<_> = Shape::PICTURE.payloads.iter().map(|&len| packet(len)).collect();
        let bytes: usize = picture.iter().map(|packet| packet.len() + TAG).sum();
        let keys = (0..100).map(key).collect();
        Self { keys, picture, arena: vec![0; bytes * SUBSCRIBERS], index: 0 }
    }
}

impl Operation for Bare {
    fn run(&mut self) {
        let mut rest = self.arena.as_mut_slice();
        for packet in &self.picture {
            self.index += 1;
            let [number @ .., _, _, _, _] = (u128::from(self.index) << 32).to_be_bytes();
            for key in &self.keys {
                let (place, behind) = rest.split_at_mut(packet.len() + TAG);
                rest = behind;
                let (body, tag) = place.split_at_mut(packet.len());
                body.copy_from_slice(packet);
                let (head, body) = body.split_at_mut(HEADER);
                let (nonce, aad) = (Nonce::assume_unique_for_key(number), Aad::from(&*head));
                let made = key.seal_in_place_separate_tag(nonce, aad, body).expect("sealed");
                tag.copy_from_slice(made.as_ref());
            }
        }
        black_box(&self.arena);
    }
}

pub(super) fn cases() -> Vec<Case> {
    let work = Items(Shape::PICTURE.sent(SUBSCRIBERS));
    vec![
        Case::timed("bare_copy_and_seal", work, Bare::new),
        Case::gated("e2e_one_core", work, EndToEnd::new),
        Case::timed("e2e_one_shard", work, || Spread::new(Shape::PICTURE, 1, SUBSCRIBERS)),
        // Twice the subscribers on two threads.
        Case::timed("e2e_two_shards", Items(Shape::PICTURE.sent(2 * SUBSCRIBERS)), || {
            Spread::new(Shape::PICTURE, 2, SUBSCRIBERS)
        }),
    ]
}

/// Of a packet as it leaves: 12 bytes and one block with mid and transport-wide number.
const HEADER: usize = 24;
const TAG: usize = 16;
