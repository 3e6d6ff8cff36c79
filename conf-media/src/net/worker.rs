//! The threads that run handshakes and data channels, so that a signature never delays media.
//!
//! Each peer belongs to one worker by its id. A worker waits on its queue or for the next timer. A
//! panic in a peer's machine ends that peer and nothing else.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use bytes::Bytes;

use super::control::{Input, Output, Transport};
use super::route::Route;
use super::{Events, NetError, batch, place};
use crate::command::{Command, Event, Fingerprint, PeerId};
use crate::data::{self, Channel, Closing, DataStats, Outgoing};
use crate::director::{Report, ShardIndex};
use crate::dtls::{Acceptor, Wake};
use crate::stats::{Counters, Mirror};

/// What a worker is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    Add(PeerId),
    Expect(PeerId, Fingerprint),
    Remove(PeerId),
    Datagram(PeerId, Bytes),
    Negotiate(PeerId, u16, Channel),
    AskStats(PeerId),
    /// Only what its senders may have under way waits here.
    Data(PeerId, Arc<str>, Outgoing),
    /// The peer's handshake, on a thread of its own, has something new.
    Wake(PeerId),
    /// A shard has something for the director: no media thread waits for its lock.
    Report(ShardIndex, Report),
    Stop,
}

impl Job {
    /// The worker's part of a command, where it has one.
    pub(super) fn of(command: &Command) -> Option<Self> {
        match command {
            Command::AddPeer { peer, .. } => Some(Self::Add(*peer)),
            Command::ExpectFingerprint { peer, fingerprint } => {
                Some(Self::Expect(*peer, *fingerprint))
            }
            Command::RemovePeer { peer } => Some(Self::Remove(*peer)),
            Command::AskStats { peer } => Some(Self::AskStats(*peer)),
            Command::Negotiate { peer, stream, channel } => {
                Some(Self::Negotiate(*peer, *stream, channel.clone()))
            }
            Command::SendData { peer, label, message } => {
                Some(Self::Data(*peer, label.clone(), message.clone()))
            }
            _ => None,
        }
    }

    fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Add(peer)
            | Self::Expect(peer, _)
            | Self::Remove(peer)
            | Self::Datagram(peer, _)
            | Self::Negotiate(peer, ..)
            | Self::AskStats(peer)
            | Self::Data(peer, ..)
            | Self::Wake(peer)
            | Self::Report(_, Report::Claimed { peer }) => Some(*peer),
            Self::Stop => None,
        }
    }
}

/// All workers.
#[derive(Clone)]
pub(super) struct Pool {
    queues: Arc<[Queue]>,
}

struct Queue {
    jobs: Sender<Job>,
    /// Datagrams that wait: what a peer sends must not pile up.
    waiting: Arc<AtomicUsize>,
    mirror: Arc<Mirror>,
}

