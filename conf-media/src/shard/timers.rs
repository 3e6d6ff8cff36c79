//! What happens without a packet: requests, feedback and reports that are due.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::command::Event;
use crate::forward::Edge;
use crate::peer::{Peer, REPORT};
use crate::rtcp::write::{self, SenderInfo};
use crate::rtcp::{self, ReportBlock};
use crate::slab::Key;
use crate::stats::Measure;
use crate::time::Now;
use crate::track::{Origin, Track};

use super::receive::report_level;
use super::report::measure;
use super::wheel::Timer;
use super::{Shard, outbox::Outbox};

/// What has a place in the timing wheel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    Peer(Key<Peer>),
    Track(Key<Track>),
    Edge(Key<Edge>),
}

impl Shard {
    /// Looks at whatever is due, and at nothing else.
    pub(super) fn run_timers(&mut self, now: Now) {
        loop {
            let work = AssertUnwindSafe(|| self.run_due(now));
            if catch_unwind(work).is_ok() {
                return;
            }
            self.blame(now);
            if let Some(due) = self.at_work.take() {
                // Nobody's, or its owner is gone. Again, but not without a pause.
                self.wake(due, now.mono + AFTER_PANIC);
            }
        }
    }

    fn run_due(&mut self, now: Now) {
        while let Some(due) = self.out.timers.expire(now.mono) {
            self.at_work = Some(due);
            self.in_work = None;
            if let Some(owner) = self.owner(due) {
                self.work_for(owner);
            }
            self.out.counters.timers_run += 1;
            let next = match due {
                Due::Peer(key) => self.peer_timers(now, key),
                Due::Track(key) => self.track_timers(now, key),
                Due::Edge(key) => self.edge_timers(now, key),
            };
            self.at_work = None;
            if let Some(next) = next {
                self.wake(due, next.max(now.mono + SOONEST));
            }
        }
    }

    /// The peer that a timer works for; a mirrored track has none here.
    fn owner(&self, due: Due) -> Option<Key<Peer>> {
        match due {
            Due::Peer(key) => Some(key),
            Due::Edge(key) => self.edges.get(key).map(|edge| edge.subscriber),
            Due::Track(key) => match self.tracks.get(key)?.origin {
                Origin::Peer(publisher) => Some(publisher),
                Origin::Shard(_) => None,
            },
        }
    }

    fn wake(&mut self, due: Due, at: Instant) {
        let timer = match due {
            Due::Peer(key) => self.peers.get(key).map(|peer| peer.timer),
            Due::Track(key) => self.tracks.get(key).map(|track| track.timer),
            Due::Edge(key) => self.edges.get(key).map(|edge| edge.timer),
        };
        self.out.timers.wake_by(timer.unwrap_or(Timer::NONE), at);
    }

    fn peer_timers(&mut self, now: Now, key: Key<Peer>) -> Option<Instant> {
        let peer = self.peers.get_mut(key)?;
        if peer.agent.timeout().is_some_and(|at| now.mono >= at) {
            peer.agent.handle_timeout(now);
            self.drain_agent(now, key);
        }
        self.transport_feedback(now, key);
        self.receiver_report(now, key);
        self.allocate_if_due(now, key);
        self.probe(now, key);
        let peer = self.peers.get(key)?;
        let dues = [peer.agent.timeout(), peer.upstream.due(), peer.downlink.due()];
        dues.into_iter().flatten().min()
    }

    /// Tells a publisher when its packets came.
    fn transport_feedback(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.upstream.recorder.is_none() {
            return;
        }
        let media = peer.sources.first().unwrap_or_default();
        let ssrc = peer.upstream.ssrc;
        loop {
            let out = self.out.compose();
            write::receiver_report(out, ssrc, &[]);
            let Some(recorder) = &mut peer.upstream.recorder else { return };
            if !recorder.poll_feedback(now.mono, ssrc, media, out) {
                return;
            }
            self.out.post(peer);
            self.out.counters.feedback_sent += 1;
        }
    }

    /// Tells a publisher how its packets came.
    fn receiver_report(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        if peer.upstream.report_at.is_none_or(|at| now.mono < at) {
            return;
        }
        peer.upstream.report_at = None; // until the next packet
        peer.upstream.reported_at = Some(now.mono);
        let mut blocks = [ReportBlock::default(); write::MAX_BLOCKS];
        let mut count = 0;
        for &track in &peer.published {
            let Some(track) = self.tracks.get_mut(track) else { continue };
            let clock_rate = track.clock_rate();
            for encoding in &mut track.encodings {
                let Some(ssrc) = encoding.ssrc else { continue };
                let Some(block) = encoding.stats.report(ssrc, now.mono) else { continue };
                peer.judge.sends(block.fraction_lost);
                measure(&mut self.out, &block, clock_rate, (Measure::LossIn, Measure::JitterIn));
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
        self.judge(now, key);
    }

    /// Says how good the connection of a peer is, if it is time to and that changed.
    pub(super) fn judge(&mut self, now: Now, key: Key<Peer>) {
        let Some(peer) = self.peers.get_mut(key) else { return };
        let edges = &self.edges;
        let held = |edge: &Key<Edge>| edges.get(*edge).is_some_and(|edge| edge.still.starved);
        let held = peer.received.iter().any(held);
        if let Some(quality) = peer.judge.judge(now.mono, held) {
            self.out.event(Event::Quality { peer: peer.id, quality });
        }
    }

    /// Asks a publisher for what is missing, and for keyframes; forgets what fell silent.
    fn track_timers(&mut self, now: Now, key: Key<Track>) -> Option<Instant> {
        let track = self.tracks.get_mut(key)?;
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
            Origin::Peer(publisher) => self.peers.get_mut(publisher)?,
            Origin::Shard(shard) => {
                self.ask_origin(now, key, shard);
                return self.tracks.get(key)?.due();
            }
        };
        ask(now, track, publisher, &mut self.out, &mut self.missing);
        track.due()
    }

    /// Sends the report of an edge that is due. One that has nothing to say waits for its next
    /// beginning, or for the publisher's first report.
    fn edge_timers(&mut self, now: Now, key: Key<Edge>) -> Option<Instant> {
        let edge = self.edges.get_mut(key)?;
        let due = edge.report.due?;
        if now.mono < due {
            return Some(due);
        }
        let track = self.tracks.get(edge.track)?;
        let info = sender_info(edge, track, now)?;
        let peer = self.peers.get_mut(edge.subscriber)?;
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
        edge.report.due
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
        octets: u32::try_from(edge.report.bytes & u64::from(u32::MAX)).ok()?,
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
                encoding.counts.nacks += u32::try_from(missing.len()).unwrap_or_default();
                out.reports(publisher, |out| {
                    write::receiver_report(out, from, &[]);
                    write::nack(out, from, media, missing);
                });
            }
        }
        let given_up = encoding.missing.given_up();
        let broken = std::mem::replace(&mut encoding.given_up, given_up) < given_up;
        if !is_video {
            continue;
        }
        if broken {
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
            encoding.counts.plis += 1;
            if publisher.local {
                out.event(Event::KeyframeWanted { track: track.id });
                continue;
            }
            out.reports(publisher, |out| {
                write::receiver_report(out, from, &[]);
                write::pli(out, from, media);
            });
        }
    }
}

/// Nothing is looked at twice in this time.
const SOONEST: Duration = Duration::from_millis(1);
/// What panicked is looked at again after this.
const AFTER_PANIC: Duration = Duration::from_secs(1);
const VIDEO_REPORT: Duration = Duration::from_secs(1);
const AUDIO_REPORT: Duration = Duration::from_secs(5);
