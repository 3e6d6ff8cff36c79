//! The thread that accepts, reads and writes.

use std::collections::HashMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::connection::{Connection, End, Read};
use super::{Bell, Counts, batch, ring, shard};
use crate::net::{canonical, place, socket};
use crate::rtp::{Class, classify};
use crate::stun;
use crate::tcp::TcpId;
use crate::tcp::door::{Door, Limits};

/// The rings to and from one media thread.
pub(super) struct Lane {
    to_shard: ring::Writer,
    from_shard: ring::Reader,
    shard: shard::Handle,
    written: bool,
}

impl Lane {
    pub(super) fn new(
        to_shard: ring::Writer,
        from_shard: ring::Reader,
        shard: shard::Handle,
    ) -> Self {
        Self { to_shard, from_shard, shard, written: false }
    }
}

pub(super) struct Thread {
    poll: Poll,
    bell: Arc<Bell>,
    listeners: Vec<TcpListener>,
    /// After an accept that failed for want of files.
    accept_at: Option<Instant>,
    lanes: Vec<Lane>,
    counts: Arc<Counts>,
    stop: Arc<AtomicBool>,
    door: Door,
    connections: HashMap<TcpId, Connection>,
    /// What there is to read.
    ready: Vec<TcpId>,
    /// What there is to write.
    dirty: Vec<TcpId>,
    looked_at: Option<Instant>,
    buffer: Vec<u8>,
}

impl Thread {
    pub(super) fn new(
        (poll, bell): (Poll, Arc<Bell>),
        mut listeners: Vec<TcpListener>,
        lanes: Vec<Lane>,
        counts: Arc<Counts>,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        for (number, listener) in listeners.iter_mut().enumerate() {
            poll.registry().register(listener, Token(LISTENERS + number), Interest::READABLE)?;
        }
        Ok(Self {
            poll,
            bell,
            listeners,
            accept_at: None,
            lanes,
            counts,
            stop,
            door: Door::new(Limits::default()),
            connections: HashMap::new(),
            ready: Vec::new(),
            dirty: Vec::new(),
            looked_at: None,
            buffer: vec![0; 16 << 10],
        })
    }

    pub(super) fn spawn(self) -> io::Result<JoinHandle<()>> {
        Builder::new().name(NAME.into()).spawn(move || self.run())
    }

