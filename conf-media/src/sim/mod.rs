//! A simulated network in virtual time: seeded, so that one seed is one run.
//!
//! A [`Link`] is one direction of a path. It is asked about each packet as it is sent, and says at
//! once when it will arrive, or why it will not: nothing has to be polled. What happens later on the
//! path is known beforehand ([`Plan`]: changed conditions, another path, cross traffic), so the
//! answer stays true. A [`Transit`] keeps what is under way until it arrives.
//!
//! The same model runs on real sockets: `conf-load relay`.

mod cross;
mod link;
mod queue;
mod random;
mod spec;
mod transit;
#[cfg(any(test, feature = "test-util"))]
pub mod world;

pub use cross::Cross;
pub use link::{Burst, Cause, Conditions, Fate, Link, LinkStats, Plan, Reorder, Step};
pub use random::Random;
pub use spec::{SpecError, time_of};
pub use transit::Transit;
