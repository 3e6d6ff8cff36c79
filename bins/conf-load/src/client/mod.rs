//! Thousands of publishers and subscribers on a few threads.
//!
//! ```text
//!  Fleet::open ─► socket, credentials (for the offer) ─► Fleet::begin ─► worker (thread, epoll)
//!                                                                        peer: ice ─► dtls ─► keys
//!                                                                          publish: shape ─► SRTP
//!                                                                          receive: counts, latency
//!  Fleet::news  ◄─ steps of joining, failures ◄──────────────────────────┘
//!  Fleet::counts ◄─ totals and distributions of all threads
//! ```
//!
//! Each publisher and each subscriber has one UDP socket of its own, as browsers have. A client
//! stays on its thread.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::oneshot;

use crate::clock;
use crate::door::{Entered, Local};
use crate::plan::Suite;
use crate::sdp::Remote;
use crate::shape::Random;

pub mod counts;
mod dtls;
mod ice;
pub mod own;
mod peer;
mod publish;
mod receive;
mod socket;
mod stream;
mod worker;

pub use counts::{ClientId, Counts, News, Step, Totals};
pub use publish::{Feed, Sends};
pub use receive::{Manners, Opens};

use dtls::{Done, Identity};
use ice::{Ice, Sides};
use peer::{Part, Peer};
use publish::Publisher;
use receive::Receiver;
use worker::{Handle, Order};

/// What a fleet is made with.
#[derive(Clone, Copy, Debug)]
pub struct FleetConfig {
    /// The address that sockets are bound to.
    pub ip: IpAddr,
    /// The one SRTP profile that is offered.
    pub suite: Suite,
    /// Threads that drive the sockets.
    pub threads: usize,
    /// Of all that is random.
    pub seed: u64,
}

/// All clients of this process.
pub struct Fleet {
    config: FleetConfig,
    identity: Identity,
    workers: Vec<(Handle, Option<JoinHandle<()>>)>,
    news: UnboundedReceiver<News>,
    random: Random,
    epoch: Instant,
    opened: ClientId,
}

/// A client that can be offered, with a socket of its own.
#[derive(Debug)]
pub struct Opened {
    /// Its name here.
    pub id: ClientId,
    /// Its side of the transport.
    pub local: Local,
    socket: UdpSocket,
}

/// What a client is to do once it is connected.
#[derive(Debug)]
pub enum Role {
    /// Sends. The number says how many receive each packet; it may change.
    Publisher(Vec<Sends>, Arc<AtomicU64>),
    /// Receives.
    Subscriber(Manners),
}

impl Fleet {
    /// Makes the certificate and starts the threads.
    ///
    /// # Errors
    /// Of the system, and of the handshakes' libraries.
    pub fn start(config: FleetConfig) -> anyhow::Result<Self> {
        let (sender, news) = unbounded_channel();
        let mut workers = Vec::new();
        for number in 0..config.threads {
            let (handle, thread) = worker::start(number, sender.clone())?;
            workers.push((handle, Some(thread)));
        }
        Ok(Self {
            config,
            identity: Identity::generate(config.suite.profile())?,
            workers,
            news,
            random: Random::new(config.seed ^ 0x6c6f_6164),
            epoch: clock::now(),
            opened: 0,
        })
    }

    /// Allows as many sockets as the system lets this process have.
    ///
    /// # Errors
    /// Names the limit if `clients` do not fit.
    pub fn make_room(clients: usize) -> anyhow::Result<()> {
        let needed = u64::try_from(clients).unwrap_or(u64::MAX).saturating_add(SPARE_FILES);
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        if soft >= needed {
            return Ok(());
        }
        setrlimit(Resource::RLIMIT_NOFILE, needed.min(hard), hard)?;
        anyhow::ensure!(
            hard >= needed,
            "{clients} clients need {needed} open files, the limit is {hard} (ulimit -Hn)"
        );
        Ok(())
    }

    /// Opens a socket and makes credentials.
    ///
    /// # Errors
    /// If the system gives no socket.
    pub fn open(&mut self) -> anyhow::Result<Opened> {
        let socket = socket::open(self.config.ip)?;
        let local = Local {
            address: socket.local_addr()?,
            ufrag: self.text(8),
            password: self.text(24),
            fingerprint: self.identity.fingerprint(),
        };
        let id = self.opened;
        self.opened += 1;
        Ok(Opened { id, local, socket })
    }

