//! One publisher's packet becomes its subscribers' packets.
//!
//! The packet is in the ring of its track; each edge decides whether it is part of what its
//! subscriber gets, and the bytes are copied once, rewritten and sealed in the send arena. An edge
//! begins, and changes between encodings, only where a decoder can: at a keyframe. One that is
//! still in the ring with all that follows serves a newcomer at once; otherwise the publisher is
//! asked for one, through the gate of the encoding.

mod edge;
pub(crate) mod keyframe;
pub(crate) mod layers;
mod mapping;
pub(crate) mod resend;
pub(crate) mod rewrite;
pub(crate) mod speaker;

use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::shard::outbox::Outbox;
use crate::slab::{Key, Slab};
use crate::stats::DropReason;
use crate::time::Now;
use crate::track::ring::Stored;
use crate::track::{Encoding, Track};

pub(crate) use edge::Edge;
use edge::Rewritten;
use rewrite::Splice;

/// All subscribers, and what is needed to send to them.
#[derive(Debug)]
pub(crate) struct Downstream<'a> {
    pub(crate) now: Now,
    pub(crate) edges: &'a mut Slab<Edge>,
    pub(crate) peers: &'a mut Slab<Peer>,
    pub(crate) out: &'a mut Outbox,
}

/// The encodings of a track, and the one that is spoken of.
#[derive(Clone, Copy)]
struct Source<'a> {
    encodings: &'a [Encoding],
    encoding: usize,
    clock_rate: u32,
}

impl Downstream<'_> {
    /// A packet of `encoding` is in the ring under `sequence`: every edge that it concerns sends it.
    pub(crate) fn fan_out(&mut self, track: &mut Track, encoding: usize, sequence: u64) {
        let best = track.layers.best() == Some(encoding);
        let clock_rate = track.clock_rate();
        let is_video = track.is_video();
        let source = Source { encodings: &track.encodings, encoding, clock_rate };
        let Some(packet) = source.packet(sequence) else { return };
        let picture = &packet.entry.picture;
        let begins = !is_video || (picture.keyframe && picture.start);
        let mut wanted = false;
        for &key in &track.edges {
            let Some(edge) = self.edges.get_mut(key) else { continue };
            let Some(peer) = self.peers.get_mut(edge.subscriber) else { continue };
            if edge.paused || !can_receive(edge, peer, self.out) {
                continue;
            }
            let mut sending = Sending { now: self.now.mono, edge, peer, out: self.out };
            if sending.edge.source == Some(encoding) {
                sending.send(&packet);
            } else if best && begins {
                sending.begin(source, sequence);
            } else if best {
                wanted = true;
            }
        }
        if wanted && let Some(encoding) = track.encodings.get_mut(encoding) {
            encoding.gate.request(self.now.mono);
        }
    }

    /// An edge may begin: from the ring if a keyframe is there, else the publisher is asked.
    pub(crate) fn join(&mut self, track: &mut Track, key: Key<Edge>) {
        let Some(best) = track.layers.best().filter(|_| track.is_video()) else { return };
        let Some(edge) = self.edges.get_mut(key) else { return };
        let Some(peer) = self.peers.get_mut(edge.subscriber) else { return };
        if edge.paused || edge.source.is_some() || edge.is_mute() || !peer.is_reachable() {
            return;
        }
        let clock_rate = track.clock_rate();
        let Some(encoding) = track.encodings.get_mut(best) else { return };
        let now = self.now.mono;
        let fresh = encoding.keyframe_at.is_some_and(|at| now < at + FRESH);
        match encoding.ring.keyframe(MOST_AT_ONCE).filter(|_| fresh && !track.muted) {
            Some(sequence) => {
                let source = Source { encodings: &track.encodings, encoding: best, clock_rate };
                Sending { now, edge, peer, out: self.out }.begin(source, sequence);
                self.out.counters.started_from_ring += 1;
            }
            None => encoding.gate.request(now),
        }
    }

    /// A subscriber asks again for a packet that was sent to it.
    pub(crate) fn resend(&mut self, track: &Track, key: Key<Edge>, sequence: u16) -> Option<()> {
        let edge = self.edges.get_mut(key)?;
        let peer = self.peers.get_mut(edge.subscriber)?;
        let again = edge.ask(self.now.mono, sequence)?;
        let packet = track.encodings.get(again.epoch.encoding)?.ring.get_recent(again.source)?;
        let rewritten = edge.rewrite_again(sequence, &again, &packet.entry.view)?;
        let mut sending = Sending { now: self.now.mono, edge, peer, out: self.out };
        if sending.write(&packet, &rewritten) {
            self.out.counters.resent += 1;
        }
        Some(())
    }
}

