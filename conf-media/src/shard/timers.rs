//! What happens without a packet: requests, feedback and reports that are due.

use std::time::Duration;

use crate::forward::Edge;
use crate::peer::Peer;
use crate::rtcp::write::{self, SenderInfo};
use crate::rtcp::{self, ReportBlock};
use crate::slab::Key;
use crate::time::Now;
use crate::track::{Origin, Track};

use super::receive::report_level;
use super::{Shard, outbox::Outbox};

impl Shard {
    /// Looks at all peers and tracks, and at one in [`EDGE_ROUNDS`] edges: their reports may be late
    /// by that many ticks, and there are as many edges as the square of the participants.
    pub(super) fn run_timers(&mut self, now: Now) {
        for slot in 0..self.peers.slots() {
            if let Some(key) = self.peers.key_at(slot) {
                self.peer_timers(now, key);
            }
        }
        for slot in 0..self.tracks.slots() {
            if let Some(key) = self.tracks.key_at(slot) {
                self.track_timers(now, key);
            }
        }
        self.round = (self.round + 1) % EDGE_ROUNDS;
        for slot in (self.round..self.edges.slots()).step_by(EDGE_ROUNDS) {
            if let Some(key) = self.edges.key_at(slot) {
                self.edge_timers(now, key);
            }
        }
    }

    fn peer_timers(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.agent.timeout().is_some_and(|at| now.mono >= at) {
            peer.agent.handle_timeout(now);
            self.drain_agent(now, key);
        }
        self.transport_feedback(now, key);
        self.receiver_report(now, key);
    }

    /// Tells a publisher when its packets came.
    fn transport_feedback(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.upstream.recorder.timeout().is_none_or(|at| now.mono < at) {
            return;
        }
        let Some(media) = peer.sources.first() else { return };
        let ssrc = peer.upstream.ssrc;
        loop {
            let out = self.out.compose();
            write::receiver_report(out, ssrc, &[]);
            if !peer.upstream.recorder.poll_feedback(now.mono, ssrc, media, out) {
                return;
            }
            self.out.post(peer);
            self.out.counters.feedback_sent += 1;
        }
    }

    /// Tells a publisher how its packets came.
    fn receiver_report(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.published.is_empty() || peer.upstream.report_at.is_some_and(|at| now.mono < at) {
            return;
        }
        peer.upstream.report_at = Some(now.mono + REPORT);
        let mut blocks = [ReportBlock::default(); write::MAX_BLOCKS];
        let mut count = 0;
        for &track in &peer.published {
            let Some(track) = self.tracks.get_mut(track) else { continue };
            for encoding in &mut track.encodings {
                let Some(ssrc) = encoding.ssrc else { continue };
                let Some(block) = encoding.stats.report(ssrc, now.mono) else { continue };
                if let Some(place) = blocks.get_mut(count) {
                    *place = block;
                    count += 1;
                }
            }
        }
        let blocks = blocks.get(..count).unwrap_or_default();
        let ssrc = peer.upstream.ssrc;
        if count > 0 {
            self.out.reports(peer, |out| write::receiver_report(out, ssrc, blocks));
        }
    }

