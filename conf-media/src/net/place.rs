//! Where threads run and how much they matter: cores for shards, priorities for all.

use crate::director::MAX_SHARDS;

/// How many shards there are if 0 is configured: one per core that we may use, at most
/// [`MAX_SHARDS`]. Two cores or fewer are shared with the control threads: there it is one.
pub(super) fn shards(configured: usize) -> usize {
    match (configured, allowed().len()) {
        // Only Linux spreads the peers of one port over its sockets.
        _ if cfg!(any(conf_plain, not(target_os = "linux"))) => 1,
        (0, ..=2) => 1,
        (0, cores) => cores.min(MAX_SHARDS),
        (configured, _) => configured.min(MAX_SHARDS),
    }
}

/// The core of each shard, from the last one down; none where there are fewer cores than shards,
/// or where one thread runs on a small machine and nobody has said that it should: the scheduler
/// does better there.
pub(super) fn cores(configured: usize, shards: usize) -> Vec<Option<usize>> {
    let mut allowed = allowed();
    let small = allowed.len() < ENOUGH_CORES && shards == 1 && configured == 0;
    if allowed.len() < shards || small {
        return vec![None; shards];
    }
    std::iter::from_fn(|| Some(allowed.pop())).take(shards).collect()
}

/// Ties the calling thread to a core.
pub(super) fn pin(core: usize) {
    if !affinity::pin(core) {
        tracing::debug!(core, "a media thread could not be pinned");
    }
}

/// Media goes before everything else on the machine, where the system allows it.
pub(super) fn prefer() {
    if let Err(cause) = rustix::process::nice(MEDIA) {
        tracing::debug!(%cause, "media threads run at the usual priority");
    }
}

/// Control threads make way for media threads.
pub(super) fn defer() {
    if let Err(cause) = rustix::process::nice(CONTROL) {
        tracing::debug!(%cause, "a control thread runs at the usual priority");
    }
}

/// The cores that the process may use.
fn allowed() -> Vec<usize> {
    affinity::allowed()
}

#[cfg(all(target_os = "linux", not(conf_plain)))]
mod affinity {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;

    pub(super) fn pin(core: usize) -> bool {
        let mut set = CpuSet::new();
        set.set(core).is_ok() && sched_setaffinity(Pid::from_raw(0), &set).is_ok()
    }

    pub(super) fn allowed() -> Vec<usize> {
        let Ok(allowed) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
        (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect()
    }
}

/// Where threads cannot be tied to a core.
#[cfg(any(conf_plain, not(target_os = "linux")))]
mod affinity {
    pub(super) fn pin(_core: usize) -> bool {
        false
    }

    pub(super) fn allowed() -> Vec<usize> {
        (0..std::thread::available_parallelism().map_or(1, usize::from)).collect()
    }
}

/// Added to the nice value of the thread that asks.
const MEDIA: i32 = -10;
const CONTROL: i32 = 5;
const ENOUGH_CORES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(
        any(conf_plain, not(target_os = "linux")),
        ignore = "needs batched calls or several shards"
    )]
    fn shards_are_as_many_as_asked_for_within_the_limit() {
        assert_eq!(shards(3), 3);
        assert_eq!(shards(1_000), MAX_SHARDS);
        assert!((1..=MAX_SHARDS).contains(&shards(0)));
    }

    #[test]
    fn a_shard_has_a_core_of_its_own_or_none() {
        let here = allowed().len();
        assert_eq!(cores(here + 1, here + 1), vec![None; here + 1]);
        let mut cores = cores(here, here);
        cores.dedup();
        assert!(cores.len() == here && cores.iter().all(Option::is_some), "{cores:?}");
    }
}