/// One edge with its subscriber.
struct Sending<'a> {
    now: Instant,
    edge: &'a mut Edge,
    peer: &'a mut Peer,
    out: &'a mut Outbox,
}

impl Sending<'_> {
    /// The edge goes over to an encoding, with all packets from `first` on.
    fn begin(&mut self, source: Source<'_>, first: u64) {
        let Some(packet) = source.packet(first) else { return };
        if self.edge.source.is_some() {
            self.out.counters.layer_switches += 1;
        }
        let splice = Splice {
            sequence: first,
            timestamp: packet.entry.view.timestamp,
            continued: source.continued(self.edge.timeline(), packet.entry.view.timestamp),
            clock_rate: source.clock_rate,
        };
        self.edge.begin(self.now, source.encoding, splice, &packet);
        for sequence in first..=source.newest().unwrap_or(first) {
            if let Some(packet) = source.packet(sequence) {
                self.send(&packet);
            }
        }
    }

    /// Sends a packet of the edge's present source.
    fn send(&mut self, packet: &Stored<'_>) {
        let view = &packet.entry.view;
        if view.payload_range().is_empty() {
            // Padding that probes the publisher's uplink.
            self.edge.skip(packet.sequence);
            return;
        }
        let Some(format) = self.edge.format(view.payload_type) else {
            self.edge.skip(packet.sequence);
            self.out.counters.drop_one(DropReason::NoCommonCodec);
            return;
        };
        let Some(rewritten) = self.edge.rewrite(format, packet) else {
            self.out.counters.drop_one(DropReason::Late);
            return;
        };
        if self.write(packet, &rewritten) {
            self.edge.sent(self.now, packet, &rewritten);
            self.out.counters.packets_out += 1;
        }
    }

    /// Copies, rewrites and seals in the arena.
    fn write(&mut self, packet: &Stored<'_>, rewritten: &Rewritten) -> bool {
        let Some((to, sealer)) = self.peer.path() else {
            self.out.counters.drop_one(DropReason::SubscriberUnreachable);
            return false;
        };
        let edge = &*self.edge;
        let room = Edge::room(packet.bytes.len());
        let mut reason = DropReason::ArenaFull;
        let written = self.out.egress.write(to, room + SEAL, |buffer| {
            reason = DropReason::Unsealed;
            let len = edge.write(rewritten, packet, buffer.get_mut(..room)?)?;
            match rewritten.repeats() {
                false => sealer.seal_rtp(buffer, len).ok(),
                true => sealer.seal_rtp_again(buffer, len).ok(),
            }
        });
        if !written {
            self.out.counters.drop_one(reason);
        }
        written
    }
}

impl<'a> Source<'a> {
    fn packet(&self, sequence: u64) -> Option<Stored<'a>> {
        self.encodings.get(self.encoding)?.ring.get(sequence)
    }

    fn newest(&self) -> Option<u64> {
        self.encodings.get(self.encoding)?.ring.newest()
    }

    /// A timestamp of this source in the numbering of the encoding that was sent before.
    fn continued(&self, before: Option<usize>, timestamp: u32) -> Option<u32> {
        let before = before?;
        if before == self.encoding {
            return Some(timestamp);
        }
        let report = |encoding: usize| self.encodings.get(encoding)?.report.map(|report| report.0);
        report(before)?.translate(report(self.encoding)?, timestamp, self.clock_rate)
    }
}

/// Whether the subscriber can be sent to now; an edge that cannot begins again later.
fn can_receive(edge: &mut Edge, peer: &Peer, out: &mut Outbox) -> bool {
    let reason = if edge.is_mute() {
        DropReason::NoCommonCodec
    } else if !peer.is_reachable() {
        DropReason::SubscriberUnreachable
    } else {
        return true;
    };
    edge.stop();
    out.counters.drop_one(reason);
    false
}

/// Both clocks at some moment, for tests: a machine is never asked what time it is.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
pub(crate) fn test_clock() -> Now {
    Now { mono: Instant::now(), wall: jiff::Timestamp::UNIX_EPOCH }
}

/// Bytes that sealing may add: the longest tag there is.
const SEAL: usize = 32;
/// A newcomer gets pictures from the ring if the keyframe is not older than this: what it gets at
/// once it shows with that much delay at first, and a fresh keyframe would be there sooner.
pub(crate) const FRESH: Duration = Duration::from_millis(1500);
/// And not more packets than this, so that its link is not flooded.
pub(crate) const MOST_AT_ONCE: u64 = 256;
