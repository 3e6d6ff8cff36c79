//! `cargo xtask fuzz`: mutates the corpora on the stable toolchain, no sanitizer needed.
//!
//! With a nightly toolchain and cargo-fuzz, `cargo fuzz run TARGET` in the folder `fuzz` searches
//! with coverage; both share targets and corpora.

use anyhow::{Context, Result};

use crate::inputs::cargo;
use crate::rust::succeed;

pub(crate) fn run(rest: &[String]) -> Result<()> {
    let seconds = rest.first().map_or("60", String::as_str);
    seconds.parse::<u32>().context("the number of seconds a target")?;
    let words = ["test", "-p", "conf-fuzz", "--release", "--locked", "--test", "replay", "mutated"];
    let mut command = cargo(&words);
    // A release build that still notices an overflow.
    command.env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true");
    command.env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true");
    if let Some(target) = rest.get(1) {
        command.env("CONF_FUZZ_TARGET", target);
    }
    succeed(command.env("CONF_FUZZ_SECONDS", seconds).args(["--", "--nocapture"]))
}
