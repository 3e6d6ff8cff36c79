//! Group `shard`: what crosses from one shard to another, both on one thread.

use conf_media::egress::TxBatch;
use conf_media::ingress::RxBatch;
use conf_media::shard::Shard;
use conf_media::test_util::{Fleet, subscription};

use crate::Work::Items;
use crate::call::{Shape, Source};
use crate::{Case, Operation, now};

/// A publisher that arrives at one shard, and one subscriber at another; the publisher lives at the
/// first, so that packets are relayed, or at the second, so that datagrams are handed over.
struct Across {
    fleet: Fleet,
    source: Source,
    received: RxBatch,
    sent: TxBatch,
    ready: Vec<Vec<Vec<u8>>>,
}

impl Across {
    fn relayed() -> Self {
        Self::new(|fleet| fleet.connect(0))
    }

    fn handed_over() -> Self {
        Self::new(|fleet| {
            let publisher = fleet.connect(1);
            fleet.move_to(publisher, 0);
            fleet.check(publisher).expect("a check of its new address");
            publisher
        })
    }

    fn new(publisher: impl Fn(&mut Fleet) -> usize) -> Self {
        let mut fleet = Fleet::new(2, now());
        let publisher = publisher(&mut fleet);
        fleet.publish(publisher, 1, Shape::PICTURE.publication());
        let subscriber = fleet.connect(1);
        fleet.subscribe(subscriber, 1, subscription("0", 900));
        let (received, sent, source) =
            (RxBatch::new(), TxBatch::new(), Source::new(Shape::PICTURE));
        let mut this = Self { fleet, source, received, sent, ready: Vec::new() };
        for datagram in this.unit() {
            this.fleet.datagram(publisher, &datagram).expect("a packet of the publisher");
        }
        this
    }

    fn unit(&mut self) -> Vec<Vec<u8>> {
        let fleet = &mut self.fleet;
        self.source.unit(|packet| fleet.seal(0, packet))
    }
}

impl Operation for Across {
    fn prepare(&mut self, runs: usize) {
        self.ready = (0..runs).map(|_| self.unit()).collect();
        self.ready.reverse();
    }

    fn run(&mut self) {
        let (from, now) = (self.fleet.remote(0).address, self.fleet.now);
        for datagram in self.ready.pop().unwrap_or_default() {
            assert!(self.received.push(from, &datagram, now.mono), "one batch takes it");
        }
        let [here, there] = self.fleet.shards.as_mut_slice() else { return };
        here.handle_batch(now, &mut self.received);
        let mut out = |shard: &mut Shard| {
            while shard.poll().is_some() {}
            shard.flush(now, &mut self.sent);
            self.sent.len()
        };
        out(here);
        there.look_at_links();
        there.handle_links(now);
        assert_eq!(out(there), Shape::PICTURE.payloads.len(), "a picture at the other shard");
    }
}

pub(super) fn cases() -> Vec<Case> {
    let work = Items(Shape::PICTURE.sent(1));
    vec![
        Case::gated("relay", work, Across::relayed),
        Case::gated("hand_over", work, Across::handed_over),
    ]
}
