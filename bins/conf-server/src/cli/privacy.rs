//! `conf-server privacy inventory [--json]`: every declared place, its purpose and its rule.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::path::Path;
use std::process::ExitCode;

use conf_server::policy;

use super::words::configuration;
use super::{Fault, Outcome, Words};

pub(super) fn run(mut words: Words) -> Outcome {
    let json = words.switch("--json");
    let file = words.value("--config")?;
    let what = words.next();
    words.end()?;
    if what.as_deref() != Some("inventory") {
        return Err(Fault::Usage("privacy takes: inventory [--json]".to_owned()));
    }
    let config = configuration(file.as_deref().map(Path::new))?;
    let policy = policy::load(&config).map_err(|error| Fault::Refused(error.to_string()))?;
    let rows = policy::inventory(&policy);
    if json {
        let text =
            serde_json::to_string_pretty(&rows).map_err(|it| Fault::Failed(it.to_string()))?;
        println!("{text}");
        return Ok(ExitCode::SUCCESS);
    }
    for row in rows {
        let why = row.purpose.or(row.reason).unwrap_or_default();
        println!("{} {}\t{}\t{why}", row.kind, row.name, row.category.unwrap_or("-"));
    }
    Ok(ExitCode::SUCCESS)
}
