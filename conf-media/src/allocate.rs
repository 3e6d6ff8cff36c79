//! What one subscriber is sent of what there is, within the bandwidth that its network takes.
//!
//! A [`Demand`] is one picture that the subscriber shows; its *rungs* are the ways to send it, from
//! the cheapest up: an encoding with layers of it. An [`Allocator`] chooses one of each, or none.
//! [`Fair`] is the one in use: everybody visible gets something first, screens before cameras and
//! what is large or asked for before the rest; what is left raises the pictures that gain most a
//! bit. Nothing is paused while leaving out layers is enough.
//!
//! Sound is not chosen here: it is always sent, and taken off the budget before.

pub(crate) mod size;

use std::time::{Duration, Instant};

use crate::codec::dependency::Layer;

/// What an edge is sent at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Index of the encoding.
    pub encoding: usize,
    /// Layers of it.
    pub layer: Layer,
}

impl Target {
    /// The best there is.
    pub const BEST: Self = Self { encoding: usize::MAX, layer: Layer::ALL };
}

/// One way to send a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rung {
    /// Bits per second.
    pub rate: u64,
    /// What it is worth to who looks at it: the shorter side in pixels, less for a low frame rate.
    pub worth: f32,
    /// Encoding and layers.
    pub target: Target,
}

/// Most rungs of a demand: four encodings or spatial layers with four temporal layers each.
pub const MAX_RUNGS: usize = 16;

/// One picture that a subscriber shows.
#[derive(Clone, Copy, Debug)]
pub struct Demand {
    rungs: [Rung; MAX_RUNGS],
    count: usize,
    /// How much more it counts than an ordinary picture; 1.0 is one.
    pub weight: f32,
    /// What is sent now, an index of its rungs; `None` while nothing is.
    pub current: Option<usize>,
    /// What is chosen; `None` pauses it.
    pub chosen: Option<usize>,
}

impl Demand {
    /// A picture without rungs yet.
    #[must_use]
    pub fn new(weight: f32) -> Self {
        let none = Rung { rate: 0, worth: 0.0, target: Target::BEST };
        Self { rungs: [none; MAX_RUNGS], count: 0, weight, current: None, chosen: None }
    }

    /// Adds a rung, in any order; it is kept if no other is both cheaper and better.
    pub fn offer(&mut self, rung: Rung) {
        let known = self.rungs.get(..self.count).unwrap_or_default();
        if known.iter().any(|other| other.rate <= rung.rate && other.worth >= rung.worth) {
            return;
        }
        let mut kept = 0;
        for index in 0..self.count {
            let Some(&other) = self.rungs.get(index) else { break };
            if !(rung.rate <= other.rate && rung.worth >= other.worth)
                && let Some(place) = self.rungs.get_mut(kept)
            {
                *place = other;
                kept += 1;
            }
        }
        self.count = kept;
        if let Some(place) = self.rungs.get_mut(self.count) {
            *place = rung;
            self.count += 1;
        }
        if let Some(rungs) = self.rungs.get_mut(..self.count) {
            rungs.sort_by_key(|rung| rung.rate);
        }
    }

    /// From the cheapest up.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        self.rungs.get(..self.count).unwrap_or_default()
    }

    /// The rung that is chosen.
    #[must_use]
    pub fn choice(&self) -> Option<&Rung> {
        self.rungs().get(self.chosen?)
    }
}

/// Chooses a rung of every demand of one subscriber.
pub trait Allocator {
    /// `budget` is in bits per second, without sound; `None` where nothing is known of the network,
    /// so that everybody gets the best. Sets [`Demand::chosen`] of all demands; those in front come
    /// first where two are alike.
    fn allocate(&mut self, now: Instant, budget: Option<u64>, demands: &mut [Demand]);
}

/// The allocator in use.
///
/// It does not follow the estimate up and down: what is sent already may stay while the budget holds
/// it, more is sent only with [`HEADROOM`] to spare, and after a step up that had to be taken back
/// the next one waits, longer each time.
#[derive(Clone, Debug, Default)]
pub struct Fair {
    raised_at: Option<Instant>,
    /// Nothing is raised before this.
    waits_until: Option<Instant>,
    wait: Duration,
    steps: Vec<Step>,
}

/// One rung up for one demand.
#[derive(Clone, Copy, Debug)]
struct Step {
    demand: usize,
    rung: usize,
    /// Worth gained a bit.
    gain: f32,
}

