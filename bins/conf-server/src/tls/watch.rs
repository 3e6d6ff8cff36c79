//! Serves a new certificate as soon as its files change, or when told to.

use std::os::unix::fs::MetadataExt as _;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::{Live, read_files};
use crate::clock;
use crate::config::TlsFiles;

/// By what a changed file is known: both, behind links.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp([Option<(u64, u64, i64, i64)>; 2]);

impl Stamp {
    pub(super) fn of(files: &TlsFiles) -> Self {
        Self([&files.cert, &files.key].map(|path| {
            let of = std::fs::metadata(path).ok()?;
            Some((of.ino(), of.size(), of.mtime(), of.mtime_nsec()))
        }))
    }
}

/// Looks at the files every few seconds until `stopping`. A pair that is refused, such as one half
/// of a change, leaves the old one in force.
pub(super) async fn keep(
    live: Arc<Live>,
    files: TlsFiles,
    mut seen: Stamp,
    mut reload: watch::Receiver<()>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let told = tokio::select! {
            told = reload.changed() => told.is_ok(),
            () = sleep(EVERY) => false,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let now = Stamp::of(&files);
        if now == seen && !told {
            continue;
        }
        seen = now;
        match read_files(&files, clock::wall()) {
            Ok(certificate) => {
                tracing::info!(until = %certificate.ends, "a new certificate is served");
                live.put(certificate);
            }
            Err(error) => tracing::warn!(%error, "the old certificate stays in force"),
        }
    }
}

const EVERY: Duration = Duration::from_secs(5);
