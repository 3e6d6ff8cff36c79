//! Is the database ours, whole enough to be read, and of a version that this program knows?

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use conf_store::sql::{Glance, glance};

use super::Finding;

/// Whether a server runs with this folder: it holds a lock there.
pub(super) fn is_in_use(data_dir: &Path) -> bool {
    let lock: Option<File> = OpenOptions::new().write(true).open(data_dir.join("lock")).ok();
    lock.is_some_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Reads the head of the database's file.
pub(super) fn look(data_dir: &Path, running: bool) -> Finding {
    const TOPIC: &str = "store";
    match glance(data_dir) {
        Ok(Glance::Missing) => Finding::ok(TOPIC, "no database yet: the first start makes it"),
        Ok(Glance::Begun) => Finding::ok(TOPIC, "the database is empty"),
        Ok(Glance::Version(version)) => {
            let used = if running { ", and a server works with it" } else { "" };
            Finding::ok(TOPIC, format!("the database has tables of version {version}{used}"))
        }
        Err(error) => Finding::problem(TOPIC, error.to_string()),
    }
}
