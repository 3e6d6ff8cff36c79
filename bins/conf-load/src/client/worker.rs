//! One thread of clients: sockets under epoll, one timer, orders from the scenario.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use conf_media::time::Now;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;

use super::counts::{ClientId, Counts, News};
use super::dtls::Outcome;
use super::peer::{Peer, Tools};
use super::socket::{Batch, Outbox};
use crate::clock;

/// What a thread is told.
pub(super) enum Order {
    Add(Box<Peer>),
    Remove(ClientId),
    Outcome(ClientId, Outcome),
    Counts(oneshot::Sender<(Counts, Duration)>),
    /// All subscribers ask for keyframes so often; `None` ends it.
    Storm(Option<Duration>),
    Stop,
}

/// The way to a thread.
#[derive(Clone)]
pub(super) struct Handle {
    orders: Sender<Order>,
    wake: Arc<EventFd>,
}

impl Handle {
    pub(super) fn send(&self, order: Order) {
        if self.orders.send(order).is_ok() {
            let _ = self.wake.write(1); // full means that it is awake
        }
    }
}

/// Starts a thread; its news go to `news`.
pub(super) fn start(
    number: usize,
    news: UnboundedSender<News>,
) -> anyhow::Result<(Handle, JoinHandle<()>)> {
    let (orders, received) = channel();
    let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
    let wake = Arc::new(EventFd::from_flags(flags)?);
    let handle = Handle { orders, wake: wake.clone() };
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
    let timer = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
    epoll.add(&*wake, EpollEvent::new(EpollFlags::EPOLLIN, WAKE))?;
    epoll.add(&timer, EpollEvent::new(EpollFlags::EPOLLIN, TIMER))?;
    let thread = std::thread::Builder::new().name(format!("load-{number}")).spawn(move || {
        Worker::new((epoll, timer, wake), received, news).run();
    })?;
    Ok((handle, thread))
}

struct Worker {
    epoll: Epoll,
    timer: TimerFd,
    wake: Arc<EventFd>,
    orders: Receiver<Order>,
    news: UnboundedSender<News>,
    /// By the number of the client, which only grows: gone ones leave an empty place.
    peers: Vec<Option<Box<Peer>>>,
    timers: BinaryHeap<Reverse<(Instant, ClientId)>>,
    armed: Option<Instant>,
    batch: Batch,
    tools: Tools,
}

impl Worker {
    fn new(
        (epoll, timer, wake): (Epoll, TimerFd, Arc<EventFd>),
        orders: Receiver<Order>,
        news: UnboundedSender<News>,
    ) -> Self {
        Self {
            epoll,
            timer,
            wake,
            orders,
            news,
            peers: Vec::new(),
            timers: BinaryHeap::new(),
            armed: None,
            batch: Batch::new(),
            tools: Tools {
                outbox: Outbox::new(),
                counts: Counts::new(),
                news: Vec::new(),
                scratch: Vec::new(),
            },
        }
    }

