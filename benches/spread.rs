//! One publisher whose subscribers are on several shards, each with a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use conf_media::egress::TxBatch;
use conf_media::ingress::RxBatch;
use conf_media::shard::Shard;
use conf_media::test_util::{Fleet, subscription};
use conf_media::time::Now;

use crate::call::{Shape, Source};
use crate::{Operation, now};

/// The shards with what each sends.
#[derive(Debug)]
pub struct Spread {
    fleet: Fleet,
    source: Source,
    /// What one run hands out at each shard.
    expected: usize,
    received: RxBatch,
    sent: Vec<TxBatch>,
    /// What [`Operation::prepare`] made; the last is the next.
    ready: Vec<Vec<Vec<u8>>>,
}

/// The publisher's index; it lives on the first shard.
const PUBLISHER: usize = 0;

impl Spread {
    /// So many subscribers on each of so many shards.
    #[must_use]
    pub fn new(shape: Shape, shards: usize, subscribers: usize) -> Self {
        let mut fleet = Fleet::new(shards, now());
        fleet.connect(0);
        fleet.publish(PUBLISHER, 1, shape.publication());
        for shard in 0..shards {
            for _ in 0..subscribers {
                let subscriber = fleet.connect(shard);
                fleet.subscribe(subscriber, 1, subscription("0", 900));
            }
        }
        let mut this = Self {
            fleet,
            source: Source::new(shape),
            expected: shape.payloads.len() * subscribers,
            received: RxBatch::new(),
            sent: (0..shards).map(|_| TxBatch::new()).collect(),
            ready: Vec::new(),
        };
        // Tracks go live, edges begin.
        let fleet = &mut this.fleet;
        for datagram in this.source.unit(|packet| fleet.seal(PUBLISHER, packet)) {
            fleet.datagram(PUBLISHER, &datagram).expect("a packet of the publisher");
        }
        this
    }
}

/// One picture or packet a run, at all shards at once.
impl Operation for Spread {
    fn prepare(&mut self, runs: usize) {
        let fleet = &mut self.fleet;
        let mut unit = || self.source.unit(|packet| fleet.seal(PUBLISHER, packet));
        self.ready = (0..runs).map(|_| unit()).collect();
        self.ready.reverse();
    }

    fn run(&mut self) {
        self.run_times(1);
    }

    fn run_times(&mut self, runs: usize) {
        let (from, now, expected) =
            (self.fleet.remote(PUBLISHER).address, self.fleet.now, self.expected * runs);
        let (received, ready) = (&mut self.received, &mut self.ready);
        let mut shards = self.fleet.shards.iter_mut().zip(&mut self.sent);
        let Some((first, to_send)) = shards.next() else { return };
        let over = AtomicBool::new(false);
        let sent: usize = thread::scope(|scope| {
            let over = &over;
            let others: Vec<_> = shards
                .map(|(shard, to_send)| scope.spawn(move || follow(shard, now, to_send, over)))
                .collect();
            let mut sent = 0;
            for unit in ready.drain(..).rev().take(runs) {
                for datagram in &unit {
                    assert!(received.push(from, datagram, now.mono), "one batch takes it");
                }
                first.handle_batch(now, received);
                sent += hand_out(first, now, to_send);
            }
            over.store(true, Ordering::Release);
            for other in others {
                assert_eq!(other.join().expect("a shard"), expected, "nothing is dropped");
            }
            sent
        });
        assert_eq!(sent, expected);
    }
}

/// Takes what the first shard relays until it is over; how many datagrams that made.
fn follow(shard: &mut Shard, now: Now, to_send: &mut TxBatch, over: &AtomicBool) -> usize {
    let mut sent = 0;
    loop {
        let last = over.load(Ordering::Acquire);
        shard.look_at_links();
        shard.handle_links(now);
        let more = hand_out(shard, now, to_send);
        sent += more;
        if last && more == 0 {
            return sent;
        }
        if more == 0 {
            std::hint::spin_loop();
        }
    }
}

fn hand_out(shard: &mut Shard, now: Now, to_send: &mut TxBatch) -> usize {
    while shard.poll().is_some() {}
    shard.flush(now, to_send);
    to_send.len()
}
