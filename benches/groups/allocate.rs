//! Group `allocate`: what one subscriber is sent of all pictures that it shows, decided anew.

use std::hint::black_box;

use conf_media::allocate::{Allocator, Demand, Fair, Rung, Target};
use conf_media::codec::dependency::Layer;

use crate::Work::Items;
use crate::{Case, Operation, now};

/// Pictures of three sizes with three temporal layers each, and a budget for about half of them.
struct Share {
    fair: Fair,
    demands: Vec<Demand>,
    budget: u64,
    now: std::time::Instant,
}

impl Share {
    fn new(tracks: u64) -> Self {
        let demands = (0..tracks).map(|track| {
            let mut demand = Demand::new(if track % 10 == 0 { 4.0 } else { 1.0 });
            for (encoding, (rate, side)) in
                [(90, 180.0), (300, 360.0), (900, 720.0)].into_iter().enumerate()
            {
                for temporal in 0..3u8 {
                    let part = 2 + u64::from(temporal);
                    let layer = Layer { spatial: 0, temporal };
                    let worth = side * (0.5 + f32::from(temporal) / 4.0);
                    let rate = (rate + track) * 1_000 * part / 4;
                    demand.offer(Rung { rate, worth, target: Target { encoding, layer } });
                }
            }
            demand.current = Some(usize::try_from(track % 3).unwrap_or_default());
            demand
        });
        let demands: Vec<Demand> = demands.collect();
        Self { fair: Fair::default(), demands, budget: tracks * 400_000, now: now().mono }
    }
}

impl Operation for Share {
    fn run(&mut self) {
        self.fair.allocate(self.now, Some(black_box(self.budget)), &mut self.demands);
        assert!(self.demands.first().is_some_and(|demand| demand.chosen.is_some()));
    }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::gated("tracks=10", Items(10), || Share::new(10)),
        Case::gated("tracks=50", Items(50), || Share::new(50)),
        Case::gated("tracks=500", Items(500), || Share::new(500)),
    ]
}
