//! One publisher or subscriber: socket, path, handshake, keys, and what it sends or receives.

use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use conf_media::command::Fingerprint;
use conf_media::rtp::{self, Class};
use conf_media::srtp::{Keys, Opener, Sealer, SrtpError};
use conf_media::time::Now;

use super::counts::{ClientId, Counts, News, Step};
use super::dtls::{Done, Handshake, Identity, Outcome};
use super::ice::{Heard, Ice};
use super::publish::Publisher;
use super::receive::Receiver;
use super::socket::Outbox;

/// What a thread lends its clients while they work.
pub(super) struct Tools {
    pub(super) outbox: Outbox,
    pub(super) counts: Counts,
    pub(super) news: Vec<News>,
    /// A datagram or compound in the making.
    pub(super) scratch: Vec<u8>,
}

/// What a client does once it is connected.
pub(super) enum Part {
    Publisher(Publisher),
    Receiver(Receiver),
}

pub(super) struct Peer {
    pub(super) id: ClientId,
    pub(super) socket: Arc<UdpSocket>,
    ice: Option<Ice>,
    stage: Stage,
    /// Media that came before the keys, with the kernel's stamps: a handshake on another thread ends a
    /// moment later than a browser's would.
    early: Vec<(u64, Vec<u8>)>,
    pub(super) part: Part,
    /// The timer that is set for it.
    pub(super) scheduled: Option<Instant>,
}

enum Stage {
    /// The path is being checked; what the handshake will need.
    Checking(Option<Box<(Identity, Fingerprint, Done)>>),
    Shaking(Handshake),
    Media(Box<(Sealer, Opener)>),
    Failed,
}

impl Peer {
    pub(super) fn new(
        (id, socket): (ClientId, Arc<UdpSocket>),
        ice: Ice,
        handshake: (Identity, Fingerprint, Done),
        part: Part,
    ) -> Self {
        let stage = Stage::Checking(Some(Box::new(handshake)));
        Self { id, socket, ice: Some(ice), stage, early: Vec::new(), part, scheduled: None }
    }

    /// One that has its keys already: no checks, no handshake.
    pub(super) fn keyed(
        (id, socket): (ClientId, Arc<UdpSocket>),
        keys: &Keys,
        part: Part,
    ) -> Result<Self, SrtpError> {
        let stage = Stage::Media(Box::new(machines(keys)?));
        Ok(Self { id, socket, ice: None, stage, early: Vec::new(), part, scheduled: None })
    }

    /// Its thread has it now.
    pub(super) fn start(&mut self, now: Now, tools: &mut Tools) {
        if matches!(self.stage, Stage::Media(_)) {
            tools.news.push(News { client: self.id, at: now.mono, step: Step::Connected });
        }
    }

    /// A datagram of the server, stamped by the kernel with `nanos`.
    pub(super) fn datagram(
        &mut self,
        now: Now,
        (nanos, bytes): (u64, &mut [u8]),
        tools: &mut Tools,
    ) {
        match rtp::classify(bytes) {
            Class::Rtp => self.rtp(now, (nanos, bytes), tools),
            Class::Rtcp => self.rtcp(now, bytes, tools),
            Class::Stun => self.stun(now, bytes, tools),
            Class::Dtls => {
                if let Stage::Shaking(handshake) = &mut self.stage {
                    handshake.handle(now.mono, bytes);
                    self.poll_handshake(now, tools);
                }
            }
            _ => {}
        }
    }

    fn rtp(&mut self, now: Now, (nanos, bytes): (u64, &mut [u8]), tools: &mut Tools) {
        let Part::Receiver(receiver) = &mut self.part else { return };
        match &mut self.stage {
            Stage::Media(keys) => {
                receiver.rtp((now.mono, nanos), bytes, &mut keys.1, &mut tools.counts);
            }
            Stage::Shaking(_) if self.early.len() < EARLY => self.early.push((nanos, bytes.into())),
            _ => {}
        }
    }

    /// After a batch of datagrams.
    pub(super) fn settle(&mut self, now: Now, tools: &mut Tools) {
        if let Part::Receiver(receiver) = &mut self.part {
            receiver.settle(now.mono);
            for step in receiver.news.drain(..) {
                tools.news.push(News { client: self.id, at: now.mono, step });
            }
        }
        self.send_reports(tools);
    }

    pub(super) fn handle_timeout(&mut self, now: Now, tools: &mut Tools) {
        if let Some(ice) = &mut self.ice {
            match ice.handle_timeout(now.mono, &mut tools.scratch) {
                Ok(true) => drop(self.socket.send(&tools.scratch)),
                Ok(false) => {}
                Err(silent) => {
                    let seconds = silent.as_secs();
                    return self.fail(now, format!("no answer to checks for {seconds} s"), tools);
                }
            }
        }
        match &mut self.stage {
            Stage::Shaking(handshake) => {
                handshake.handle_timeout(now.mono);
                self.poll_handshake(now, tools);
            }
            Stage::Media(keys) => {
                let (socket, sealer) = (&self.socket, &mut keys.0);
                match &mut self.part {
                    Part::Publisher(publisher) => {
                        let out = (&**socket, &mut tools.outbox);
                        publisher.handle_timeout(now, out, sealer, &mut tools.counts);
                    }
                    Part::Receiver(receiver) => receiver.handle_timeout(now.mono),
                }
                self.send_reports(tools);
            }
            Stage::Checking(_) | Stage::Failed => {}
        }
    }

