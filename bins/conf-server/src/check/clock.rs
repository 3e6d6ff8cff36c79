//! Is the clock right? Certificates, sessions and access tokens depend on it.

use std::path::Path;
use std::process::{Command, Stdio};

use jiff::Timestamp;

use super::Finding;

/// Compares it with the age of this program, and asks systemd whether it is synchronised.
pub(super) fn look(now: Timestamp) -> Finding {
    const TOPIC: &str = "clock";
    if made().is_some_and(|made| now < made) {
        let text = format!("it says {now}, which is before this program was made: set it");
        return Finding::problem(TOPIC, text);
    }
    match synchronised() {
        Some(true) => Finding::ok(TOPIC, format!("it says {now} and is synchronised")),
        Some(false) => Finding::warning(
            TOPIC,
            format!("it says {now} and is not synchronised: start a time service (NTP)"),
        ),
        None => Finding::ok(TOPIC, format!("it says {now}; whether it is synchronised is unknown")),
    }
}

/// When the program's file was written, which a package keeps from its build.
fn made() -> Option<Timestamp> {
    let file = std::env::current_exe().ok()?.metadata().ok()?;
    Timestamp::try_from(file.modified().ok()?).ok()
}

fn synchronised() -> Option<bool> {
    if Path::new("/run/systemd/timesync/synchronized").exists() {
        return Some(true);
    }
    let mut ask = Command::new("timedatectl");
    ask.args(["show", "--property=NTPSynchronized", "--value"]).stdin(Stdio::null());
    match ask.output().ok()?.stdout.trim_ascii() {
        b"yes" => Some(true),
        b"no" => Some(false),
        _ => None,
    }
}