impl Pool {
    pub(super) fn start(
        acceptor: &Acceptor,
        route: &Route,
        events: &Events,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> Result<Self, NetError> {
        let mut queues = Vec::new();
        for number in 0..WORKERS {
            let (jobs, receiver) = mpsc::channel();
            let (waiting, mirror) = (Arc::new(AtomicUsize::new(0)), Arc::<Mirror>::default());
            let worker = Worker {
                acceptor: acceptor.clone(),
                jobs: jobs.clone(),
                route: route.clone(),
                events: events.clone(),
                waiting: waiting.clone(),
                peers: HashMap::new(),
                timers: BTreeSet::new(),
                half_open: 0,
                messages: VecDeque::new(),
                counters: Counters::default(),
                mirror: mirror.clone(),
            };
            let name = format!("conf-dtls-{number}");
            let thread = Builder::new()
                .name(name.clone())
                .spawn(move || worker.run(&receiver))
                .map_err(|cause| NetError::Thread { name, cause })?;
            threads.push(thread);
            queues.push(Queue { jobs, waiting, mirror });
        }
        Ok(Self { queues: queues.into() })
    }

    pub(super) fn send(&self, job: Job) {
        let Some(queue) = job.peer().and_then(|peer| self.queue(peer)) else { return };
        let _ = queue.jobs.send(job); // fails only after the end
    }

    /// A datagram for a peer's machine; dropped when too many wait, the peer repeats it.
    pub(super) fn datagram(&self, peer: PeerId, bytes: Bytes) {
        let Some(queue) = self.queue(peer) else { return };
        if queue.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING
            || queue.jobs.send(Job::Datagram(peer, bytes)).is_err()
        {
            queue.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// What the workers have counted.
    pub(super) fn mirrors(&self) -> impl Iterator<Item = &Arc<Mirror>> {
        self.queues.iter().map(|queue| &queue.mirror)
    }

    pub(super) fn stop(&self) {
        for queue in self.queues.iter() {
            let _ = queue.jobs.send(Job::Stop);
        }
    }

    fn queue(&self, peer: PeerId) -> Option<&Queue> {
        let count = u64::try_from(self.queues.len()).ok()?;
        let index = usize::try_from(peer.0.checked_rem(count)?).ok()?;
        self.queues.get(index)
    }
}

struct Worker {
    acceptor: Acceptor,
    /// Its own queue, for handshakes that work elsewhere.
    jobs: Sender<Job>,
    route: Route,
    events: Events,
    waiting: Arc<AtomicUsize>,
    peers: HashMap<PeerId, Peer>,
    timers: BTreeSet<(Instant, PeerId)>,
    half_open: usize,
    /// Messages for data channels that wait until there is nothing else to do; only what their
    /// senders may have under way.
    messages: VecDeque<Job>,
    counters: Counters,
    /// A copy of `counters` for others.
    mirror: Arc<Mirror>,
}

struct Peer {
    transport: Transport,
    timer: Option<Instant>,
}

impl Worker {
    fn run(mut self, jobs: &Receiver<Job>) {
        place::defer();
        loop {
            let job = self.next(jobs);
            let now = batch::now().mono;
            match job {
                Ok(Job::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(job @ Job::Data(..)) => self.messages.push_back(job),
                Ok(job) => self.guarded(now, job),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(message) = self.messages.pop_front() {
                        self.guarded(now, message);
                    }
                }
            }
            self.due(now);
        }
    }

    /// The next job. Messages come last, so that no number of them delays a handshake.
    fn next(&self, jobs: &Receiver<Job>) -> Result<Job, RecvTimeoutError> {
        if !self.messages.is_empty() {
            return jobs.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            });
        }
        match self.timers.first() {
            Some((at, _)) => jobs.recv_timeout(at.saturating_duration_since(batch::now().mono)),
            None => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
        }
    }

    /// A panic outside a peer's machine loses the job, not the thread.
    fn guarded(&mut self, now: Instant, job: Job) {
        if catch_unwind(AssertUnwindSafe(|| self.job(now, job))).is_err() {
            tracing::error!("a panic in a control thread was caught");
            self.acceptor.panics().add();
        }
    }

    fn job(&mut self, now: Instant, job: Job) {
        match job {
            Job::Add(peer) => {
                let wake = self.wake(peer);
                let transport = Transport::new(self.acceptor.accept(wake.clone())).waking(wake);
                self.peers.entry(peer).or_insert(Peer { transport, timer: None });
            }
            Job::Wake(peer) => self.drive(peer, |transport| transport.handle(now, Input::Wake)),
            Job::Remove(peer) => self.remove(peer),
            Job::Expect(peer, fingerprint) => {
                self.drive(peer, |transport| transport.handle(now, Input::Expect(fingerprint)));
            }
            Job::Datagram(peer, bytes) => {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
                let idle = self.peers.get(&peer).is_some_and(|peer| peer.transport.is_idle());
                if idle && self.half_open >= MAX_HALF_OPEN {
                    tracing::debug!(limit = MAX_HALF_OPEN, "too many half-open handshakes");
                    return; // the peer repeats its ClientHello
                }
                self.drive(peer, |transport| transport.handle(now, Input::Datagram(&bytes)));
            }
            Job::AskStats(peer) => {
                if let Some(known) = self.peers.get(&peer) {
                    let stats = known.transport.data_stats();
                    (self.events)(Event::DataStats { peer, stats });
                }
            }
            Job::Negotiate(peer, stream, channel) => self.drive(peer, |transport| {
                transport.handle(now, Input::Negotiate { stream, channel });
            }),
            Job::Data(peer, label, message) => self.drive(peer, |transport| {
                transport.handle(now, Input::Message { label: &label, message });
            }),
            Job::Report(from, report) => self.route.report(from, report),
            Job::Stop => {}
        }
    }

    /// Only what is due already: a machine that asks for the past again waits for the next round.
    fn due(&mut self, now: Instant) {
        let later = self.timers.split_off(&(now, PeerId(u64::MAX)));
        for (_, id) in std::mem::replace(&mut self.timers, later) {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.timer = None;
            }
            self.drive(id, |transport| transport.handle_timeout(now));
        }
    }

