//! The reference server: reads the command line and the configuration, then serves.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
