//! Reports and requests of peers: what subscribers miss, what publishers' clocks say.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::bwe::BandwidthEstimator as _;
use crate::forward::Edge;
use crate::forward::rewrite::SenderClock;
use crate::peer::{Peer, Role};
use crate::rtcp::{self, Packet, ReportBlock};
use crate::slab::Key;
use crate::srtp::Opener;
use crate::stats::report::Asked;
use crate::stats::{DropReason, Measure};
use crate::time::Now;
use crate::track::Track;

use super::Shard;
use super::report::measure;

impl Shard {
    /// Opens a compound and takes it apart. One bad packet spoils only itself, where the next can
    /// still be found.
    pub(super) fn rtcp(
        &mut self,
        now: Now,
        from: SocketAddr,
        bytes: &mut [u8],
        arrival: Instant,
    ) -> Result<(), DropReason> {
        let (key, compound) = self.open(from, bytes, Opener::open_rtcp)?;
        let mut malformed = false;
        for packet in rtcp::walk(compound) {
            match packet {
                Ok(packet) => self.report(now, key, &packet, arrival),
                Err(_) => malformed = true,
            }
        }
        if malformed { Err(DropReason::MalformedRtcp) } else { Ok(()) }
    }

    fn report(&mut self, now: Now, key: Key<Peer>, packet: &Packet<'_>, arrival: Instant) {
        match *packet {
            Packet::SenderReport { ssrc, ntp, rtp, blocks, .. } => {
                self.sender_report(now, key, ssrc, (SenderClock { ntp, rtp }, arrival));
                blocks.for_each(|block| self.block(key, &block, arrival));
                self.judge(now, key);
            }
            Packet::ReceiverReport { blocks, .. } => {
                blocks.for_each(|block| self.block(key, &block, arrival));
                self.judge(now, key);
            }
            Packet::Nack { media, lost, .. } => {
                if let Some(edge) = self.edge_with(key, media) {
                    lost.take(MAX_LOST).for_each(|sequence| self.lost(now, key, edge, sequence));
                }
            }
            Packet::Pli { media, .. } => self.keyframe(now, key, media, |asked| &mut asked.plis),
            Packet::Fir { entries, .. } => {
                let entries = entries.take(MAX_FIR);
                entries.for_each(|(media, _)| {
                    self.keyframe(now, key, media, |asked| &mut asked.firs);
                });
            }
            Packet::TransportFeedback(feedback) => {
                self.transport_report(now, key, &feedback, arrival);
            }
            _ => {}
        }
    }

