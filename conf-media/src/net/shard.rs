//! A media thread: owns a socket and a [`Shard`], and waits for whichever comes first, a datagram,
//! an order, something from another shard, or a timer.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use socket2::Socket;

use super::wake::Waker;
use super::{Events, NetError, batch, place, tcp, worker};
use crate::director::{Order, ShardIndex};
use crate::egress::TxBatch;
use crate::ingress::RxBatch;
use crate::shard::link::Links;
use crate::shard::{Output, Shard, ShardConfig};
use crate::stats::Mirror;
use crate::time::Now;

/// Brings orders to a media thread and wakes it.
#[derive(Clone)]
pub(super) struct Handle {
    orders: Sender<Order>,
    wake: Arc<Waker>,
    /// The thread waits, or is about to.
    asleep: Arc<AtomicBool>,
}

impl Handle {
    pub(super) fn new(name: &str) -> Result<(Self, Receiver<Order>), NetError> {
        let wake = Waker::new().map_err(|cause| NetError::Thread { name: name.into(), cause })?;
        let (orders, receiver) = mpsc::channel();
        Ok((Self { orders, wake: Arc::new(wake), asleep: Arc::default() }, receiver))
    }

    /// Wake the thread afterwards.
    pub(super) fn send(&self, order: Order) {
        let _ = self.orders.send(order); // fails only after the end
    }

    pub(super) fn wake_up(&self) {
        self.wake.wake();
    }

    /// After something was written into a ring. Either the fence here or the one in
    /// [`Thread::wait`] is the later one: the thread is seen asleep, or it sees what was written.
    pub(super) fn wake_if_asleep(&self) {
        fence(Ordering::SeqCst);
        if self.asleep.load(Ordering::Relaxed) {
            self.wake_up();
        }
    }
}

/// What a media thread owns.
pub(super) struct Thread {
    pub(super) number: ShardIndex,
    /// One, or one of each family.
    pub(super) sockets: Vec<Socket>,
    /// The way to TCP connections.
    pub(super) tcp: Option<tcp::Way>,
    pub(super) orders: Receiver<Order>,
    /// Of all shards.
    pub(super) handles: Vec<Handle>,
    pub(super) workers: worker::Pool,
    pub(super) events: Events,
    pub(super) mirror: Arc<Mirror>,
    pub(super) stop: Arc<AtomicBool>,
    /// The core it is tied to.
    pub(super) core: Option<usize>,
}

impl Thread {
    pub(super) fn spawn(
        self,
        config: ShardConfig,
        links: Links,
    ) -> Result<JoinHandle<()>, NetError> {
        let name = format!("conf-shard-{}", self.number.0);
        Builder::new()
            .name(name.clone())
            .spawn(move || self.run(config, links))
            .map_err(|cause| NetError::Thread { name, cause })
    }

    fn run(mut self, config: ShardConfig, links: Links) {
        if let Some(core) = self.core {
            place::pin(core);
        }
        place::prefer();
        let mut engine = Engine {
            shard: Shard::with_links(config, links),
            received: RxBatch::new(),
            to_send: TxBatch::new(),
            receiver: batch::Receiver::new(),
            senders: self.senders(),
            tcp: self.tcp.take(),
        };
        let Some(this) = self.handles.get(self.number.at()) else { return };
        while !self.stop.load(Ordering::Acquire) {
            if let Err(cause) = self.wait(this, &engine) {
                tracing::error!(%cause, "a media thread cannot wait for its socket");
                return;
            }
            // A panic is a bug of ours: what it interrupted is lost, the meetings go on.
            let turn = std::panic::AssertUnwindSafe(|| self.turn(this, &mut engine));
            if std::panic::catch_unwind(turn).is_err() {
                tracing::error!("a panic in a media thread was caught");
            }
        }
    }

