//! The command line of `conf-load`; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    conf_load::main(&words)
}