    /// When [`Self::handle_timeout`] wants to be called.
    pub(super) fn timeout(&self) -> Option<Instant> {
        let of_stage = match &self.stage {
            Stage::Shaking(handshake) => handshake.timeout(),
            Stage::Media(_) => Some(match &self.part {
                Part::Publisher(publisher) => publisher.timeout(),
                Part::Receiver(receiver) => receiver.timeout(),
            }),
            Stage::Checking(_) => None,
            Stage::Failed => return None,
        };
        let of_ice = self.ice.as_ref().map(Ice::timeout);
        of_stage.into_iter().chain(of_ice).min()
    }

    /// A handshake on a thread of its own has ended.
    pub(super) fn outcome(&mut self, now: Now, outcome: Outcome, tools: &mut Tools) {
        if !matches!(self.stage, Stage::Shaking(_)) {
            return;
        }
        let machines = outcome.and_then(|keys| machines(&keys).map_err(|error| error.to_string()));
        match machines {
            Ok(pair) => {
                self.stage = Stage::Media(Box::new(pair));
                self.start(now, tools);
                for (nanos, mut bytes) in std::mem::take(&mut self.early) {
                    self.rtp(now, (nanos, &mut bytes), tools);
                }
                self.settle(now, tools);
            }
            Err(reason) => self.fail(now, reason, tools),
        }
    }

    fn stun(&mut self, now: Now, bytes: &[u8], tools: &mut Tools) {
        let (Some(ice), Ok(from)) = (&mut self.ice, self.socket.peer_addr()) else { return };
        match ice.handle(now.mono, (from, bytes), &mut tools.scratch) {
            Heard::Answer => drop(self.socket.send(&tools.scratch)),
            Heard::Valid => {
                let Stage::Checking(waiting) = &mut self.stage else { return };
                let Some(waited) = waiting.take() else { return };
                let (identity, expected, done) = *waited;
                let way = (&self.socket, done);
                self.stage = Stage::Shaking(Handshake::begin(&identity, expected, way, now.mono));
                self.poll_handshake(now, tools);
            }
            Heard::Nothing => {}
        }
    }

    fn poll_handshake(&mut self, now: Now, tools: &mut Tools) {
        let Stage::Shaking(handshake) = &mut self.stage else { return };
        if let Some(outcome) = handshake.poll(&self.socket) {
            self.outcome(now, outcome, tools);
        }
    }

    fn rtcp(&mut self, now: Now, bytes: &mut [u8], tools: &mut Tools) {
        let Stage::Media(keys) = &mut self.stage else { return };
        let opened = keys.1.open_rtcp(bytes).ok().and_then(|length| bytes.get(..length));
        let Some(compound) = opened else {
            tools.counts.totals.forged += 1;
            return;
        };
        match &mut self.part {
            Part::Publisher(publisher) => {
                let out = (&*self.socket, &mut tools.outbox);
                publisher.rtcp(compound, out, &mut tools.counts);
            }
            Part::Receiver(receiver) => receiver.rtcp(now.mono, compound),
        }
    }

    /// Seals and sends what the part has written.
    fn send_reports(&mut self, tools: &mut Tools) {
        let outgoing = match &mut self.part {
            Part::Publisher(publisher) => &mut publisher.outgoing,
            Part::Receiver(receiver) => &mut receiver.outgoing,
        };
        if outgoing.is_empty() {
            return;
        }
        if let Stage::Media(keys) = &mut self.stage {
            let length = outgoing.len();
            outgoing.resize(length + SEAL_ROOM, 0);
            if let Some(sealed) = keys.0.seal_rtcp(outgoing, length).ok()
                && let Some(sealed) = outgoing.get(..sealed)
            {
                let _ = self.socket.send(sealed); // a report that is lost is followed by another
            }
        }
        outgoing.clear();
        tools.scratch.clear();
    }

    fn fail(&mut self, now: Now, reason: String, tools: &mut Tools) {
        self.stage = Stage::Failed;
        self.ice = None;
        tools.news.push(News { client: self.id, at: now.mono, step: Step::Failed(reason) });
    }

    pub(super) fn storm(&mut self, every: Option<Duration>, first: Instant) {
        if let Part::Receiver(receiver) = &mut self.part {
            receiver.storm(every, first);
        }
    }
}

fn machines(keys: &Keys) -> Result<(Sealer, Opener), SrtpError> {
    let sealer = Sealer::new(keys.profile, &keys.local)?;
    Ok((sealer, Opener::new(keys.profile, &keys.remote)?))
}

/// Most packets that wait for the keys: more than a server sends at once.
const EARLY: usize = 512;
/// Tag and index of SRTCP.
const SEAL_ROOM: usize = 20;