    /// Until the socket, an order, another shard or a timer has something to do.
    fn wait(&self, this: &Handle, engine: &Engine) -> io::Result<()> {
        let mut timeout = due_in(engine.shard.timeout());
        this.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if engine.shard.has_mail() || engine.tcp.as_ref().is_some_and(tcp::Way::has_mail) {
            timeout = Duration::ZERO;
        }
        let woken = this.wake.wait(&self.sockets, timeout);
        this.asleep.store(false, Ordering::Relaxed);
        woken
    }

    fn turn(&self, this: &Handle, engine: &mut Engine) {
        let now = batch::now();
        for socket in &self.sockets {
            if let Err(cause) = engine.receiver.receive(socket, &mut engine.received, now) {
                tracing::debug!(%cause, "receiving failed"); // an ICMP error of some destination
            }
            if !engine.received.is_empty() {
                engine.shard.handle_batch(now, &mut engine.received);
            }
        }
        this.wake.seen();
        if let Some(tcp) = &mut engine.tcp
            && tcp.receive(&mut engine.received)
        {
            engine.shard.handle_batch(now, &mut engine.received);
        }
        // What is in the rings may rest on an order that is in the queue already.
        engine.shard.look_at_links();
        let mut orders = 0;
        for order in self.orders.try_iter().take(ORDERS) {
            orders += 1;
            if let Err(refusal) = engine.shard.handle_order(now, order) {
                tracing::debug!(%refusal, "an order was refused");
            }
        }
        if orders < ORDERS {
            engine.shard.handle_links(now);
        }
        if engine.shard.timeout().is_some_and(|at| at <= now.mono) {
            engine.shard.handle_timeout(now);
        }
        self.outputs(&mut engine.shard);
        engine.shard.flush(now, &mut engine.to_send);
        if !engine.to_send.is_empty() {
            self.send(now, engine);
            engine.shard.give_back(&mut engine.to_send);
        }
        self.mirror.store(engine.shard.counters());
    }

    fn senders(&self) -> Vec<batch::Sender> {
        let alone = self.sockets.len() == 1;
        let is_v6 = |socket: &Socket| socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let sender = |socket: &Socket| match (alone, is_v6(socket)) {
            (true, dual) => batch::Sender::new(dual),
            (false, v6) => batch::Sender::of_family(v6),
        };
        self.sockets.iter().map(sender).collect()
    }

    fn send(&self, now: Now, engine: &mut Engine) {
        let mut passed_over = 0;
        for (socket, sender) in self.sockets.iter().zip(&mut engine.senders) {
            let sent = sender.send(socket, &engine.to_send);
            if sent.refused > 0 {
                tracing::debug!(refused = sent.refused, "the socket did not take everything");
            }
            passed_over += sent.passed_over;
        }
        if let Some(tcp) = engine.tcp.as_mut().filter(|_| passed_over > 0) {
            tcp.send(now.mono, &engine.to_send);
        }
    }

    fn outputs(&self, shard: &mut Shard) {
        while let Some(output) = shard.poll() {
            match output {
                Output::ToControl { peer, bytes } => self.workers.datagram(peer, bytes),
                Output::Event(event) => (self.events)(event),
                Output::Report(report) => {
                    self.workers.send(worker::Job::Report(self.number, report));
                }
                Output::ToShard { shard } => {
                    if let Some(handle) = self.handles.get(shard.at()) {
                        handle.wake_if_asleep();
                    }
                }
            }
        }
    }
}

/// How long to wait.
fn due_in(timer: Option<Instant>) -> Duration {
    timer.map_or(IDLE, |at| at.saturating_duration_since(batch::now().mono).min(IDLE))
}

struct Engine {
    shard: Shard,
    received: RxBatch,
    to_send: TxBatch,
    receiver: batch::Receiver,
    /// One for each socket.
    senders: Vec<batch::Sender>,
    tcp: Option<tcp::Way>,
}

/// How often the thread looks around when nothing happens.
const IDLE: Duration = Duration::from_secs(1);
/// Orders taken between two batches; the rest waits for the next turn.
const ORDERS: usize = 256;
