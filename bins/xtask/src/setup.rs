//! Installs what the tests need and is missing, and says exactly what.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::stage::say;

/// A program the tests use, and the Debian package that brings it.
const PROGRAMS: [(&str, &str); 13] = [
    ("cc", "gcc"),
    ("openssl", "openssl"),
    ("chromium", "chromium"),
    ("firefox-esr", "firefox-esr"),
    ("turnserver", "coturn"),
    ("ip", "iproute2"),
    ("sysctl", "procps"),
    ("unshare", "util-linux"),
    ("pebble", "pebble"),
    ("certutil", "libnss3-tools"),
    ("debootstrap", "debootstrap"),
    ("dpkg-deb", "dpkg"),
    ("valgrind", "valgrind"),
];

/// The oldest Node that Vite 8 runs on.
const NODE: (u32, u32) = (20, 19);

/// Checks Node, installs missing Debian packages.
pub(crate) fn install() -> Result<()> {
    node()?;
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !is_on_path(program))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("missing: {}; installing with apt-get", missing.join(" ")));
    apt(&["update", "-qq"])?;
    let mut words = vec!["install", "-y", "-qq", "--no-install-recommends"];
    words.extend(&missing);
    apt(&words)
}

/// Runs apt-get, as root.
pub(crate) fn apt(words: &[&str]) -> Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
    if !root {
        command.arg("apt-get");
    }
    let status = command
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("apt-get is not there: install the packages named above by hand")?;
    if !status.success() {
        bail!("apt-get {} ended with {status}", words.join(" "));
    }
    Ok(())
}

fn node() -> Result<()> {
    let wanted = format!("Node {}.{} or newer is needed", NODE.0, NODE.1);
    let out = Command::new("node").arg("--version").output().context(wanted.clone())?;
    let text = String::from_utf8_lossy(&out.stdout);
    let mut numbers = text.trim().trim_start_matches('v').split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= NODE => Ok(()),
        _ => bail!("{wanted}, found {}", text.trim()),
    }
}

/// Whether a program is found on PATH.
pub(crate) fn is_on_path(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| is_file(&dir.join(program))))
}

fn is_file(path: &Path) -> bool {
    path.is_file()
}
