//! ICE over TCP: one thread accepts, reads and writes all connections, so that no media thread ever
//! waits for one.
//!
//! ```text
//!  TCP ──► read, Deframer ──► ring ──► media thread (a path like any other) ──► ring ──► Backlog ──► write
//! ```
//!
//! Datagrams of one connection go to one media thread; what other threads have for it comes by
//! their own rings. What was proven is seen by what goes out: only a valid check is answered with a
//! success.

mod connection;
mod ring;
mod thread;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread::JoinHandle;
use std::time::Instant;

use mio::net::TcpListener;
use mio::{Poll, Waker};

use super::{batch, shard};
use crate::egress::TxBatch;
use crate::ingress::RxBatch;
use crate::tcp::TcpId;
use thread::{BELL, Thread};

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What became of TCP connections and their datagrams: totals since the start, unless it says
        /// otherwise.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TcpCounters {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct Counts {
            $(pub(super) $name: AtomicU64,)*
        }

        impl TcpCounters {
            /// Name and value of each, for the metrics page.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }

        impl Counts {
            pub(super) fn load(&self) -> TcpCounters {
                TcpCounters { $($name: self.$name.load(Ordering::Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Connections now.
    connections,
    /// Of them, those on which no valid check has come.
    half_open,
    /// Connections that were accepted.
    accepted,
    /// Connections that were closed at once: there are too many, or the process has no more files.
    refused,
    /// Half-open connections that made room for newer ones.
    pushed_out,
    /// Connections that were closed because no valid check came in time.
    expired,
    /// Connections that were closed because they carried something else than framed datagrams, or
    /// something else than checks before the first valid one.
    malformed,
    /// Datagrams that found the ring to their media thread full.
    dropped_in,
    /// Datagrams that found the ring from a media thread full.
    dropped_between,
    /// Datagrams for connections that read too slowly.
    dropped_slow,
    /// Datagrams for connections that are gone.
    dropped_gone,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// Wakes the thread of the connections.
#[derive(Debug)]
struct Bell {
    waker: Waker,
    /// The thread waits, or is about to.
    asleep: AtomicBool,
}

impl Bell {
    fn ring(&self) {
        let _ = self.waker.wake(); // fails only when it is set already
    }

    /// As for media threads: either fence is the later one.
    fn ring_if_asleep(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            self.ring();
        }
    }
}

/// A media thread's way to the connections.
pub(super) struct Way {
    incoming: ring::Reader,
    outgoing: ring::Writer,
    bell: Arc<Bell>,
    counts: Arc<Counts>,
}

impl Way {
    pub(super) fn has_mail(&self) -> bool {
        self.incoming.has_mail()
    }

    /// Puts what has come into `batch`, as much as fits; `false` if nothing has.
    pub(super) fn receive(&mut self, batch: &mut RxBatch) -> bool {
        batch.clear();
        for _ in 0..RxBatch::SLOTS {
            let put = |from, arrival, bytes: &[u8]| batch.push(from, bytes, arrival);
            if self.incoming.next(put).is_none() {
                break;
            }
        }
        !batch.is_empty()
    }

    /// Takes those of the runs that go over TCP.
    pub(super) fn send(&mut self, now: Instant, batch: &TxBatch) {
        let (mut all, mut lost) = (0, 0);
        for run in batch.runs().filter(|run| TcpId::of(run.to()).is_some()) {
            for datagram in run.datagrams() {
                all += 1;
                lost += usize::from(!self.outgoing.push(run.to(), now, datagram));
            }
        }
        if all > 0 {
            Counts::add(&self.counts.dropped_between, lost);
            self.bell.ring_if_asleep();
        }
    }
}

/// The thread of the connections, from outside.
pub(super) struct Tcp {
    bell: Arc<Bell>,
    counts: Arc<Counts>,
}

impl Tcp {
    /// Starts the thread; one [`Way`] for each of `shards`, in their order.
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        shards: &[shard::Handle],
        stop: &Arc<AtomicBool>,
    ) -> io::Result<(Self, Vec<Way>, JoinHandle<()>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), BELL)?;
        let bell = Arc::new(Bell { waker, asleep: AtomicBool::new(false) });
        let counts = Arc::<Counts>::default();
        let (mut ways, mut lanes) = (Vec::new(), Vec::new());
        for handle in shards {
            let (to_shard, incoming) = ring::ring(RING);
            let (outgoing, from_shard) = ring::ring(RING);
            let (bell, counts) = (bell.clone(), counts.clone());
            ways.push(Way { incoming, outgoing, bell, counts });
            lanes.push(thread::Lane::new(to_shard, from_shard, handle.clone()));
        }
        let thread =
            Thread::new((poll, bell.clone()), listeners, lanes, counts.clone(), stop.clone());
        let thread = thread.and_then(Thread::spawn)?;
        Ok((Self { bell, counts }, ways, thread))
    }

    pub(super) fn counters(&self) -> TcpCounters {
        self.counts.load()
    }

    pub(super) fn wake(&self) {
        self.bell.ring();
    }
}

/// Bytes of each ring: some hundred packets of video, and what leaves for many at once.
const RING: usize = 1 << 20;