    /// Begins to connect; what happens comes as [`News`].
    ///
    /// # Errors
    /// If the server's address cannot be used.
    pub fn begin(&mut self, opened: Opened, entered: &Entered, role: Role) -> anyhow::Result<()> {
        let remote = &entered.remote;
        let candidate = pick(&remote.candidates, self.config.ip);
        let candidate = candidate.ok_or_else(|| anyhow::anyhow!("the server has no address"))?;
        opened.socket.connect(candidate)?;
        let Some((handle, _)) = self.workers.get(opened.id % self.workers.len().max(1)) else {
            anyhow::bail!("the fleet has no thread");
        };
        let handle = handle.clone();
        let part = self.part(opened.id, remote, role);
        let own = (opened.id, Arc::new(opened.socket));
        let peer = match &entered.keys {
            Some(keys) => Peer::keyed(own, keys, part)?,
            None => {
                let sides = Sides {
                    local: (opened.local.ufrag, opened.local.password),
                    remote: (remote.ufrag.clone(), remote.password.clone()),
                };
                let ice = Ice::new(&sides, self.random.bits(), clock::now());
                let (to, id) = (handle.clone(), opened.id);
                let done: Done = Box::new(move |outcome| to.send(Order::Outcome(id, outcome)));
                Peer::new(own, ice, (self.identity.clone(), remote.fingerprint, done), part)
            }
        };
        handle.send(Order::Add(Box::new(peer)));
        Ok(())
    }

    fn part(&self, id: ClientId, remote: &Remote, role: Role) -> Part {
        let now = clock::now();
        match role {
            Role::Publisher(sends, audience) => {
                Part::Publisher(Publisher::new(remote, sends, audience, (self.epoch, now)))
            }
            Role::Subscriber(manners) => {
                let own = u32::try_from(id).unwrap_or_default().wrapping_add(1);
                Part::Receiver(Receiver::new(remote, manners, (own, now)))
            }
        }
    }

    /// The next thing that happened; waits for it.
    pub async fn news(&mut self) -> Option<News> {
        self.news.recv().await
    }

    /// The client leaves without a word.
    pub fn remove(&self, id: ClientId) {
        if let Some((handle, _)) = self.workers.get(id % self.workers.len().max(1)) {
            handle.send(Order::Remove(id));
        }
    }

    /// All subscribers ask for keyframes so often; `None` ends it.
    pub fn storm(&self, every: Option<Duration>) {
        for (handle, _) in &self.workers {
            handle.send(Order::Storm(every));
        }
    }

    /// Totals of all threads, and distributions since the last call; processor time of the threads.
    ///
    /// # Errors
    /// If a thread has ended, by a panic.
    pub async fn counts(&self) -> anyhow::Result<(Counts, Duration)> {
        let mut all = (Counts::new(), Duration::ZERO);
        for (handle, _) in &self.workers {
            let (sender, receiver) = oneshot::channel();
            handle.send(Order::Counts(sender));
            let (counts, busy) = receiver.await?;
            all.0.add(&counts);
            all.1 += busy;
        }
        Ok(all)
    }

    /// A random moment within `period`.
    pub fn phase(&mut self, period: Duration) -> Duration {
        let nanos = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.random.below(nanos))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.random.bits()
    }

    /// Characters of ICE credentials.
    fn text(&mut self, length: usize) -> String {
        let random = &mut self.random;
        let letters =
            (0..length).map(|_| char::from(b'a' + u8::try_from(random.below(26)).unwrap_or(0)));
        letters.collect()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for (handle, _) in &self.workers {
            handle.send(Order::Stop);
        }
        for (_, thread) in &mut self.workers {
            let _ = thread.take().map(JoinHandle::join); // a panic was printed when it happened
        }
    }
}

impl std::fmt::Debug for Fleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fleet").field("opened", &self.opened).finish_non_exhaustive()
    }
}

/// One of the family of our sockets, loopback to loopback first.
fn pick(candidates: &[SocketAddr], ours: IpAddr) -> Option<SocketAddr> {
    let fits = |candidate: &&SocketAddr| candidate.is_ipv4() == ours.is_ipv4();
    let near = |candidate: &&SocketAddr| candidate.ip().is_loopback() == ours.is_loopback();
    let fitting = candidates.iter().filter(fits);
    fitting.clone().find(near).or_else(|| fitting.clone().next()).copied()
}

/// Files beside the clients' sockets.
const SPARE_FILES: u64 = 64;

#[cfg(test)]
mod tests;
