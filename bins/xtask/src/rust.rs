//! The stages that cargo does: format, lints, tests, docs, benches, examples, the release build.
//!
//! All but the last ask for the whole workspace, so that each crate is built with one set of
//! features and once for all of them: a stage that names one package (`-p`) builds half of it anew.

use std::process::Command;

use anyhow::{Result, bail};

use crate::inputs::{cargo, root, target};
use crate::setup::is_on_path;
use crate::stage::Stage;

/// The release binary may have this many bytes.
const BINARY_LIMIT: u64 = 40 << 20;

pub(crate) fn format(stage: &mut Stage) {
    stage.command(&mut cargo(&["fmt", "--all", "--check"]));
}

pub(crate) fn lint(stage: &mut Stage) {
    let warnings = ["--", "-D", "warnings"];
    let all = ["clippy", "--workspace", "--all-targets", "--locked"];
    stage.command(cargo(&all).args(warnings));
    // A workspace build always switches `net` on, so only this notices a core that leans on it.
    let core = ["clippy", "-p", "conf-media", "--no-default-features", "--locked"];
    stage.command(cargo(&core).args(warnings));
}

pub(crate) fn unit(stage: &mut Stage) {
    if is_on_path("cargo-nextest") {
        let words = ["nextest", "run", "--workspace", "--locked", "--no-fail-fast"];
        stage.command(cargo(&words).args([
            "--status-level",
            "fail",
            "--final-status-level",
            "slow",
        ]));
        stage.command(&mut cargo(&["test", "--doc", "--workspace", "--locked", "--quiet"]));
    } else {
        stage.command(&mut cargo(&[
            "test",
            "--workspace",
            "--locked",
            "--quiet",
            "--no-fail-fast",
        ]));
    }
}

pub(crate) fn docs(stage: &mut Stage) {
    let words = ["doc", "--workspace", "--no-deps", "--locked", "--quiet"];
    stage.command(cargo(&words).env("RUSTDOCFLAGS", "-D warnings"));
}

/// Each bench runs once, in the test profile: that none rots, not how fast it is.
pub(crate) fn benches_once(stage: &mut Stage) {
    let words = ["test", "--workspace", "--bench", "*", "--locked", "--quiet"];
    stage.command(cargo(&words).args(["--features", "conf-benches/webrtc-dtls"]));
}

pub(crate) fn examples(stage: &mut Stage) {
    let folder = root().join("examples/examples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    names.sort();
    stage.command(&mut cargo(&["build", "--workspace", "--examples", "--locked", "--quiet"]));
    for name in names {
        let mut program = Command::new(target().join("debug/examples").join(name));
        stage.command(program.current_dir(root()));
    }
}

pub(crate) fn release(stage: &mut Stage) {
    stage.command(&mut cargo(&["build", "--release", "--locked", "--bin", "conf-server"]));
    let bytes =
        std::fs::metadata(target().join("release/conf-server")).map_or(0, |file| file.len());
    let what = format!("the binary has {bytes} bytes, limit {BINARY_LIMIT}");
    stage.check(&what, bytes > 0 && bytes <= BINARY_LIMIT);
}

/// `cargo xtask wire`.
pub(crate) fn wire() -> Result<()> {
    let words = ["test", "-p", "conf-core", "--quiet", "typescript"];
    succeed(cargo(&words).env("UPDATE", "1"))
}

/// Runs a command for the person at the terminal.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status()?;
    if !status.success() {
        bail!("the command ended with {status}");
    }
    Ok(())
}
