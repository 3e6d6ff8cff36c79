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
    let words = ["test", "-p", "conf-fuzz", "--release", "--locked", "--test", "replay"];
    succeed(cargo(&words).env("CONF_FUZZ_SECONDS", seconds).args(["--", "--nocapture"]))
}
