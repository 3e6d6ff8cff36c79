//! The one place of this program that reads clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use conf_media::time::Now;

/// Both clocks, for the engine's machines.
#[must_use]
pub fn both() -> Now {
    conf_media::net::batch::now()
}

/// Monotonic.
#[must_use]
pub fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    Instant::now()
}

/// Nanoseconds since 1970 on the clock that the kernel stamps packets with (`CLOCK_REALTIME`).
#[must_use]
pub fn wall_nanos() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or_default()
}
