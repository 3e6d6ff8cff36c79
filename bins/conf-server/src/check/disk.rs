//! Is there room in `data_dir`, and is it for this server only?

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::Finding;

/// Folder, secrets, free space.
pub(super) fn look(data_dir: &Path) -> Vec<Finding> {
    let mut findings = vec![folder(data_dir)];
    findings.extend(secrets(&data_dir.join("secrets.toml")));
    findings.extend(space(data_dir));
    findings
}

fn folder(path: &Path) -> Finding {
    const TOPIC: &str = "data_dir";
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::ok(
                TOPIC,
                format!("{shown} is not there yet: the first start makes it"),
            );
        }
        Err(error) => {
            return Finding::problem(TOPIC, format!("{shown} cannot be looked at: {error}"));
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_dir() {
        return Finding::problem(TOPIC, format!("{shown} is no folder"));
    }
    if mode & 0o077 != 0 {
        let text = format!("{shown} has mode {mode:04o}: others can look into it (chmod 700)");
        return Finding::problem(TOPIC, text);
    }
    let me = nix::unistd::geteuid();
    if !me.is_root() && metadata.uid() != me.as_raw() {
        return Finding::problem(TOPIC, format!("{shown} belongs to another user"));
    }
    Finding::ok(TOPIC, format!("{shown} is for its owner only"))
}

fn secrets(path: &Path) -> Option<Finding> {
    const TOPIC: &str = "secrets";
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            let text = format!("{} cannot be looked at: {error}", path.display());
            return Some(Finding::problem(TOPIC, text));
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    Some(match mode & 0o077 {
        0 => Finding::ok(TOPIC, "secrets.toml is for its owner only"),
        _ => Finding::problem(
            TOPIC,
            format!("{} has mode {mode:04o}, allowed is 0600 (chmod 600)", path.display()),
        ),
    })
}

fn space(data_dir: &Path) -> Option<Finding> {
    const TOPIC: &str = "disk";
    let there = data_dir.ancestors().find(|path| path.exists())?;
    let disk = nix::sys::statvfs::statvfs(there).ok()?;
    let mebibytes = disk.blocks_available().saturating_mul(disk.fragment_size()) >> 20;
    let text = format!("{mebibytes} MiB are free");
    Some(match mebibytes {
        ..LEAST => Finding::problem(TOPIC, format!("{text}, needed are {LEAST} MiB")),
        LEAST..GOOD => Finding::warning(TOPIC, format!("{text}, better are {GOOD} MiB")),
        _ => Finding::ok(TOPIC, text),
    })
}

const LEAST: u64 = 100;
const GOOD: u64 = 1_024;
