//! Load generator and meter for SFUs: simulated publishers and subscribers with real ICE, DTLS and
//! SRTP, thousands in one process.
//!
//! ```text
//!  cli ─► plan ─► scenario ──► door (whip, janus): HTTP, kept alive, one for all
//!                    │  ▲
//!                    ▼  │ steps of joining, counts
//!                 client: a few threads with epoll; one UDP socket a publisher or subscriber
//!                    │        shape ─► packets ─► SRTP ─► server ─► SRTP ─► latency, gaps, loss
//!                    ▼
//!                 meter (/proc of the server, of this process, of the machine) ─► report
//! ```
//!
//! | what | where |
//! |---|---|
//! | what is asked for | [`cli`], [`plan`] |
//! | how publishers and subscribers enter a server | [`door`] |
//! | what any server has to do, and nothing else | [`floor`] |
//! | a bad network between clients and server | [`relay`] |
//! | their offers and what servers answer | [`sdp`] |
//! | sockets, connectivity checks, handshakes, packets | [`client`] |
//! | what a camera or microphone sends, and when | [`shape`] |
//! | which of them do what when | [`scenario`] |
//! | processor, memory, other load | [`meter`] |
//! | JSON, CSV, HTML | [`report`] |
//!
//! Latency is the time from a publisher's send to the kernel's receive stamp at a subscriber's
//! socket, read from inside authenticated payloads ([`stamp`]): servers rewrite everything else.

use std::process::ExitCode;

pub mod cli;
pub mod client;
pub mod clock;
pub mod door;
pub mod floor;
pub mod meter;
pub mod plan;
pub mod relay;
pub mod report;
pub mod scenario;
pub mod sdp;
pub mod shape;
pub mod stamp;

/// Runs the program with the words of its command line (without its name).
#[must_use]
pub fn main(words: &[String]) -> ExitCode {
    match run(words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("conf-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> anyhow::Result<()> {
    match cli::parse(words)? {
        cli::Task::Help => say(cli::HELP),
        cli::Task::Run(plan) => scenario::run(&plan)?,
        cli::Task::Floor(listen) => floor::Floor::bind(listen)?.serve()?,
        cli::Task::Relay(plan) => relay::run(&plan)?,
        cli::Task::Own(own) => say(&client::own::measure(&own)?.to_string()),
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "what a command line is for")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
