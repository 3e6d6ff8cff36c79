//! Group `demux`: finding the peer of a datagram, by its address, among many.

use std::net::SocketAddr;

use conf_media::egress::TxBatch;
use conf_media::shard::{Input, Shard};
use conf_media::test_util::Lab;
use conf_media::time::Now;

use crate::Work::Items;
use crate::{Case, Operation, now};

/// Peers with a checked address and no keys yet: a packet gets as far as its peer and no further.
struct Demux {
    shard: Shard,
    now: Now,
    addresses: Vec<SocketAddr>,
    at: usize,
    packet: [u8; 100],
}

impl Demux {
    fn new(peers: usize) -> Self {
        let (mut lab, mut sent) = (Lab::new(now()), TxBatch::new());
        let mut addresses = Vec::new();
        for _ in 0..peers {
            let peer = lab.announce();
            let remote = lab.remote(peer);
            let (from, mut check) = (remote.address, remote.check());
            let input = Input::Datagram { from, bytes: &mut check, arrival: lab.now.mono };
            lab.shard.handle(lab.now, input).expect("a check that is taken");
            lab.shard.flush(lab.now, &mut sent);
            addresses.push(from);
        }
        let mut packet = [0; 100];
        packet[0] = 0x80;
        packet[1] = 96;
        Self { shard: lab.shard, now: lab.now, addresses, at: 0, packet }
    }
}

impl Operation for Demux {
    fn run(&mut self) {
        // Far apart, so that the memory of one peer is not that of the next.
        self.at = (self.at + STRIDE) % self.addresses.len();
        let Some(&from) = self.addresses.get(self.at) else { return };
        let (bytes, arrival) = (&mut self.packet, self.now.mono);
        let refused = self.shard.handle(self.now, Input::Datagram { from, bytes, arrival });
        assert!(refused.is_err(), "no keys");
    }
}

pub(super) fn cases() -> Vec<Case> {
    let case = |peers| Case::gated(format!("peers={peers}"), Items(1), move || Demux::new(peers));
    [100, 10_000].map(case).into()
}

/// Prime, and larger than the number of a neighbour.
const STRIDE: usize = 7_919;
