//! A relay that impairs what goes through it: the simulated links on real sockets.
//!
//! ```text
//!  clients ─► UDP and TCP port ──► link "up"   ──► a socket a client ──► server
//!          ◄──────────────────────  link "down" ◄──
//! ```
//!
//! Each direction is one [`Link`](conf_media::sim::Link), shared by everything that goes that way,
//! as an access line is. Towards the server the relay is a NAT: each client has a socket of its own
//! there, and at the moments asked for all of them are exchanged for others (rebinding).
//!
//! A byte stream loses nothing: where the link loses a piece of it, the piece and all behind it come
//! [`tcp::RETRANSMISSION`] later; where the queue is full, the sender waits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use conf_media::sim::Plan;
use tokio::net::{TcpListener, UdpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

mod line;
mod report;
mod tcp;
mod udp;

use line::Line;
use report::Counts;
pub use report::Report;

/// What a relay is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct RelayPlan {
    /// Its address for clients, the same for UDP and TCP.
    pub listen: SocketAddr,
    /// The server.
    pub to: SocketAddr,
    /// From clients to the server.
    pub up: Plan,
    /// From the server to clients.
    pub down: Plan,
    /// When its ports towards the server change, since the beginning.
    pub rebinds: Vec<Duration>,
    /// When it ends; `None`: when it is told to.
    pub length: Option<Duration>,
    /// Of all that is random.
    pub seed: u64,
    /// Where the report goes; `None` and `-`: standard output.
    pub json: Option<PathBuf>,
}

/// A relay at work; it ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// What all its tasks share.
#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    up: Line,
    down: Line,
    counts: Counts,
}

impl Relay {
    /// Opens both ports and begins: time runs from now on.
    ///
    /// # Errors
    /// If an address cannot be had.
    pub async fn start(plan: &RelayPlan) -> Result<Self> {
        let listen = plan.listen;
        let listener = TcpListener::bind(listen).await;
        let listener = listener.with_context(|| format!("cannot listen on TCP {listen}"))?;
        let address = listener.local_addr()?;
        let socket = UdpSocket::bind(address).await;
        let socket = socket.with_context(|| format!("cannot listen on UDP {address}"))?;
        udp::enlarge(&socket);
        let now = crate::clock::now();
        let shared = Arc::new(Shared {
            to: plan.to,
            up: Line::new(now, &plan.up, plan.seed),
            down: Line::new(now, &plan.down, plan.seed ^ 1),
            counts: Counts::default(),
        });
        let rebinds: Vec<_> = plan.rebinds.iter().map(|at| now + *at).collect();
        let mut tasks = JoinSet::new();
        udp::spawn(&mut tasks, socket, &shared, rebinds.clone());
        tcp::spawn(&mut tasks, listener, &shared, rebinds);
        Ok(Self { address, shared, tasks })
    }

    /// Where clients find it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What was counted so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let Shared { up, down, counts, .. } = &*self.shared;
        Report::new(counts, up.stats(), down.stats())
    }

    /// Until a task of it ends, which none does by itself.
    async fn ended(&mut self) {
        let _ = self.tasks.join_next().await;
    }
}

/// Relays until the time is over or the process is told to end; then says what was counted.
///
/// # Errors
/// If an address cannot be had, or the report cannot be written.
pub fn run(plan: &RelayPlan) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("relay")
        .enable_all()
        .build()?;
    let report = runtime.block_on(async {
        let (mut terminated, mut interrupted) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let mut relay = Relay::start(plan).await?;
        eprintln!("conf-load relay: {} to {}", relay.address(), plan.to);
        let length = plan.length.unwrap_or(FOREVER);
        tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted.recv() => {}
            () = tokio::time::sleep(length) => {}
            () = relay.ended() => anyhow::bail!("the relay stopped by a fault of its own"),
        }
        Ok(relay.report())
    })?;
    report.write(plan.json.as_deref())
}

/// Longer than anybody waits.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 86_400);

#[cfg(test)]
mod tests;
