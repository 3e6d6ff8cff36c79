//! End-to-end tests: the release server and real browsers in a network namespace that has only
//! loopback, so that no media and no request can leave the machine.

use std::process::Command;

use anyhow::Result;

use crate::inputs::{cargo, npm, root, target, web};
use crate::rust::succeed;
use crate::setup;
use crate::stage::Stage;

/// Brings loopback up, for IPv4 only (browsers would gather ::1 as a second candidate); and one address
/// of IPv6, on a pair of interfaces that lead nowhere: browsers do not gather it on loopback.
const NAMESPACE: &str = "ip link set lo up && ip route add default dev lo \
    && ip -6 addr del ::1/128 dev lo && ip link add v0 type veth peer name v1 \
    && ip link set v0 up && ip link set v1 up \
    && ip -6 addr add 2001:db8::7/64 dev v0 nodad && ip -6 route add default dev v0 \
    && exec \"$@\"";

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
        .env("E2E_IPV6", "2001:db8::7")
        .env("E2E_SERVER_BIN", target().join("release/conf-server"));
    command
}