    /// A subscriber says which packets arrived, and when.
    fn transport_report(
        &mut self,
        now: Now,
        key: Key<Peer>,
        feedback: &rtcp::TransportFeedback<'_>,
        arrival: Instant,
    ) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let Some((transport, downlink)) = peer.reported() else { return };
        let gcc = downlink.gcc.as_mut();
        let each = gcc.map(|gcc| |outcome| gcc.packet(outcome));
        let reported = transport.handle(arrival, feedback, each);
        let round_trip = transport.stats().round_trip;
        self.out.counters.feedback_received += 1;
        self.out.counters.acknowledged += reported.arrived;
        self.out.counters.reported_lost += reported.lost;
        let changed = downlink.reported(arrival, round_trip);
        let probes = downlink.plan(now.mono);
        if changed {
            self.allocate(now, key);
        }
        if probes {
            self.probe(now, key);
        }
    }

    /// A publisher says which wall-clock time its timestamps stand for.
    fn sender_report(
        &mut self,
        now: Now,
        key: Key<Peer>,
        ssrc: u32,
        (clock, arrival): (SenderClock, Instant),
    ) {
        let Some(binding) = self.peers.get(key).and_then(|peer| peer.sources.find(ssrc)) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(binding.track) else { return };
        let Some(encoding) = track.encodings.get_mut(binding.encoding) else { return };
        if binding.role == Role::Repair {
            return;
        }
        encoding.stats.record_sender_report(clock.ntp, arrival);
        self.keep_clock(now, (binding.track, binding.encoding), (clock, arrival));
        self.relay_clock(binding.track, binding.encoding);
        self.tap_clock(binding.track, binding.encoding);
    }

    /// Notes which time the timestamps of an encoding stand for.
    pub(super) fn keep_clock(
        &mut self,
        now: Now,
        (key, encoding): (Key<Track>, usize),
        report: (SenderClock, Instant),
    ) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        let Some(encoding) = track.encodings.get_mut(encoding) else { return };
        if encoding.report.replace(report).is_some() {
            return;
        }
        // The edges have waited for this to say when their packets are to be played.
        for &edge in &track.edges {
            if let Some(edge) = self.edges.get(edge)
                && edge.report.due.is_some()
            {
                self.out.timers.wake_by(edge.timer, now.mono);
            }
        }
    }

    /// A subscriber says how a stream of ours arrives: the round trip follows from it.
    fn block(&mut self, key: Key<Peer>, block: &ReportBlock, arrival: Instant) {
        let Some(edge) = self.edge_with(key, block.ssrc) else { return };
        let Some(edge) = self.edges.get_mut(edge) else { return };
        edge.report.remote = Some(*block);
        let rate = self.tracks.get(edge.track).map_or(0, Track::clock_rate);
        measure(&mut self.out, block, rate, (Measure::LossOut, Measure::JitterOut));
        if let Some((middle, sent)) = edge.report.sent
            && middle == block.last_sr
        {
            let held = Duration::from_nanos((u64::from(block.delay) * 1_000_000_000) >> 16);
            edge.report.round_trip = arrival.saturating_duration_since(sent).checked_sub(held);
            if let Some(round_trip) = edge.report.round_trip {
                let micros = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
                self.out.counters.record(Measure::RoundTrip, micros);
            }
        }
        let round_trip = edge.report.round_trip;
        if let Some(peer) = self.peers.get_mut(key) {
            peer.judge.receives(block.fraction_lost, round_trip);
        }
    }

    fn lost(&mut self, now: Now, peer: Key<Peer>, key: Key<Edge>, sequence: u16) {
        self.out.counters.nacks_received += 1;
        let allowed = |peer: &mut Peer| peer.nacks.take(now.mono, NACKS, NACK_EVERY);
        if !self.peers.get_mut(peer).is_some_and(allowed) {
            self.out.counters.nacks_refused += 1;
            return;
        }
        let Some(edge) = self.edges.get_mut(key) else { return };
        edge.report.asked.nacks = edge.report.asked.nacks.wrapping_add(1);
        let track = edge.track;
        let (tracks, mut downstream) = self.downstream(now);
        if let Some(track) = tracks.get(track) {
            downstream.resend(track, key, sequence);
        }
    }

    /// A subscriber cannot decode without a keyframe.
    fn keyframe(
        &mut self,
        now: Now,
        key: Key<Peer>,
        media: u32,
        count: fn(&mut Asked) -> &mut u32,
    ) {
        self.out.counters.plis_received += 1;
        let edge = self.edge_with(key, media);
        let Some(edge) = edge.and_then(|edge| self.edges.get_mut(edge)) else { return };
        let count = count(&mut edge.report.asked);
        *count = count.wrapping_add(1);
        if !edge.keyframes.take(now.mono, KEYFRAMES, KEYFRAME_EVERY) {
            self.out.counters.plis_refused += 1;
            return;
        }
        let Some(track) = self.tracks.get_mut(edge.track).filter(|track| track.is_video()) else {
            return;
        };
        let source = edge.source.or(edge.goal(&track.goals(now.mono)));
        if let Some(encoding) = source.and_then(|source| track.encodings.get_mut(source)) {
            encoding.gate.request(now.mono);
            self.out.timers.wake_by(track.timer, now.mono);
        }
    }

    /// The edge of a peer that is sent with this source.
    fn edge_with(&self, key: Key<Peer>, ssrc: u32) -> Option<Key<Edge>> {
        let received = &self.peers.get(key)?.received;
        let sends = |edge: &&Key<Edge>| {
            self.edges.get(**edge).is_some_and(|edge| edge.subscription.ssrc == ssrc)
        };
        received.iter().find(sends).copied()
    }
}

/// Numbers of one request that are looked at; a record holds no more.
const MAX_LOST: usize = 512;
/// Numbers that one peer may ask for at once, and how often after that: 2,000 a second are more than
/// the losses of any stream that can still be watched.
const NACKS: u32 = 1_024;
const NACK_EVERY: Duration = Duration::from_micros(500);
/// Keyframes of one track that a subscriber may ask for at once, and how often after that.
const KEYFRAMES: u32 = 3;
const KEYFRAME_EVERY: Duration = Duration::from_secs(3);
/// Entries of one full intra request that are looked at.
const MAX_FIR: usize = 16;
