//! The sockets and threads that drive the engine (feature `net`).
//!
//! ```text
//!  UDP ──► net/shard (a pinned thread and a socket each: batch, Shard) ──► net/worker (DTLS, SCTP)
//!   ▲         │ ▲ ▲ ▲                                                         │
//!   │         │ │ │ └─ net/route (director) ◄── Command::{SetKeys, …}, Report ─┘
//!   └─────────┤ │ └── rings from the other shards
//!  TCP ◄──────┴─┴──► net/tcp (one thread for all connections, a ring each way and shard)
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

use mio::net::TcpListener;
use socket2::Socket;

use crate::command::{Command, Event, Fingerprint};
use crate::director::ShardIndex;
use crate::dtls::{Acceptor, Backend, DtlsError};
use crate::ice::{Candidate, Transport};
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
mod tcp;
mod wake;
mod worker;

pub use address::Advertised;
pub use frames::{FrameReader, FrameWriter, Next};
pub use socket::probe;
pub use tcp::TcpCounters;

/// What the media engine's sockets are made with.
#[derive(Clone, Debug)]
pub struct MediaConfig {
    /// One address, or one of each family; port 0 takes a free one. A single `[::]` takes IPv4
    /// too, and means `0.0.0.0` where the system has no IPv6.
    pub listen: Vec<SocketAddr>,
    /// Take TCP connections too, on the same port numbers.
    pub tcp: bool,
    /// What browsers are told; empty: `listen`, or every address of this machine where that is
    /// `0.0.0.0` or `::`.
    pub advertise: Vec<Advertised>,
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

impl Default for MediaConfig {
    /// A free port of `127.0.0.1`, over UDP and TCP, one media thread, `dimpl`, seed 0, the 8
    /// loudest.
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
            tcp: true,
            advertise: Vec::new(),
            shards: 1,
            dtls: Backend::Dimpl,
            seed: 0,
            loudest: 8,
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// The port cannot be had.
    #[error("media cannot listen on {address} ({transport})")]
    Listen {
        /// One of `media.listen`.
        address: SocketAddr,
        /// Over what.
        transport: Transport,
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
    #[error("no address to tell browsers was found; set media.advertise")]
    NoAddress,
    /// No address at all, or two of one family.
    #[error("media listens on {count} addresses; allowed is one, or one of each family")]
    Addresses {
        /// How many were given.
        count: usize,
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
    candidates: Vec<Candidate>,
    tcp: Option<tcp::Tcp>,
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
    let ports = open(&config, count)?;
    let local: Vec<_> = ports.iter().map(|port| port.local).collect();
    let candidates = address::candidates(&config, &local)?;
    let stop = Arc::new(AtomicBool::new(false));
    let names = (0..count).map(|number| format!("conf-shard-{number}"));
    let opened = names.map(|name| shard::Handle::new(&name)).collect::<Result<Vec<_>, _>>()?;
    let (handles, orders): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
    let route = route::Route::new(handles.clone());
    let mut threads = Vec::new();
    let workers = worker::Pool::start(&acceptor, &route, &events, &mut threads)?;
    let mirrors: Vec<Arc<Mirror>> = (0..count).map(|_| Arc::default()).collect();
    let (sockets, listeners) = by_thread(ports, count);
    let (tcp, ways) = start_tcp(listeners, &handles, &stop, &mut threads)?;
    let parts = sockets.into_iter().zip(ways).zip(orders).zip(link::mesh(count));
    let places = place::cores(config.shards, count).into_iter().zip(&mirrors);
    for ((number, (((sockets, tcp), orders), links)), (core, mirror)) in
        (0u8..).zip(parts).zip(places)
    {
        let shard = shard::Thread {
            number: ShardIndex(number),
            sockets,
            tcp,
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
    let inner = Inner { route, workers, candidates, tcp, acceptor, mirrors, stop, threads };
    Ok(Media { inner: Arc::new(inner) })
}

/// Opens all ports, for so many media threads.
fn open(config: &MediaConfig, count: usize) -> Result<Vec<socket::Port>, NetError> {
    let alone = match *config.listen {
        [_] => true,
        [one, other] if one.is_ipv4() != other.is_ipv4() => false,
        _ => return Err(NetError::Addresses { count: config.listen.len() }),
    };
    let open = |&address| socket::open(address, (count, config.tcp), alone);
    config.listen.iter().map(open).collect()
}

/// For each media thread its socket of each port; and what listens for connections.
fn by_thread(ports: Vec<socket::Port>, count: usize) -> (Vec<Vec<Socket>>, Vec<TcpListener>) {
    let mut sockets: Vec<Vec<Socket>> = (0..count).map(|_| Vec::new()).collect();
    let mut listeners = Vec::new();
    for port in ports {
        sockets.iter_mut().zip(port.udp).for_each(|(of_thread, socket)| of_thread.push(socket));
        listeners.extend(port.tcp);
    }
    (sockets, listeners)
}

/// Starts the thread of the connections, if there is something to accept them from.
fn start_tcp(
    listeners: Vec<TcpListener>,
    handles: &[shard::Handle],
    stop: &Arc<AtomicBool>,
    threads: &mut Vec<JoinHandle<()>>,
) -> Result<(Option<tcp::Tcp>, Vec<Option<tcp::Way>>), NetError> {
    if listeners.is_empty() {
        return Ok((None, handles.iter().map(|_| None).collect()));
    }
    let name = "conf-tcp".to_owned();
    let started = tcp::Tcp::start(listeners, handles, stop);
    let (tcp, ways, thread) = started.map_err(|cause| NetError::Thread { name, cause })?;
    threads.push(thread);
    Ok((Some(tcp), ways.into_iter().map(Some).collect()))
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
    pub fn candidates(&self) -> &[Candidate] {
        &self.inner.candidates
    }

    /// What became of TCP connections; all 0 where none are taken.
    #[must_use]
    pub fn tcp_counters(&self) -> TcpCounters {
        self.inner.tcp.as_ref().map(tcp::Tcp::counters).unwrap_or_default()
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
        if let Some(tcp) = &self.tcp {
            tcp.wake();
        }
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
