//! `conf-server config --explain`: all keys as a commented configuration file.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::process::ExitCode;

use super::{Fault, Outcome, Words};

pub(super) fn run(mut words: Words) -> Outcome {
    let explain = words.switch("--explain");
    words.end()?;
    if !explain {
        return Err(Fault::Usage("config is not understood without --explain".to_owned()));
    }
    print!("{}", conf_server::config::explain());
    Ok(ExitCode::SUCCESS)
}
