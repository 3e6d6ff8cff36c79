//! Puts a report where it was asked for.

use std::path::Path;

use anyhow::Context as _;

use super::{Report, Window, csv, html};
use crate::plan::Outputs;

/// Writes every form that was asked for; JSON to standard output if none was.
///
/// # Errors
/// Names the file that cannot be written.
pub fn all(report: &Report, outputs: &Outputs) -> anyhow::Result<()> {
    let Outputs { json, csv: table, html: page } = outputs;
    if json.is_none() && table.is_none() && page.is_none() {
        crate::say(&serde_json::to_string_pretty(report)?);
    }
    if let Some(path) = json {
        put(path, &serde_json::to_string_pretty(report)?)?;
    }
    if let Some(path) = table {
        put(path, &csv::table(report))?;
    }
    if let Some(path) = page {
        put(path, &html::page(report))?;
    }
    Ok(())
}

/// One window in a line, for whoever watches.
#[must_use]
pub fn line(window: &Window) -> String {
    let Window { subscribers, packets_per_second, loss_percent, gaps, .. } = window;
    let mut line = format!(
        "{subscribers} subscribers: {packets_per_second:.0} packets/s, loss {loss_percent:.2} %, \
         {gaps} gaps"
    );
    if let Some(server) = &window.server {
        let (cost, core) = (server.cpu_us_per_packet, server.core_percent);
        line += &format!(", server {cost:.2} us/packet, {core:.1} % of a core");
    }
    if let Some(latency) = &window.latency_ms {
        line += &format!(", latency p50 {:.2} p99 {:.2} ms", latency.p50, latency.p99);
    }
    let other = window.other_load_percent.unwrap_or_default();
    line += &format!(", client {:.1} %, other load {other:.0} %", window.client.core_percent);
    if window.noisy { line + " (not quiet)" } else { line }
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new("-") {
        crate::say(text);
        return Ok(());
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}