impl Allocator for Fair {
    fn allocate(&mut self, now: Instant, budget: Option<u64>, demands: &mut [Demand]) {
        let Some(budget) = budget else {
            for demand in demands {
                demand.chosen = demand.count.checked_sub(1);
            }
            return;
        };
        let may_rise = self.waits_until.is_none_or(|until| now >= until);
        let left = floor(budget, demands);
        self.raise(left, may_rise, demands);
        self.note(now, demands);
    }
}

impl Fair {
    /// Spends what is left on steps up, the most gain a bit first.
    fn raise(&mut self, mut left: u64, may_rise: bool, demands: &mut [Demand]) {
        self.list_steps(demands);
        let total: u64 = demands.iter().filter_map(|demand| Some(demand.choice()?.rate)).sum();
        let spare = (left + total) / HEADROOM;
        for step in &self.steps {
            let Some(demand) = demands.get_mut(step.demand) else { continue };
            if demand.chosen.map(|chosen| chosen + 1) != Some(step.rung) {
                continue; // one below was too dear
            }
            let new = demand.current.is_some_and(|current| step.rung > current);
            let rate = |rung: usize| demand.rungs().get(rung).map_or(u64::MAX, |rung| rung.rate);
            let cost = rate(step.rung).saturating_sub(rate(step.rung - 1));
            let needs = if new { cost.saturating_add(spare) } else { cost };
            if needs > left || (new && !may_rise) {
                continue;
            }
            left -= cost;
            demand.chosen = Some(step.rung);
        }
    }

    /// All steps of those that got something, the most gain first. A step gains no more than the
    /// ones below it, so that they come in their order.
    fn list_steps(&mut self, demands: &[Demand]) {
        self.steps.clear();
        for (index, demand) in demands.iter().enumerate().filter(|(_, it)| it.chosen.is_some()) {
            let mut least = f32::INFINITY;
            for (rung, pair) in (1..).zip(demand.rungs().windows(2)) {
                let [below, above] = pair else { continue };
                let bits = above.rate.saturating_sub(below.rate).max(1);
                let gain = demand.weight * (above.worth - below.worth) / approximate(bits);
                least = least.min(gain);
                self.steps.push(Step { demand: index, rung, gain: least });
            }
        }
        let order = |step: &Step| (step.demand, step.rung);
        self.steps.sort_unstable_by(|a, b| b.gain.total_cmp(&a.gain).then(order(a).cmp(&order(b))));
    }

    /// Learns from what became of the last step up.
    fn note(&mut self, now: Instant, demands: &[Demand]) {
        let any = |is: fn(Option<usize>, usize) -> bool| {
            let changed = |demand: &Demand| demand.current.is_some_and(|it| is(demand.chosen, it));
            demands.iter().any(changed)
        };
        let lowered = any(|chosen, current| chosen.is_none_or(|chosen| chosen < current));
        let raised = any(|chosen, current| chosen.is_some_and(|chosen| chosen > current));
        if lowered {
            let in_vain = self.raised_at.take().is_some_and(|at| now < at + IN_VAIN);
            self.wait =
                if in_vain { (self.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT) } else { SETTLE };
            self.waits_until = Some(now + self.wait);
        } else if raised {
            self.raised_at = Some(now);
        }
    }
}

/// Everybody's first rung, the most important first; returns what is left of the budget.
fn floor(budget: u64, demands: &mut [Demand]) -> u64 {
    let mut left = budget;
    for demand in demands.iter_mut() {
        demand.chosen = None;
    }
    // Few, and mostly all fit: no list is sorted for it.
    loop {
        let waiting = demands.iter_mut().filter(|demand| {
            let first = demand.rungs().first();
            demand.chosen.is_none() && first.is_some_and(|first| first.rate <= left)
        });
        // The first of those with the greatest weight.
        let next = waiting.reduce(|best, it| if it.weight > best.weight { it } else { best });
        let Some(demand) = next else { return left };
        left = left.saturating_sub(demand.rungs().first().map_or(0, |first| first.rate));
        demand.chosen = Some(0);
    }
}

#[expect(clippy::cast_precision_loss, reason = "bits are compared, not counted")]
fn approximate(bits: u64) -> f32 {
    bits as f32
}

/// A step up leaves this part of the budget free: one eighth.
pub const HEADROOM: u64 = 8;
/// A step up that was taken back within this was in vain.
const IN_VAIN: Duration = Duration::from_secs(10);
/// After a fall for another reason.
const SETTLE: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_secs(4);
const LONGEST_WAIT: Duration = Duration::from_secs(40);

#[cfg(test)]
mod tests;
