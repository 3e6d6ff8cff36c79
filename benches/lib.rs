//! What is measured of the packet path: groups of cases, each an [`Operation`] that can be run again
//! and again.
//!
//! Three programs measure the same cases: `benches/all.rs` their time (criterion), `meter.rs` their
//! allocations, and under valgrind their instructions (`limits.toml` holds the limits, `cargo xtask
//! test instructions` the gate) and the bytes they copy.

pub mod call;
mod groups;
pub mod spread;

pub use groups::groups;

/// Something that is measured.
pub trait Operation {
    /// Lays ready what the next `runs` runs take; no part of what is measured.
    fn prepare(&mut self, _runs: usize) {}

    /// Once.
    fn run(&mut self);

    /// Several times, as one call, so that the call itself does not count.
    fn run_times(&mut self, runs: usize) {
        for _ in 0..runs {
            self.run();
        }
    }
}

impl<F: FnMut()> Operation for F {
    fn run(&mut self) {
        self();
    }
}

/// Runs between two calls of [`Operation::prepare`], most of the time.
pub const CHUNK: usize = 16;

/// What one run works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// So many packets, messages, handshakes.
    Items(u64),
    /// So many bytes.
    Bytes(u64),
}

/// One case of a group.
pub struct Case {
    /// `case/parameter=value`, without the group.
    pub name: String,
    /// What one run works on.
    pub work: Work,
    /// Its instructions are limited: it takes the same way each time, and none of it depends on
    /// what a processor has for ciphers (those are left out of the count).
    pub gated: bool,
    /// Sets it up.
    pub make: Box<dyn Fn() -> Box<dyn Operation>>,
}

impl Case {
    /// A case whose instructions are limited.
    pub fn gated<O: Operation + 'static>(
        name: impl Into<String>,
        work: Work,
        make: impl Fn() -> O + 'static,
    ) -> Self {
        Self { name: name.into(), work, gated: true, make: Box::new(move || Box::new(make())) }
    }

    /// A case that only the clock measures: ciphers, threads, or too large for valgrind.
    pub fn timed<O: Operation + 'static>(
        name: impl Into<String>,
        work: Work,
        make: impl Fn() -> O + 'static,
    ) -> Self {
        Self { gated: false, ..Self::gated(name, work, make) }
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case").field("name", &self.name).finish_non_exhaustive()
    }
}

/// How often a run asks for memory, once everything that grows has grown.
#[must_use]
pub fn allocations(operation: &mut dyn Operation) -> f64 {
    for _ in 0..2 {
        operation.prepare(CHUNK);
        operation.run_times(CHUNK);
    }
    operation.prepare(CHUNK);
    let counted = allocation_counter::measure(|| operation.run_times(CHUNK));
    // A few thousand at most: exact as a float.
    u32::try_from(counted.count_total).map_or(f64::INFINITY, f64::from) / CHUNK as f64
}

/// One group: what belongs together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Its cases, in the order of the table.
    pub cases: fn() -> Vec<Case>,
}

/// A reading of the clocks for machines whose time does not pass by itself.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "benches own their clock")]
pub fn now() -> conf_media::time::Now {
    conf_media::time::Now { mono: std::time::Instant::now(), wall: jiff::Timestamp::UNIX_EPOCH }
}