    /// Lets one machine work, carries out what it asks for and notes its next timer.
    fn drive(&mut self, id: PeerId, work: impl FnOnce(&mut Transport)) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let was_half_open = peer.transport.is_half_open();
        let data = peer.transport.data_stats();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            work(&mut peer.transport);
            std::iter::from_fn(|| peer.transport.poll()).collect::<Vec<_>>()
        }));
        let Ok(outputs) = outcome else {
            tracing::error!("a panic in a handshake was caught");
            self.acceptor.panics().add();
            self.half_open -= usize::from(was_half_open);
            self.forget(id);
            let reason = "internal error in the handshake".into();
            return (self.events)(Event::Failed { peer: id, reason });
        };
        let half_open = peer.transport.is_half_open();
        self.half_open = self.half_open + usize::from(half_open) - usize::from(was_half_open);
        let data = peer.transport.data_stats().since(&data);
        if data != DataStats::default() {
            self.counters.add_data(&data);
            self.mirror.store(&self.counters);
        }
        let timer = peer.transport.timeout();
        if timer != peer.timer {
            if let Some(old) = peer.timer {
                self.timers.remove(&(old, id));
            }
            self.timers.extend(timer.map(|at| (at, id)));
            peer.timer = timer;
        }
        for output in outputs {
            self.output(id, output);
        }
    }

    fn output(&self, peer: PeerId, output: Output) {
        match output {
            Output::Transmit(datagram) => self.route.send(Command::SendDatagram { peer, datagram }),
            Output::Connected(keys) => {
                let profile = keys.profile;
                self.route.send(Command::SetKeys { peer, keys });
                (self.events)(Event::Connected { peer, profile });
            }
            Output::Failed(reason) => {
                tracing::debug!(reason, "a peer failed");
                (self.events)(Event::Failed { peer, reason });
            }
            Output::Data(data::Output::Message { message, .. }) => {
                (self.events)(Event::Data { peer, message });
            }
            Output::Data(data::Output::Closed { why: Closing::TooSlow, .. }) => {
                tracing::debug!("a data channel was closed: its peer takes too little");
            }
            // Counted; nobody asks which channels there are.
            Output::Data(_) => {}
        }
    }

    fn wake(&self, peer: PeerId) -> Wake {
        let jobs = self.jobs.clone();
        Arc::new(move || drop(jobs.send(Job::Wake(peer)))) // fails only after the end
    }

    fn remove(&mut self, id: PeerId) {
        let half_open = self.peers.get(&id).is_some_and(|peer| peer.transport.is_half_open());
        self.half_open -= usize::from(half_open);
        self.forget(id);
    }

    fn forget(&mut self, id: PeerId) {
        if let Some(at) = self.peers.remove(&id).and_then(|peer| peer.timer) {
            self.timers.remove(&(at, id));
        }
    }
}

/// A handshake costs 0.25 ms, so two threads do thousands a second.
const WORKERS: usize = 2;
/// Of one worker; each holds some 30 kB.
const MAX_HALF_OPEN: usize = 512;
/// Datagrams of one worker.
const MAX_WAITING: usize = 4_096;

#[cfg(test)]
mod tests;
