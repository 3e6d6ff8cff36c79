//! Panics of the implementations that ours are compared with: expected, caught and counted, not
//! printed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

static CAUGHT: AtomicU64 = AtomicU64::new(0);

/// How many panics of other implementations were caught so far.
pub fn caught() -> u64 {
    CAUGHT.load(Ordering::Relaxed)
}

/// Asks another implementation; `None` if it panics.
pub(crate) fn asked<T>(other: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
    QUIET.set(true);
    let answer = catch_unwind(AssertUnwindSafe(other));
    QUIET.set(false);
    if answer.is_err() {
        CAUGHT.fetch_add(1, Ordering::Relaxed);
    }
    answer.ok()
}