    fn run(mut self) {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            self.arm();
            let count = self.epoll.wait(&mut events, EpollTimeout::NONE).unwrap_or_default();
            let mut ordered = false;
            for event in events.iter().take(count) {
                match event.data() {
                    WAKE => {
                        let _ = self.wake.read();
                        ordered = true;
                    }
                    TIMER => {
                        let _ = self.timer.wait(); // does not block: it is readable
                        self.armed = None;
                    }
                    number => self.receive(usize::try_from(number).unwrap_or(usize::MAX)),
                }
                // Publishers do not wait behind hundreds of subscribers.
                self.expire();
            }
            if ordered && !self.obey() {
                return;
            }
            for news in self.tools.news.drain(..) {
                let _ = self.news.send(news); // nobody listens at the very end
            }
        }
    }

    /// Empties a client's socket.
    fn receive(&mut self, number: ClientId) {
        let Some(Some(peer)) = self.peers.get_mut(number) else { return };
        let now = clock::both();
        for _ in 0..BATCHES {
            let more = self.batch.receive(&peer.socket);
            for datagram in self.batch.iter_mut() {
                peer.datagram(now, datagram, &mut self.tools);
            }
            if !more {
                break;
            }
        }
        peer.settle(now, &mut self.tools);
        self.schedule(number);
    }

    /// Clients whose time has come.
    fn expire(&mut self) {
        let Some(Reverse((first, _))) = self.timers.peek() else { return };
        let mono = clock::now();
        if *first > mono {
            return;
        }
        let now = clock::both();
        // What comes due again meanwhile waits for its turn behind the sockets.
        for _ in 0..self.timers.len() {
            let Some(&Reverse((due, number))) = self.timers.peek() else { return };
            if due > now.mono {
                return;
            }
            self.timers.pop();
            let Some(Some(peer)) = self.peers.get_mut(number) else { continue };
            if peer.scheduled == Some(due) {
                peer.scheduled = None;
                peer.handle_timeout(now, &mut self.tools);
                self.schedule(number);
            }
        }
    }

    fn schedule(&mut self, number: ClientId) {
        let Some(Some(peer)) = self.peers.get_mut(number) else { return };
        let Some(due) = peer.timeout() else { return };
        if peer.scheduled.is_none_or(|scheduled| due < scheduled) {
            peer.scheduled = Some(due);
            self.timers.push(Reverse((due, number)));
        }
    }

    /// `false`: this is the end.
    fn obey(&mut self) -> bool {
        while let Ok(order) = self.orders.try_recv() {
            let now = clock::both();
            match order {
                Order::Add(peer) => self.add(now, peer),
                Order::Remove(number) => self.remove(number),
                Order::Outcome(number, outcome) => {
                    if let Some(Some(peer)) = self.peers.get_mut(number) {
                        peer.outcome(now, outcome, &mut self.tools);
                        self.schedule(number);
                    }
                }
                Order::Counts(to) => drop(to.send((self.tools.counts.take(), processor_time()))),
                Order::Storm(every) => self.storm(every, now),
                Order::Stop => return false,
            }
        }
        true
    }

    fn add(&mut self, now: Now, mut peer: Box<Peer>) {
        let number = peer.id;
        let data = u64::try_from(number).unwrap_or_default();
        let event = EpollEvent::new(EpollFlags::EPOLLIN, data);
        if let Err(error) = self.epoll.add(&*peer.socket, event) {
            let step = super::counts::Step::Failed(error.to_string());
            let _ = self.news.send(News { client: number, at: clock::now(), step });
            return;
        }
        peer.start(now, &mut self.tools);
        if self.peers.len() <= number {
            self.peers.resize_with(number + 1, || None);
        }
        if let Some(place) = self.peers.get_mut(number) {
            *place = Some(peer);
        }
        self.schedule(number);
    }

    fn remove(&mut self, number: ClientId) {
        if let Some(peer) = self.peers.get_mut(number).and_then(Option::take) {
            let socket: &UdpSocket = &peer.socket;
            let _ = self.epoll.delete(socket); // it closes anyway
        }
    }

    /// Spreads the first requests over the period.
    fn storm(&mut self, every: Option<Duration>, now: Now) {
        let count = u32::try_from(self.peers.len()).unwrap_or(u32::MAX).max(1);
        for number in 0..self.peers.len() {
            let Some(Some(peer)) = self.peers.get_mut(number) else { continue };
            let place = u32::try_from(number).unwrap_or_default();
            peer.storm(every, now.mono + every.unwrap_or_default() / count * place);
            self.schedule(number);
        }
    }

    /// Sets the timer to the first that waits.
    fn arm(&mut self) {
        let first = self.timers.peek().map(|Reverse((due, _))| *due);
        let Some(first) = first.filter(|first| self.armed != Some(*first)) else { return };
        let wait = first.saturating_duration_since(clock::now()).max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(wait));
        if self.timer.set(expiration, TimerSetTimeFlags::empty()).is_ok() {
            self.armed = Some(first);
        }
    }
}

/// Of this thread.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}

const WAKE: u64 = u64::MAX;
const TIMER: u64 = u64::MAX - 1;
/// Sockets that are served between two waits.
const EVENTS: usize = 256;
/// Of one socket before others have their turn.
const BATCHES: usize = 4;
