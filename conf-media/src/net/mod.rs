//! The sockets and threads that drive the engine (feature `net`).
//!
//! ```text
//!  UDP ──► net/shard (a pinned thread and a socket each: batch, Shard) ──► net/worker (DTLS, SCTP)
//!   ▲         │ ▲  ▲                                                          │
//!   │         │ │  └── net/route (director) ◄── Command::{SetKeys, …}, Report ─┘
//!   └─────────┘ └── rings from the other shards
//! ```
//!
//! Media threads take no lock and wait for nobody. Where the system allows it they run before
//! everything else; control threads make way for them either way.
//!
//! [`start`] opens the port and starts the threads; [`Media`] is the handle with which the control
//! plane speaks to them. Events come through one callback, from whichever thread they arise on.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::command::{Command, Event, Fingerprint};
use crate::director::ShardIndex;
use crate::dtls::{Acceptor, Backend, DtlsError};
use crate::shard::{ShardConfig, link};
use crate::stats::{Counters, Mirror};

mod address;
pub mod batch;
pub mod control;
mod frames;
mod place;
mod route;
mod shard;
mod socket;
mod wake;
mod worker;

pub use frames::{FrameReader, FrameWriter, Next};

/// What the media engine's sockets are made with.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// UDP address; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What browsers are told; empty: `listen`, or every address of this machine if that is
    /// `0.0.0.0` or `::`. Port 0 stands for the port that is listened on.
    pub advertise: Vec<SocketAddr>,
    /// How many media threads, each with a socket of its own on the port; at most
    /// [`crate::director::MAX_SHARDS`]. 0: one per core that the process may use, and a single one
    /// where there are two cores or fewer.
    pub shards: usize,
    /// What does the handshakes.
    pub dtls: Backend,
    /// Random: keys the engine's hash maps.
    pub seed: u64,
    /// How many microphones of a room are forwarded, the loudest ones; 1 to 64.
    pub loudest: usize,
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The port cannot be had.
    #[error("media cannot listen on {address} (UDP)")]
    Listen {
        /// `media.listen`.
        address: SocketAddr,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// The machine's addresses cannot be listed.
    #[error("the addresses of this machine cannot be listed; set media.advertise")]
    Interfaces {
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// No address to tell browsers.
    #[error("no address to reach {address} at was found; set media.advertise")]
    NoAddress {
        /// `media.listen`.
        address: SocketAddr,
    },
    /// A thread could not be started.
    #[error("the thread {name} cannot be started")]
    Thread {
        /// Its name.
        name: String,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// There is no certificate for the handshakes, or no thread.
    #[error(transparent)]
    Dtls(#[from] DtlsError),
}

/// Where events go.
type Events = Arc<dyn Fn(Event) + Send + Sync>;

/// The running engine; clones are handles to the same one.
#[derive(Clone)]
pub struct Media {
    inner: Arc<Inner>,
}

struct Inner {
    route: route::Route,
    workers: worker::Pool,
    candidates: Vec<SocketAddr>,
    acceptor: Acceptor,
    mirrors: Vec<Arc<Mirror>>,
    stop: Arc<AtomicBool>,
    #[expect(clippy::disallowed_types, reason = "taken once, by stop")]
    threads: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

/// Opens the port, makes the certificate and starts the threads.
///
/// `events` is called from the engine's threads and must not block.
///
/// # Errors
/// [`NetError`] names the address and the cause.
pub fn start(
    config: MediaConfig,
    events: Box<dyn Fn(Event) + Send + Sync>,
) -> Result<Media, NetError> {
    let events: Events = Arc::from(events);
    let acceptor = Acceptor::start(config.dtls)?;
    let count = place::shards(config.shards);
    let sockets = socket::bind_all(config.listen, count)?;
    let local = sockets.first().map(|first| socket::local_address(first, config.listen));
    let candidates = address::candidates(&config, local.transpose()?.unwrap_or(config.listen))?;
    let stop = Arc::new(AtomicBool::new(false));
    let names = (0..count).map(|number| format!("conf-shard-{number}"));
    let opened = names.map(|name| shard::Handle::new(&name)).collect::<Result<Vec<_>, _>>()?;
    let (handles, orders): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    let route = route::Route::new(handles.clone());
    let mut threads = Vec::new();
    let workers = worker::Pool::start(&acceptor, &route, &events, &mut threads)?;
    let mirrors: Vec<Arc<Mirror>> = (0..count).map(|_| Arc::default()).collect();
    let parts = sockets.into_iter().zip(orders).zip(link::mesh(count));
    let places = place::cores(config.shards, count).into_iter().zip(&mirrors);
    for ((number, ((socket, orders), links)), (core, mirror)) in (0u8..).zip(parts).zip(places) {
        let shard = shard::Thread {
            number: ShardIndex(number),
            socket,
            orders,
            handles: handles.clone(),
            workers: workers.clone(),
            events: events.clone(),
            mirror: mirror.clone(),
            stop: stop.clone(),
            core,
        };
        let (seed, loudest) = (config.seed, config.loudest);
        let config = ShardConfig { seed, loudest, ..ShardConfig::default() };
        threads.push(shard.spawn(config, links)?);
    }
    tracing::info!(candidates = candidates.len(), shards = count, "media engine listens");
    let threads = threads.into();
    let inner = Inner { route, workers, candidates, acceptor, mirrors, stop, threads };
    Ok(Media { inner: Arc::new(inner) })
}

impl Media {
    /// Hands a command to the shard, to the peer's handshake, or to both.
    pub fn send(&self, command: Command) {
        if let Some(job) = worker::Job::of(&command) {
            self.inner.workers.send(job); // first, so that the peer's first datagram finds it
        }
        if !matches!(command, Command::Negotiate { .. } | Command::SendData { .. }) {
            self.inner.route.send(command);
        }
    }

    /// How many media threads run.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inner.mirrors.len()
    }

    /// Addresses that browsers are told (ICE host candidates).
    #[must_use]
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.inner.candidates
    }

    /// Of the certificate that every handshake shows; for the SDP.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.inner.acceptor.fingerprint()
    }

    /// Totals, a few milliseconds old.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = Counters::default();
        let mirrors = self.inner.mirrors.iter().chain(self.inner.workers.mirrors());
        mirrors.for_each(|mirror| counters.add(&mirror.load()));
        counters.handshake_panics = self.inner.acceptor.panics().count();
        counters
    }

    /// Ends all threads and waits for them. Call it from none of them, so not from `events`.
    pub fn stop(self) {
        self.inner.ask_to_stop();
        let threads = match self.inner.threads.lock() {
            Ok(mut threads) => std::mem::take(&mut *threads),
            Err(_) => return,
        };
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a media thread ended by a panic");
            }
        }
    }
}

impl Inner {
    fn ask_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.route.wake_all();
        self.workers.stop();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.ask_to_stop();
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media").finish_non_exhaustive()
    }
}

/// An IPv4 peer on a dual-stack socket is an IPv4 peer.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// The form a dual-stack socket wants.
fn for_socket(address: SocketAddr, dual: bool) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if dual => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), address.port()),
        _ => address,
    }
}

#[cfg(test)]
mod tests;
