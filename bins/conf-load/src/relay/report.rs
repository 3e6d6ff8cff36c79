//! What a relay counted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use conf_media::sim::LinkStats;
use serde::Serialize;

/// Counted by all tasks.
#[derive(Debug, Default)]
pub(super) struct Counts {
    flows: AtomicU64,
    connections: AtomicU64,
    rebinds: AtomicU64,
    refused: AtomicU64,
    overrun: AtomicU64,
}

impl Counts {
    /// A client came by UDP.
    pub(super) fn flow(&self) {
        self.flows.fetch_add(1, Ordering::Relaxed);
    }

    /// A client came by TCP.
    pub(super) fn connection(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
    }

    /// All ports towards the server were changed.
    pub(super) fn rebind(&self) {
        self.rebinds.fetch_add(1, Ordering::Relaxed);
    }

    /// A client found no place, or no server.
    pub(super) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A datagram was lost in the relay itself.
    pub(super) fn overrun(&self) {
        self.overrun.fetch_add(1, Ordering::Relaxed);
    }
}

/// What a relay counted, as JSON says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Clients by UDP.
    pub flows: u64,
    /// Clients by TCP.
    pub connections: u64,
    /// How often the ports towards the server were changed.
    pub rebinds: u64,
    /// Clients that found no place, or no server.
    pub refused: u64,
    /// Datagrams lost in the relay itself: above 0, the figures are not those of the links.
    pub overrun: u64,
    /// From clients to the server.
    pub up: LinkStats,
    /// From the server to clients.
    pub down: LinkStats,
}

impl Report {
    pub(super) fn new(counts: &Counts, up: LinkStats, down: LinkStats) -> Self {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Counts { flows, connections, rebinds, refused, overrun } = counts;
        Self {
            flows: read(flows),
            connections: read(connections),
            rebinds: read(rebinds),
            refused: read(refused),
            overrun: read(overrun),
            up,
            down,
        }
    }

    /// Writes it to a file, or to standard output.
    pub(super) fn write(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        match path.filter(|path| *path != Path::new("-")) {
            None => {
                crate::say(&text);
                Ok(())
            }
            Some(path) => std::fs::write(path, text)
                .with_context(|| format!("{} cannot be written", path.display())),
        }
    }
}