    /// Asks a publisher for what is missing, and for keyframes; forgets what fell silent.
    fn track_timers(&mut self, now: Now, key: Key<Track>) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        for encoding in &mut track.encodings {
            encoding.forget_silence(now.mono);
        }
        if let Some(speaker) = &mut track.speaker
            && speaker.timeout().is_some_and(|at| now.mono >= at)
        {
            speaker.handle_timeout(now.mono);
            report_level(track, &mut self.out);
        }
        let publisher = match track.origin {
            Origin::Peer(publisher) => publisher,
            Origin::Shard(shard) => return self.ask_origin(now, key, shard),
        };
        let Some(publisher) = self.peers.get_mut(publisher) else { return };
        ask(now, track, publisher, &mut self.out, &mut self.missing);
    }

    /// Sends the report of an edge that is due.
    fn edge_timers(&mut self, now: Now, key: Key<Edge>) {
        let Some(edge) = self.edges.get_mut(key) else { return };
        if edge.report.due.is_none_or(|due| now.mono < due) {
            return;
        }
        let Some(track) = self.tracks.get(edge.track) else { return };
        let Some(info) = sender_info(edge, track, now) else { return };
        let Some(peer) = self.peers.get_mut(edge.subscriber) else { return };
        let interval = if track.is_video() { VIDEO_REPORT } else { AUDIO_REPORT };
        // The first two come quickly, so that sound and picture find together.
        let interval = if edge.report.sent.is_none() { REPORT / 2 } else { interval };
        edge.report.due = Some(now.mono + interval);
        edge.report.sent = Some((rtcp::ntp_middle(info.ntp), now.mono));
        let cname = edge.subscription.cname.as_bytes();
        self.out.reports(peer, |out| {
            write::sender_report(out, &info, &[]);
            write::sdes_cname(out, info.ssrc, cname);
        });
    }
}

/// What a subscriber is told about the clock of a stream: the publisher's own, so that streams of
/// one publisher stay together. `None` while it is unknown or nothing is sent.
fn sender_info(edge: &Edge, track: &Track, now: Now) -> Option<SenderInfo> {
    let (clock, arrival) = track.encodings.get(edge.source?)?.report?;
    let elapsed = now.mono.saturating_duration_since(arrival).as_nanos();
    let ticks = elapsed * u128::from(track.clock_rate()) / 1_000_000_000;
    let ticks = u32::try_from(ticks & u128::from(u32::MAX)).ok()?;
    let fixed = u64::try_from(((elapsed << 32) / 1_000_000_000) & u128::from(u64::MAX)).ok()?;
    Some(SenderInfo {
        ssrc: edge.subscription.ssrc,
        ntp: clock.ntp.wrapping_add(fixed),
        rtp: clock.rtp.wrapping_add(edge.timestamp_offset()).wrapping_add(ticks),
        packets: edge.report.packets,
        octets: edge.report.octets,
    })
}

/// Requests to the publisher of a track.
fn ask(
    now: Now,
    track: &mut Track,
    publisher: &mut Peer,
    out: &mut Outbox,
    missing: &mut Vec<u16>,
) {
    let is_video = track.is_video();
    let has_nack = track.publication.codecs.iter().any(|codec| codec.nack);
    let best = track.layers.best();
    let from = publisher.upstream.ssrc;
    for (index, encoding) in track.encodings.iter_mut().enumerate() {
        let Some(media) = encoding.ssrc else { continue };
        if encoding.missing.timeout().is_some_and(|at| now.mono >= at) {
            missing.clear();
            encoding.missing.poll(now.mono, missing);
            if has_nack && !missing.is_empty() {
                out.counters.nacks_sent += missing.len() as u64;
                out.reports(publisher, |out| {
                    write::receiver_report(out, from, &[]);
                    write::nack(out, from, media, missing);
                });
            }
        }
        if !is_video {
            continue;
        }
        let given_up = encoding.missing.given_up();
        if std::mem::replace(&mut encoding.given_up, given_up) < given_up {
            encoding.gate.request(now.mono); // its picture is broken for everybody
        }
        if encoding.gate.timeout().is_some_and(|at| now.mono >= at) {
            encoding.gate.handle_timeout(now.mono);
        }
        // A still screen sends nothing, and is asked; a layer that stopped is not.
        let answers = best == Some(index) || track.layers.is_live(index, now.mono);
        while encoding.gate.poll().is_some() {
            if !answers || track.muted {
                continue;
            }
            out.counters.plis_sent += 1;
            out.reports(publisher, |out| {
                write::receiver_report(out, from, &[]);
                write::pli(out, from, media);
            });
        }
    }
}

/// Ticks in which every edge is looked at once.
const EDGE_ROUNDS: usize = 10;
/// Receiver reports to publishers.
const REPORT: Duration = Duration::from_secs(1);
const VIDEO_REPORT: Duration = Duration::from_secs(1);
const AUDIO_REPORT: Duration = Duration::from_secs(5);
