//! Runs measurements in a network namespace that has only loopback, so that nothing of them can meet
//! the net.

use std::process::Command;
use std::thread;

use anyhow::{Result, ensure};

use crate::rust::succeed;
use crate::setup::is_on_path;

/// Said to the second half of a command, which runs in the namespace.
pub(crate) const INSIDE: &str = "--inside";
const LOOPBACK: &str = "ip link set lo up && exec \"$@\"";
/// Programs that are needed, and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("setsid", "util-linux"),
    ("setpriv", "util-linux"),
    ("taskset", "util-linux"),
    ("kill", "procps"),
];

/// Names what this machine has not: root, two cores, `programs` beside those of every measurement.
///
/// # Errors
/// With all that is missing, and the package that brings it.
pub(crate) fn prerequisites(programs: &[(&str, &str)]) -> Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    ensure!(root, "needs root: for a network namespace, priorities and packages");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    ensure!(
        cores >= 2,
        "needs two cores, one for the server and one for the load; here is {cores}"
    );
    let missing: Vec<String> = PROGRAMS
        .iter()
        .chain(programs)
        .filter(|(program, _)| !is_on_path(program))
        .map(|(program, package)| format!("{program} (Debian package {package})"))
        .collect();
    ensure!(missing.is_empty(), "missing: {}", missing.join(", "));
    Ok(())
}

/// Runs a command of this program anew where only loopback is; it finds [`INSIDE`] before `words`.
///
/// # Errors
/// If it fails.
pub(crate) fn enter(command: &str, words: &[String]) -> Result<()> {
    let mut inside = Command::new("unshare");
    inside.args(["--net", "--", "sh", "-c", LOOPBACK, "sh"]).arg(std::env::current_exe()?);
    succeed(inside.args([command, INSIDE]).args(words))
}