    fn run(mut self) {
        place::prefer();
        let mut events = Events::with_capacity(1_024);
        while !self.stop.load(Ordering::Acquire) {
            if let Err(cause) = self.wait(&mut events)
                && cause.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%cause, "the thread of the TCP connections cannot wait");
                return;
            }
            // A panic is a bug of ours: what it interrupted is lost, the connections stay.
            if catch_unwind(AssertUnwindSafe(|| self.turn(&events))).is_err() {
                tracing::error!("a panic in the thread of the TCP connections was caught");
            }
        }
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        self.bell.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let busy = !self.ready.is_empty() || self.lanes.iter().any(|it| it.from_shard.has_mail());
        let idle = self.connections.is_empty() && self.accept_at.is_none();
        let timeout = match (busy, idle) {
            (true, _) => Duration::ZERO,
            (false, true) => IDLE,
            (false, false) => TICK,
        };
        let waited = self.poll.poll(events, Some(timeout));
        self.bell.asleep.store(false, Ordering::Relaxed);
        waited
    }

    fn turn(&mut self, events: &Events) {
        let now = batch::now().mono;
        events.iter().for_each(|event| self.event(now, event));
        self.take_outgoing(now);
        for id in std::mem::take(&mut self.dirty) {
            self.work(id, Connection::flush);
        }
        for id in std::mem::take(&mut self.ready) {
            self.read(now, id);
        }
        for lane in &mut self.lanes {
            if std::mem::take(&mut lane.written) {
                lane.shard.wake_if_asleep();
            }
        }
        if self.looked_at.is_none_or(|at| now >= at + TICK) {
            self.look_around(now);
        }
        let (all, half_open) = self.door.counts();
        self.counts.connections.store(all as u64, Ordering::Relaxed);
        self.counts.half_open.store(half_open as u64, Ordering::Relaxed);
    }

    fn event(&mut self, now: Instant, event: &Event) {
        let Token(token) = event.token();
        if token >= LISTENERS {
            if event.token() != BELL {
                self.accept(now, token - LISTENERS);
            }
            return;
        }
        let Some(id) = u32::try_from(token).ok().and_then(TcpId::new) else { return };
        if event.is_writable() {
            self.work(id, Connection::can_write);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if event.is_readable() && !std::mem::replace(&mut connection.listed, true) {
            self.ready.push(id);
        }
    }

    fn accept(&mut self, now: Instant, listener: usize) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(listener) else { return };
            match listener.accept() {
                Ok((stream, remote)) => match self.admit(now, stream, canonical(remote)) {
                    Ok(()) => Counts::add(&self.counts.accepted, 1),
                    Err(cause) => {
                        Counts::add(&self.counts.refused, 1);
                        tracing::debug!(%cause, "a TCP connection was refused");
                    }
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) => {
                    Counts::add(&self.counts.refused, 1);
                    tracing::debug!(%cause, "a TCP connection could not be accepted");
                    break;
                }
            }
        }
        self.accept_at = Some(now + TICK); // nobody says again that somebody waits
    }

    fn admit(
        &mut self,
        now: Instant,
        mut stream: TcpStream,
        remote: std::net::SocketAddr,
    ) -> io::Result<()> {
        let Some(admitted) = self.door.admit(now, remote) else {
            return Err(io::Error::other("there are too many"));
        };
        if let Some(oldest) = admitted.instead_of {
            Counts::add(&self.counts.pushed_out, 1);
            self.drop_connection(oldest);
        }
        let id = admitted.id;
        let token = Token(usize::try_from(id.number()).unwrap_or_default());
        let interest = Interest::READABLE | Interest::WRITABLE;
        let prepared = socket::prepare(&stream);
        let known = self.poll.registry().register(&mut stream, token, interest);
        if let Err(error) = prepared.and(known) {
            self.door.leave(id);
            return Err(error);
        }
        let lane = usize::try_from(id.number()).unwrap_or_default() % self.lanes.len().max(1);
        self.connections.insert(id, Connection::new(stream, id.address(remote), lane));
        Ok(())
    }

    fn read(&mut self, now: Instant, id: TcpId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(lane) = self.lanes.get_mut(connection.lane) else { return };
        let proven = self.door.is_proven(id);
        let mut dropped = 0;
        let read = connection.read(&mut self.buffer, |from, datagram| {
            if !proven && classify(datagram) != Class::Stun {
                return false;
            }
            dropped += usize::from(!lane.to_shard.push(from, now, datagram));
            lane.written = true;
            true
        });
        self.buffer.fill(0);
        Counts::add(&self.counts.dropped_in, dropped);
        match read {
            Ok(Read::Everything) => connection.listed = false,
            Ok(Read::More) => self.ready.push(id),
            Err(end) => self.end(id, &end),
        }
    }

    /// Queues what the media threads have.
    fn take_outgoing(&mut self, now: Instant) {
        let (mut slow, mut gone) = (0, 0);
        for lane in &mut self.lanes {
            for _ in 0..DATAGRAMS {
                let taken = lane.from_shard.next(|to, _, datagram| {
                    let id = TcpId::of(to)?;
                    let connection = self.connections.get_mut(&id)?;
                    slow += connection.push(now, datagram);
                    Some((id, is_success(datagram)))
                });
                let Some(taken) = taken else { break };
                let Some((id, proves)) = taken else {
                    gone += 1;
                    continue;
                };
                if proves {
                    self.door.prove(now, id);
                }
                if self.dirty.last() != Some(&id) {
                    self.dirty.push(id);
                }
            }
        }
        Counts::add(&self.counts.dropped_slow, slow);
        Counts::add(&self.counts.dropped_gone, gone);
    }

    fn work(&mut self, id: TcpId, work: impl FnOnce(&mut Connection) -> Result<(), End>) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Err(end) = work(connection) {
            self.end(id, &end);
        }
    }

    fn end(&mut self, id: TcpId, end: &End) {
        if matches!(end, End::Frame(_) | End::NoCheck) {
            Counts::add(&self.counts.malformed, 1);
        }
        tracing::debug!(%end, "a TCP connection ended");
        self.door.leave(id);
        self.drop_connection(id);
    }

    fn drop_connection(&mut self, id: TcpId) {
        if let Some(mut connection) = self.connections.remove(&id) {
            let _ = self.poll.registry().deregister(&mut connection.stream); // it is closed next
        }
    }

    /// Now and then: who was silent too long goes; who waits to be accepted is looked for.
    fn look_around(&mut self, now: Instant) {
        self.looked_at = Some(now);
        while let Some(id) = self.door.poll_expired(now) {
            Counts::add(&self.counts.expired, 1);
            self.drop_connection(id);
        }
        if self.accept_at.take_if(|at| now >= *at).is_some() {
            (0..self.listeners.len()).for_each(|listener| self.accept(now, listener));
        }
    }
}

/// The answer to a valid check: nothing else makes a shard write one.
fn is_success(datagram: &[u8]) -> bool {
    classify(datagram) == Class::Stun
        && stun::parse(datagram).is_ok_and(|it| it.class() == stun::Class::Success)
}

pub(super) const NAME: &str = "conf-tcp";
pub(super) const BELL: Token = Token(usize::MAX);
/// Tokens below are numbers of connections.
const LISTENERS: usize = usize::MAX - 16;
/// How often the thread looks around.
const TICK: Duration = Duration::from_millis(250);
/// And how often while nobody is connected.
const IDLE: Duration = Duration::from_secs(60);
/// Connections that are accepted in one turn.
const ACCEPTS: usize = 64;
/// Datagrams of one media thread in one turn.
const DATAGRAMS: usize = 1_024;
