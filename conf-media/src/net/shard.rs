//! The media thread: owns the socket and the [`Shard`], and waits for whichever comes first, a
//! datagram, a command or a timer.

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::unistd::Pid;
use socket2::Socket;

use super::{Events, NetError, batch, worker};
use crate::command::Command;
use crate::egress::TxBatch;
use crate::ingress::RxBatch;
use crate::shard::{Input, Output, Shard, ShardConfig};
use crate::stats::Mirror;

/// Brings commands to the media thread and wakes it.
#[derive(Clone)]
pub(super) struct Handle {
    commands: Sender<Command>,
    wake: Arc<EventFd>,
}

impl Handle {
    pub(super) fn new() -> Result<(Self, Receiver<Command>), NetError> {
        let flags = EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC;
        let wake = EventFd::from_flags(flags)
            .map_err(|errno| NetError::Thread { name: NAME.into(), cause: errno.into() })?;
        let (commands, receiver) = mpsc::channel();
        Ok((Self { commands, wake: Arc::new(wake) }, receiver))
    }

    pub(super) fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            self.wake_up();
        }
    }

    pub(super) fn wake_up(&self) {
        let _ = self.wake.write(1); // fails only when it is set already
    }

    pub(super) fn wake(&self) -> Arc<EventFd> {
        self.wake.clone()
    }
}

/// What the media thread owns.
pub(super) struct Thread {
    pub(super) socket: Socket,
    pub(super) commands: Receiver<Command>,
    pub(super) wake: Arc<EventFd>,
    pub(super) workers: worker::Pool,
    pub(super) events: Events,
    pub(super) mirror: Arc<Mirror>,
    pub(super) stop: Arc<AtomicBool>,
}

impl Thread {
    pub(super) fn spawn(self, seed: u64) -> Result<JoinHandle<()>, NetError> {
        Builder::new()
            .name(NAME.into())
            .spawn(move || self.run(seed))
            .map_err(|cause| NetError::Thread { name: NAME.into(), cause })
    }

    fn run(self, seed: u64) {
        pin();
        let dual = self.socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let mut engine = Engine {
            shard: Shard::new(ShardConfig { seed, ..ShardConfig::default() }),
            received: RxBatch::new(),
            to_send: TxBatch::new(),
            receiver: batch::Receiver::new(),
            sender: batch::Sender::new(dual),
        };
        while !self.stop.load(Ordering::Acquire) {
            if let Err(cause) = self.wait(engine.shard.timeout()) {
                tracing::error!(%cause, "the media thread cannot wait for its socket");
                return;
            }
            // A panic is a bug of ours: what it interrupted is lost, the meetings go on.
            let turn = std::panic::AssertUnwindSafe(|| self.turn(&mut engine));
            if std::panic::catch_unwind(turn).is_err() {
                tracing::error!("a panic in the media thread was caught");
            }
        }
    }

    /// Until the socket, a command or a timer has something to do.
    fn wait(&self, timer: Option<Instant>) -> io::Result<()> {
        let timeout =
            timer.map_or(IDLE, |at| at.saturating_duration_since(batch::now().mono).min(IDLE));
        // Rounded up: waking before the timer is due would only spin.
        let millis = u16::try_from(timeout.as_micros().div_ceil(1_000)).unwrap_or(u16::MAX);
        let mut ready = [
            PollFd::new(self.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.wake.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut ready, PollTimeout::from(millis)) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn turn(&self, engine: &mut Engine) {
        let now = batch::now();
        if let Err(cause) = engine.receiver.receive(&self.socket, &mut engine.received) {
            tracing::debug!(%cause, "receiving failed"); // an ICMP error of some destination
        }
        if !engine.received.is_empty() {
            engine.shard.handle_batch(now, &mut engine.received);
        }
        let _ = self.wake.read();
        for command in self.commands.try_iter().take(COMMANDS) {
            if let Err(refusal) = engine.shard.handle(now, Input::Command(command)) {
                tracing::debug!(%refusal, "a command was refused");
            }
        }
        if engine.shard.timeout().is_some_and(|at| at <= now.mono) {
            engine.shard.handle_timeout(now);
        }
        while let Some(output) = engine.shard.poll() {
            match output {
                Output::ToControl { peer, bytes } => self.workers.datagram(peer, bytes),
                Output::Event(event) => (self.events)(event),
                Output::ToShard { .. } | Output::Report(_) => {} // there is one shard
            }
        }
        engine.shard.flush(now, &mut engine.to_send);
        if !engine.to_send.is_empty() {
            let sent = engine.sender.send(&self.socket, &engine.to_send);
            if sent.refused > 0 {
                tracing::debug!(refused = sent.refused, "the socket did not take everything");
            }
        }
        self.mirror.store(engine.shard.counters());
    }
}

struct Engine {
    shard: Shard,
    received: RxBatch,
    to_send: TxBatch,
    receiver: batch::Receiver,
    sender: batch::Sender,
}

/// One core of its own, where there are enough; on a small machine the scheduler does better.
fn pin() {
    let this = Pid::from_raw(0);
    let Ok(allowed) = sched_getaffinity(this) else { return };
    let cores: Vec<usize> =
        (0..CpuSet::count()).filter(|&core| allowed.is_set(core).unwrap_or(false)).collect();
    let (Some(&core), true) = (cores.last(), cores.len() >= ENOUGH_CORES) else { return };
    let mut set = CpuSet::new();
    if set.set(core).is_err() || sched_setaffinity(this, &set).is_err() {
        tracing::debug!(core, "the media thread could not be pinned");
    }
}

const NAME: &str = "conf-shard-0";
/// How often the thread looks around when nothing happens.
const IDLE: Duration = Duration::from_secs(1);
/// Commands taken between two batches; the rest waits for the next turn.
const COMMANDS: usize = 256;
const ENOUGH_CORES: usize = 4;
