//! A snapshot of one peer, on demand.

use crate::command::{Event, PeerId};
use crate::forward::Edge;
use crate::peer::Peer;
use crate::rtcp::ReportBlock;
use crate::stats::Measure;
use crate::stats::report::{
    CandidatePair, DtlsState, InboundRtp, OutboundRtp, PeerStats, RemoteInbound, TransportReport,
    cipher,
};
use crate::tcp::TcpId;
use crate::time::Now;
use crate::track::{Encoding, Track};

use super::outbox::Outbox;
use super::{Refusal, Shard};

impl Shard {
    /// Answers by [`Event::Stats`].
    pub(super) fn ask_stats(&mut self, now: Now, id: PeerId) -> Result<(), Refusal> {
        let stats = self.peer_stats(now, id).ok_or(Refusal::UnknownPeer)?;
        self.out.event(Event::Stats { peer: id, stats: Box::new(stats) });
        Ok(())
    }

    /// What is known of a peer; `None` for one that does not live here.
    #[must_use]
    pub fn peer_stats(&self, now: Now, id: PeerId) -> Option<PeerStats> {
        let peer = self.peers.get(*self.peer_ids.get(&id)?)?;
        let published = peer.published.iter().filter_map(|&track| self.tracks.get(track));
        let inbound_rtp = published.flat_map(|track| {
            (0..track.encodings.len()).filter_map(|number| inbound(track, number))
        });
        let edges = || peer.received.iter().filter_map(|&edge| self.edges.get(edge));
        let outbound = |edge: &Edge| Some(outbound(self.tracks.get(edge.track)?, edge));
        let outbound_rtp: Vec<OutboundRtp> = edges().filter_map(outbound).collect();
        let round_trips = outbound_rtp.iter().filter_map(|it| it.remote?.round_trip_time);
        let round_trip = round_trips.min_by(f64::total_cmp);
        Some(PeerStats {
            timestamp: now.wall,
            transport: transport(peer, &outbound_rtp),
            candidate_pair: pair(peer, round_trip),
            inbound_rtp: inbound_rtp.collect(),
            outbound_rtp,
        })
    }
}

fn transport(peer: &Peer, outbound: &[OutboundRtp]) -> TransportReport {
    let (mut packets_sent, mut bytes_sent) = peer.ended;
    for edge in outbound {
        packets_sent += u64::from(edge.packets_sent) + u64::from(edge.retransmitted_packets_sent);
        bytes_sent += edge.bytes_sent + edge.retransmitted_bytes_sent;
    }
    TransportReport {
        packets_received: peer.upstream.packets,
        bytes_received: peer.upstream.bytes,
        packets_sent,
        bytes_sent,
        dtls_state: match peer.profile {
            Some(_) => DtlsState::Connected,
            None => DtlsState::New,
        },
        srtp_cipher: peer.profile.map(cipher),
    }
}

fn pair(peer: &Peer, round_trip: Option<f64>) -> Option<CandidatePair> {
    let address = peer.agent.address()?;
    Some(CandidatePair {
        protocol: if TcpId::of(address).is_some() { "tcp" } else { "udp" },
        ip_version: if address.ip().to_canonical().is_ipv4() { 4 } else { 6 },
        available_outgoing_bitrate: peer.downlink.available(),
        current_round_trip_time: round_trip,
    })
}

fn inbound(track: &Track, number: usize) -> Option<InboundRtp> {
    let Encoding { ssrc, stats, counts, .. } = track.encodings.get(number)?;
    let described = track.publication.encodings.get(number)?;
    Some(InboundRtp {
        track_identifier: track.id.0,
        kind: track.publication.kind,
        rid: described.rid.map(|rid| rid.as_str().to_owned()),
        ssrc: *ssrc,
        packets_received: stats.received(),
        packets_lost: stats.lost(),
        jitter: seconds(stats.jitter(), track.clock_rate()),
        bytes_received: counts.bytes,
        frames_received: counts.frames,
        key_frames_received: counts.keyframes,
        nack_count: counts.nacks,
        pli_count: counts.plis,
        muted: track.muted,
    })
}

fn outbound(track: &Track, edge: &Edge) -> OutboundRtp {
    let report = &edge.report;
    let remote = report.remote.map(|block| RemoteInbound {
        round_trip_time: report.round_trip.map(|it| it.as_secs_f64()),
        fraction_lost: f64::from(block.fraction_lost) / 256.0,
        packets_lost: block.cumulative_lost,
        jitter: seconds(block.jitter, track.clock_rate()),
    });
    OutboundRtp {
        track_identifier: track.id.0,
        kind: track.publication.kind,
        ssrc: edge.subscription.ssrc,
        active: edge.source.is_some() && !edge.is_still(),
        encoding_index: edge.source,
        packets_sent: report.packets,
        bytes_sent: report.bytes,
        retransmitted_packets_sent: report.asked.again,
        retransmitted_bytes_sent: report.asked.again_bytes,
        nack_count: report.asked.nacks,
        pli_count: report.asked.plis,
        fir_count: report.asked.firs,
        remote,
    }
}

/// Notes what a report says, for the metrics.
pub(super) fn measure(
    out: &mut Outbox,
    block: &ReportBlock,
    clock_rate: u32,
    (loss, jitter): (Measure, Measure),
) {
    out.counters.record(loss, (u64::from(block.fraction_lost) * 1_000_000) >> 8);
    let micros = u64::from(block.jitter) * 1_000_000;
    out.counters.record(jitter, micros.checked_div(u64::from(clock_rate)).unwrap_or_default());
}

fn seconds(ticks: u32, clock_rate: u32) -> f64 {
    f64::from(ticks) / f64::from(clock_rate.max(1))
}
