//! The command line: one file a command, and the table that knows them all.
//!
//! A new command is a file in `cli/` with `run(Words) -> Outcome` and a line in [`COMMANDS`]; the
//! usage is printed from that table.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

mod admin;
mod check;
mod config;
mod privacy;
mod serve;
mod words;

use std::process::ExitCode;

pub(crate) use words::Words;

/// What a command answers: its exit code, or why it did nothing.
pub(crate) type Outcome = Result<ExitCode, Fault>;

/// Why a command did nothing. The text goes to standard error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Words that are not understood: the usage is shown too, `EX_USAGE` of sysexits.
    Usage(String),
    /// The configuration, or what it points at, is refused: `EX_CONFIG` of sysexits.
    Refused(String),
    /// The server did not start: why, and the exit code that says it.
    Start(String, u8),
    /// Anything else.
    Failed(String),
}

/// One command.
struct Command {
    /// What comes after `conf-server`.
    name: &'static str,
    /// Its options, as the usage shows them.
    options: &'static str,
    /// What it is for.
    purpose: &'static str,
    run: fn(Words) -> Outcome,
}

/// All commands, in the order of the usage. The first is what happens without words.
const COMMANDS: &[Command] = &[
    Command {
        name: "serve",
        options: "[--config PATH]",
        purpose: "serve (configuration: PATH, or ./conf.toml if there); the default",
        run: serve::run,
    },
    Command {
        name: "admin",
        options: "link [EMAIL] [--config PATH]",
        purpose: "print a one-time link: for the first administrator, or a new password",
        run: admin::run,
    },
    Command {
        name: "check",
        options: "[--config PATH] [--json]",
        purpose: "look at configuration, ports, certificate, clock, disk and database",
        run: check::run,
    },
    Command {
        name: "privacy",
        options: "inventory [--json] [--config PATH]",
        purpose: "list every place where something is kept, what for, and by which rule it goes",
        run: privacy::run,
    },
    Command {
        name: "config",
        options: "--explain",
        purpose: "list all keys of the configuration",
        run: config::run,
    },
];

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    answer(std::env::args().skip(1).collect())
}

fn answer(mut given: Vec<String>) -> ExitCode {
    let first = given.first().map(String::as_str).unwrap_or_default();
    match first {
        "--help" | "-h" | "help" => {
            print!("{}", usage());
            return ExitCode::SUCCESS;
        }
        "--version" | "-V" => {
            println!("conf-server {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let named = COMMANDS.iter().find(|command| command.name == first);
    if named.is_some() {
        given.remove(0);
    }
    let outcome = match named.or(COMMANDS.first()) {
        Some(command) => (command.run)(Words::new(given)),
        None => Err(Fault::Usage(String::new())),
    };
    let (text, code) = match outcome {
        Ok(code) => return code,
        Err(Fault::Usage(text)) => (format!("{text}\n\n{}", usage()), USAGE_ERROR),
        Err(Fault::Refused(text)) => (format!("{text}\n"), REFUSED),
        Err(Fault::Start(text, code)) => (format!("{text}\n"), code),
        Err(Fault::Failed(text)) => (format!("{text}\n"), FAILED),
    };
    eprint!("conf-server: {text}");
    ExitCode::from(code)
}

fn usage() -> String {
    let lines = COMMANDS.iter().map(|it| (format!("{} {}", it.name, it.options), it.purpose));
    let lines: Vec<_> = lines.collect();
    let width = lines.iter().map(|(left, _)| left.len()).max().unwrap_or(0);
    let mut text = "Usage: conf-server [COMMAND] [OPTION…]\n\n".to_owned();
    for (left, purpose) in lines {
        text.push_str(&format!("  {left:<width$}   {purpose}\n"));
    }
    text.push_str("\n  --version, --help\n");
    text
}

const USAGE_ERROR: u8 = 64;
const REFUSED: u8 = 78;
const FAILED: u8 = 1;
