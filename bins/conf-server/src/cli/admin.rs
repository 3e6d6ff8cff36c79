//! `conf-server admin link [EMAIL]`: prints a one-time link.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::path::Path;
use std::process::ExitCode;

use conf_server::admin::{self, AdminError};

use super::words::configuration;
use super::{Fault, Outcome, Words};

pub(super) fn run(mut words: Words) -> Outcome {
    let file = words.value("--config")?;
    let what = words.next();
    if what.as_deref() != Some("link") {
        return Err(Fault::Usage("admin takes: link [EMAIL]".to_owned()));
    }
    let email = words.next();
    words.end()?;
    let config = configuration(file.as_deref().map(Path::new))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Fault::Failed(error.to_string()))?;
    let link = runtime.block_on(admin::link(&config, email.as_deref())).map_err(fault)?;
    println!("\n  Works once, within 24 hours:\n\n      {}\n", link.reveal());
    Ok(ExitCode::SUCCESS)
}

fn fault(error: AdminError) -> Fault {
    match error {
        AdminError::Open(_) => Fault::Refused(error.to_string()),
        _ => Fault::Failed(error.to_string()),
    }
}
