//! End-to-end tests: the release server and real browsers in a network namespace that has only
//! loopback, so that no media and no request can leave the machine.

use std::process::Command;

use anyhow::Result;

use crate::inputs::{cargo, npm, root, target, web};
use crate::rust::succeed;
use crate::setup;
use crate::stage::Stage;

/// Brings loopback up and keeps IPv6 out (browsers would gather ::1 as a second candidate).
const NAMESPACE: &str = "ip link set lo up && ip route add default dev lo \
    && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && exec \"$@\"";

/// The stage.
pub(crate) fn run(stage: &mut Stage) {
    stage.command(playwright(&[]).env("E2E_OUT", target().join("e2e")));
}

/// `cargo xtask record`: what Chromium's camera sends, for conf-load.
pub(crate) fn record() -> Result<()> {
    setup::install()?;
    succeed(&mut cargo(&["build", "--release", "--locked", "-p", "conf-server"]))?;
    succeed(&mut npm(&["ci", "--no-audit", "--no-fund"]))?;
    let table = root().join("bins/conf-load/src/shape/browser.txt");
    let mut command = playwright(&["--config", "tests/record/playwright.config.ts"]);
    succeed(command.env("RECORD_OUT", table))
}

fn playwright(words: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    command
        .current_dir(web())
        .args(if root { &["--net"][..] } else { &["--net", "--map-root-user"] })
        .args(["--", "sh", "-c", NAMESPACE, "sh"])
        .args(["npm", "exec", "--offline", "--", "playwright", "test"])
        .args(words)
        .env("E2E_SERVER_BIN", target().join("release/conf-server"));
    command
}
