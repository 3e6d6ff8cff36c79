//! One remote transport: its path, its keys, the sources it sends and the edges it receives.

mod allowance;
mod downlink;
mod quality;
mod sources;
mod transport;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::bwe::Gcc;
use crate::command::PeerId;
use crate::egress::Destination;
use crate::forward::rewrite::Stopped;
use crate::forward::stage::Stage;
use crate::forward::{Edge, EdgeReport};
use crate::ice;
use crate::rtcp::TransportRecorder;
use crate::shard::wheel::Timer;
use crate::slab::Key;
use crate::srtp::{Keys, Opener, Profile, Sealer, SrtpError};
use crate::track::Track;

pub(crate) use allowance::Allowance;
pub(crate) use downlink::{AGAIN, Downlink, START};
pub(crate) use quality::Judge;
pub use quality::{Grade, Quality};
pub(crate) use sources::{Binding, Role, Sources, by_extensions, only_encoding};
pub(crate) use transport::Transport;

/// What a shard knows of one peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    /// The microphones of its room.
    pub(crate) stage: Key<Stage>,
    pub(crate) agent: ice::Agent,
    pub(crate) sources: Sources,
    pub(crate) published: Vec<Key<Track>>,
    pub(crate) received: Vec<Key<Edge>>,
    pub(crate) upstream: Upstream,
    /// What its network takes, and what is made of that.
    pub(crate) downlink: Downlink,
    /// How good its connection is.
    pub(crate) judge: Judge,
    /// Lost packets that it asks for.
    pub(crate) nacks: Allowance,
    /// Its place in the timing wheel.
    pub(crate) timer: Timer,
    slot: u32,
    opener: Option<Opener>,
    sealer: Option<Sealer>,
    /// Of what it is sent; there once transport-wide feedback was negotiated.
    transport: Option<Box<Transport>>,
    /// What it is sent may be evened out by a byte of padding.
    pub(crate) padding: bool,
    finished: Vec<Finished>,
    /// It is a program of this process: there is no address to send to.
    pub(crate) local: bool,
    /// Packets and bytes of edges that have ended.
    pub(crate) ended: (u64, u64),
    /// What was negotiated, once there are keys.
    pub(crate) profile: Option<Profile>,
}

/// Where, with what and under which numbers media goes to a peer.
#[derive(Debug)]
pub(crate) struct Way<'a> {
    pub(crate) to: Destination,
    pub(crate) sealer: &'a mut Sealer,
    pub(crate) transport: Option<&'a mut Transport>,
}

/// What is reported to the peer about what it sends.
#[derive(Debug)]
pub(crate) struct Upstream {
    /// Our synchronisation source in reports and requests.
    pub(crate) ssrc: u32,
    /// Arrival of its packets, if it negotiated transport-wide feedback.
    pub(crate) recorder: Option<Box<TransportRecorder>>,
    /// Header-extension id of the transport-wide sequence number.
    pub(crate) transport_cc: Option<u8>,
    /// When the next receiver report is due; `None` while no packet came since the last one.
    pub(crate) report_at: Option<Instant>,
    /// When the last one was.
    pub(crate) reported_at: Option<Instant>,
    /// Packets that opened, and their bytes.
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

/// A source of ours that ended, and where.
#[derive(Clone, Copy, Debug)]
struct Finished {
    ssrc: u32,
    stopped: Stopped,
}

impl Upstream {
    /// A packet came. Returns when there is something to report, if that is news.
    pub(crate) fn arrived(
        &mut self,
        now: Instant,
        transport: Option<(u16, Instant)>,
    ) -> Option<Instant> {
        let before = self.due();
        if self.report_at.is_none() {
            let last = self.reported_at.unwrap_or(now);
            self.report_at = Some(now.max(last + REPORT));
        }
        if let (Some((number, arrival)), Some(recorder)) = (transport, &mut self.recorder) {
            recorder.record(number, arrival);
        }
        self.due().filter(|due| before.is_none_or(|before| *due < before))
    }

    /// When something is to be reported.
    pub(crate) fn due(&self) -> Option<Instant> {
        let feedback = self.recorder.as_ref().and_then(|recorder| recorder.timeout());
        self.report_at.into_iter().chain(feedback).min()
    }

