//! Group `gso`: making runs that the kernel takes in one call, of equal packets, and of a browser's
//! packets with and without the byte of padding that evens them out.

use std::hint::black_box;
use std::net::SocketAddr;

use conf_media::egress::{Destination, TxBatch};
use conf_media::shard::ShardConfig;

use crate::Case;
use crate::Work::Items;
use crate::call::{Call, Shape};

const SUBSCRIBERS: usize = 100;
const DESTINATIONS: u32 = 16;
const PACKETS: u64 = 512;

/// Packets for several peers in turn, copied into the arena.
fn pack() -> Case {
    Case::gated("pack/destinations=16", Items(PACKETS), || {
        let mut batch = TxBatch::new();
        let packet = [0xab; 1_200];
        move || {
            batch.clear();
            for slot in (0..DESTINATIONS).cycle().take(512) {
                let address = SocketAddr::from((slot.to_be_bytes(), 1_000));
                assert!(batch.push(Destination { slot, address }, &packet));
            }
            black_box(batch.runs().len());
        }
    })
}

fn picture(name: &str, shape: Shape, padding: bool) -> Case {
    Case::gated(name, Items(shape.sent(SUBSCRIBERS)), move || {
        Call::new(shape, SUBSCRIBERS, ShardConfig { seed: 1, padding, ..ShardConfig::default() })
    })
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        pack(),
        picture("picture/even", Shape::EVEN, true),
        picture("picture/nopad", Shape::PICTURE, false),
        picture("picture/pad", Shape::PICTURE, true),
    ]
}
