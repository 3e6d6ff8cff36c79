//! The command line: `conf-server [serve] [--config PATH]` and `conf-server config --explain`.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::path::PathBuf;
use std::process::ExitCode;

use conf_server::{Config, Server, config, log};

/// Does what the command line says.
pub(crate) fn run() -> ExitCode {
    match parse(std::env::args().skip(1)) {
        Ok(Action::Serve { file }) => serve(file),
        Ok(Action::Explain) => {
            print!("{}", config::explain());
            ExitCode::SUCCESS
        }
        Ok(Action::Help) => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        Ok(Action::Version) => {
            println!("conf-server {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        Err(word) => {
            eprint!("conf-server: {word} is not understood\n\n{USAGE}");
            ExitCode::from(USAGE_ERROR)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    Serve { file: Option<PathBuf> },
    Explain,
    Help,
    Version,
}

fn parse(words: impl IntoIterator<Item = String>) -> Result<Action, String> {
    let mut words = words.into_iter().peekable();
    match words.peek().map(String::as_str) {
        Some("config") => {
            words.next();
            match (words.next().as_deref(), words.next()) {
                (Some("--explain"), None) => Ok(Action::Explain),
                (word, _) => Err(format!("config {}", word.unwrap_or_default())),
            }
        }
        Some("--help" | "-h" | "help") => Ok(Action::Help),
        Some("--version" | "-V") => Ok(Action::Version),
        Some("serve") => {
            words.next();
            parse_serve(words)
        }
        _ => parse_serve(words),
    }
}

fn parse_serve(mut words: impl Iterator<Item = String>) -> Result<Action, String> {
    let mut file = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "--config" => {
                file = Some(words.next().ok_or("--config without a path")?.into());
            }
            _ => match word.strip_prefix("--config=") {
                Some(path) => file = Some(path.into()),
                None => return Err(word),
            },
        }
    }
    Ok(Action::Serve { file })
}

fn serve(file: Option<PathBuf>) -> ExitCode {
    // A variable that is no text has no key of ours in its name, or a value that is refused below.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()));
    let config = match Config::load(file.as_deref(), environment) {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string(), CONFIGURATION_ERROR),
    };
    log::start(config.log_level);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string(), 1),
    };
    let code = runtime.block_on(serve_until_told(config));
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    code
}

async fn serve_until_told(config: Config) -> ExitCode {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return fail("signals cannot be received", 1);
    };
    let server = match Server::start(config).await {
        Ok(server) => server,
        Err(error) => return fail(&error.to_string(), CONFIGURATION_ERROR),
    };
    println!("\n  The open room is ready. Open this link in two browser tabs to meet:\n");
    println!("      {}\n", server.open_room_link());
    println!("  It serves this machine only, until a policy names who is responsible.\n");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    server.stop().await;
    ExitCode::SUCCESS
}

fn fail(problem: &str, code: u8) -> ExitCode {
    eprintln!("conf-server: {problem}");
    ExitCode::from(code)
}

const USAGE: &str = "\
Usage: conf-server [serve] [--config PATH]   serve (configuration: PATH, or ./conf.toml if there)
       conf-server config --explain          list all keys of the configuration
       conf-server --version | --help
";
/// `EX_USAGE` and `EX_CONFIG` of sysexits.
const USAGE_ERROR: u8 = 64;
const CONFIGURATION_ERROR: u8 = 78;

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Result<Action, String> {
        parse(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn serving_is_what_happens_without_words() {
        assert_eq!(words(""), Ok(Action::Serve { file: None }));
        assert_eq!(words("serve"), Ok(Action::Serve { file: None }));
        let file = Some(PathBuf::from("a.toml"));
        assert_eq!(words("--config a.toml"), Ok(Action::Serve { file: file.clone() }));
        assert_eq!(words("serve --config=a.toml"), Ok(Action::Serve { file }));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(words("config --explain"), Ok(Action::Explain));
        assert_eq!(words("config"), Err("config ".into()));
        assert_eq!(words("serve --conifg a"), Err("--conifg".into()));
        assert_eq!(words("--config"), Err("--config without a path".into()));
    }
}
