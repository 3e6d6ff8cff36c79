//! The one place of this program that reads clocks; all else is handed the time.
#![allow(clippy::disallowed_methods, reason = "this is the place")]

use std::time::Instant;

/// Monotonic time.
pub(crate) fn mono() -> Instant {
    Instant::now()
}

/// Wall time.
pub(crate) fn wall() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Both clocks, as a meeting takes them.
pub(crate) fn core() -> conf_core::Now {
    conf_core::Now { mono: mono(), wall: wall() }
}

/// Both clocks, as the media engine's machines take them.
pub(crate) fn media() -> conf_media::time::Now {
    conf_media::time::Now { mono: mono(), wall: wall() }
}
