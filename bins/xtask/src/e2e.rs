//! End-to-end tests: the release server and real browsers in a network namespace that has only
//! loopback, so that no media and no request can leave the machine.

use std::process::Command;

use crate::inputs::{target, web};
use crate::stage::Stage;

/// Brings loopback up and keeps IPv6 out (browsers would gather ::1 as a second candidate).
const NAMESPACE: &str = "ip link set lo up && ip route add default dev lo \
    && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && exec \"$@\"";

pub(crate) fn run(stage: &mut Stage) {
    let mut command = Command::new("unshare");
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    command
        .current_dir(web())
        .args(if root { &["--net"][..] } else { &["--net", "--map-root-user"] })
        .args(["--", "sh", "-c", NAMESPACE, "sh"])
        .args(["npm", "exec", "--offline", "--", "playwright", "test"])
        .env("E2E_SERVER_BIN", target().join("release/conf-server"))
        .env("E2E_OUT", target().join("e2e"));
    stage.command(&mut command);
}