    /// A track was described with this id for the transport-wide number, or none.
    pub(crate) fn negotiate(&mut self, transport_cc: Option<u8>) {
        if transport_cc.is_some() {
            self.transport_cc = transport_cc;
            self.recorder.get_or_insert_default();
        }
    }
}

impl Peer {
    /// A peer whose checks are not answered yet, with the source of our reports to it.
    pub(crate) fn new(id: PeerId, stage: Key<Stage>, agent: ice::Agent, report_ssrc: u32) -> Self {
        Self {
            id,
            stage,
            agent,
            sources: Sources::default(),
            published: Vec::new(),
            received: Vec::new(),
            upstream: Upstream {
                ssrc: report_ssrc,
                recorder: None,
                transport_cc: None,
                report_at: None,
                reported_at: None,
                packets: 0,
                bytes: 0,
            },
            downlink: Downlink::default(),
            judge: Judge::default(),
            nacks: Allowance::default(),
            timer: Timer::NONE,
            slot: Destination::NO_SLOT,
            opener: None,
            sealer: None,
            transport: None,
            padding: false,
            finished: Vec::new(),
            local: false,
            ended: (0, 0),
            profile: None,
        }
    }

    /// The dense number under which its runs are collected.
    pub(crate) fn set_slot(&mut self, slot: u32) {
        self.slot = slot;
    }

    /// The handshake gave these keys.
    pub(crate) fn set_keys(&mut self, keys: &Keys) -> Result<(), SrtpError> {
        let opener = Opener::new(keys.profile, &keys.remote)?;
        let sealer = Sealer::new(keys.profile, &keys.local)?;
        self.profile = Some(keys.profile);
        self.opener = Some(opener);
        self.sealer = Some(sealer);
        Ok(())
    }

    /// Opens what it sends; `None` before the handshake.
    pub(crate) fn opener(&mut self) -> Option<&mut Opener> {
        self.opener.as_mut()
    }

    /// Where and with what to send; `None` while nothing may be sent.
    pub(crate) fn path(&mut self) -> Option<(Destination, &mut Sealer)> {
        let address = self.agent.address()?;
        Some((Destination { slot: self.slot, address }, self.sealer.as_mut()?))
    }

    /// The way of media to it; `None` while nothing may be sent.
    pub(crate) fn way(&mut self) -> Option<Way<'_>> {
        let to = Destination { slot: self.slot, address: self.agent.address()? };
        Some(Way { to, sealer: self.sealer.as_mut()?, transport: self.transport.as_deref_mut() })
    }

    /// It negotiated transport-wide feedback on what it receives; from that the bandwidth is estimated,
    /// if it is to be.
    pub(crate) fn number_transport(&mut self, estimate: bool) {
        self.transport.get_or_insert_with(|| Box::new(Transport::new()));
        if estimate {
            self.downlink.gcc.get_or_insert_with(|| Box::new(Gcc::new(START)));
        }
    }

    /// What it was sent under transport-wide numbers.
    pub(crate) fn transport(&self) -> Option<&Transport> {
        self.transport.as_deref()
    }

    /// Where reports on what it was sent belong.
    pub(crate) fn reported(&mut self) -> Option<(&mut Transport, &mut Downlink)> {
        Some((self.transport.as_deref_mut()?, &mut self.downlink))
    }

    /// See [`Peer::transport`].
    pub(crate) fn transport_mut(&mut self) -> Option<&mut Transport> {
        self.transport.as_deref_mut()
    }

    /// Where unprotected datagrams (handshake) go.
    pub(crate) fn destination(&self) -> Option<Destination> {
        let address: SocketAddr = self.agent.address()?;
        Some(Destination { slot: self.slot, address })
    }

    /// An edge towards it ends, and its totals stay.
    pub(crate) fn count_ended(&mut self, report: &EdgeReport) {
        self.ended.0 += u64::from(report.packets) + u64::from(report.asked.again);
        self.ended.1 += report.bytes + report.asked.again_bytes;
    }

    /// A source of ours towards it ends here.
    pub(crate) fn finish(&mut self, ssrc: u32, stopped: Stopped) {
        self.finished.retain(|finished| finished.ssrc != ssrc);
        if self.finished.len() >= MAX_FINISHED {
            self.finished.remove(0);
        }
        self.finished.push(Finished { ssrc, stopped });
    }

    /// Where a source stopped that ended.
    pub(crate) fn resume(&self, ssrc: u32) -> Option<Stopped> {
        self.finished.iter().find(|finished| finished.ssrc == ssrc).map(|finished| finished.stopped)
    }
}

/// Receiver reports to publishers.
pub(crate) const REPORT: Duration = Duration::from_secs(1);
/// Ended sources that are remembered; signalling numbers new ones, so reuse is rare.
const MAX_FINISHED: usize = 128;
