//! `conf-server [serve]`: serves until it is told to end.
#![allow(clippy::print_stdout, reason = "a command line answers on standard output")]

use std::process::ExitCode;
use std::time::Duration;

use conf_server::{Config, Server, log};

use super::words::configuration;
use super::{Fault, Outcome, Words};

pub(super) fn run(words: Words) -> Outcome {
    let config = configuration(words.only_file()?.as_deref())?;
    log::start(config.log_level);
    forbid_core_dumps();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .on_thread_start(make_way_for_media)
        .build()
        .map_err(|error| Fault::Failed(error.to_string()))?;
    let outcome = runtime.block_on(serve_until_told(config));
    runtime.shutdown_timeout(Duration::from_millis(500));
    outcome
}

/// A thread of the runtime runs after those that forward media, whatever else it has to do.
fn make_way_for_media() {
    if rustix::process::nice(CONTROL_PRIORITY).is_err() {
        tracing::debug!("a control thread runs at the usual priority");
    }
}

/// What people say is in memory only, so memory must not be written to a disk when something
/// crashes. The limit does not hold for dumps that the kernel pipes to a program; the second does.
fn forbid_core_dumps() {
    use nix::sys::prctl::set_dumpable;
    use nix::sys::resource::{Resource, setrlimit};
    if setrlimit(Resource::RLIMIT_CORE, 0, 0).and(set_dumpable(false)).is_err() {
        tracing::warn!("core dumps cannot be switched off");
    }
}

async fn serve_until_told(config: Config) -> Outcome {
    let only_here = config.policy.is_none();
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hang_up)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
        signal(SignalKind::hangup()),
    ) else {
        return Err(Fault::Failed("signals cannot be received".to_owned()));
    };
    let started = Server::start(config).await;
    let server = started.map_err(|error| Fault::Start(error.to_string(), error.code()))?;
    if let Some(link) = server.open_room_link() {
        println!("\n  The open room is ready. Open this link in two browser tabs to meet:\n");
        println!("      {link}\n");
    }
    if let Some(link) = server.first_administrator_link() {
        println!("  Nobody administers this server yet. This link makes the first one, once,");
        println!("  within 24 hours (later: conf-server admin link):\n");
        println!("      {link}\n");
    }
    if only_here {
        println!("  It serves this machine only, until a policy names who is responsible.\n");
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hang_up.recv() => server.reload(),
        }
    }
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// Added to the nice value; as that of the threads that do handshakes.
const CONTROL_PRIORITY: i32 = 5;
