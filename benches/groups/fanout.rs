//! Group `fanout`: from the sealed packets of one publisher to those of all its subscribers, without
//! sockets and timers.

use std::time::Duration;

use conf_media::shard::ShardConfig;

use crate::Case;
use crate::Work::Items;
use crate::call::{Call, Shape};

/// More take valgrind too long to set up.
const MOST_GATED: usize = 100;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for subscribers in [1, 10, 100, 1_000, 3_000] {
        for (name, shape) in [("audio", Shape::SOUND), ("video720", Shape::PICTURE)] {
            let config = ShardConfig { seed: 1, hold: Duration::ZERO, ..ShardConfig::default() };
            let case = Case::gated(
                format!("{name}/subscribers={subscribers}"),
                Items(shape.sent(subscribers)),
                move || Call::new(shape, subscribers, config.clone()),
            );
            cases.push(Case { gated: subscribers <= MOST_GATED, ..case });
        }
    }
    cases
}
