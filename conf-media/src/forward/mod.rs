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
mod left_out;
mod mapping;
pub(crate) mod meter;
mod outgoing;
pub(crate) mod padding;
pub(crate) mod resend;
pub(crate) mod rewrite;
mod select;
pub(crate) mod speaker;
pub(crate) mod stage;

use std::time::{Duration, Instant};

use crate::allocate::Target;
use crate::codec::dependency::{Layer, Structure};
use crate::command::Extensions;
use crate::peer::{Peer, Way};
use crate::shard::outbox::Outbox;
use crate::slab::{Key, Slab};
use crate::stats::DropReason;
use crate::time::Now;
use crate::track::ring::Stored;
use crate::track::{Encoding, Track};

pub(crate) use edge::{Edge, EdgeReport};
use mapping::{Carried, Format};
use outgoing::Rewritten;
use rewrite::Splice;
pub(crate) use select::Choice;

/// All subscribers, and what is needed to send to them.
#[derive(Debug)]
pub(crate) struct Downstream<'a> {
    pub(crate) now: Now,
    pub(crate) edges: &'a mut Slab<Edge>,
    pub(crate) peers: &'a mut Slab<Peer>,
    pub(crate) out: &'a mut Outbox,
}

/// A packet of the ring, looked at once for all who get it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    stored: Stored<'a>,
    carried: Carried<'a>,
    /// What the layers of its encoding are, where descriptors tell.
    structure: Option<&'a Structure>,
}

impl<'a> Packet<'a> {
    pub(crate) fn new(stored: Stored<'a>, publisher: Extensions) -> Self {
        let carried = Carried::of(publisher, &stored.entry.view, stored.bytes);
        Self { stored, carried, structure: None }
    }

    /// A decoder can begin here.
    fn begins_picture(&self) -> bool {
        let picture = &self.stored.entry.picture;
        picture.keyframe && picture.start
    }
}

/// The encodings of a track, and the one that is spoken of.
#[derive(Clone, Copy)]
struct Source<'a> {
    encodings: &'a [Encoding],
    encoding: usize,
    clock_rate: u32,
    extensions: Extensions,
}

impl Downstream<'_> {
    /// Packets of `encoding` are in the ring under `sequences`, in the order in which they came, at
    /// most [`BURST`]: every edge that they concern sends them.
    pub(crate) fn fan_out(&mut self, track: &mut Track, encoding: usize, sequences: &[u64]) {
        let now = self.now.mono;
        let goals = track.goals(now);
        let is_video = track.is_video();
        let source = Source::new(track, encoding);
        let packets = source.packets(sequences);
        let packets = packets.get(..sequences.len()).unwrap_or_default();
        let mut wanted = false;
        for &key in &track.edges {
            let Some(edge) = self.edges.get_mut(key) else { continue };
            let Some(peer) = self.peers.get_mut(edge.subscriber) else { continue };
            if edge.is_still() {
                continue;
            }
            let Some(way) = way(edge, peer, self.out, sequences.len()) else { continue };
            let mut sending = Sending { now, edge, way, out: self.out };
            if sending.edge.source == Some(encoding) {
                packets.iter().flatten().for_each(|packet| sending.send(packet));
                wanted |= sending.edge.needs_keyframe(&source);
            } else if sending.edge.goal(&goals) == Some(encoding) {
                let begins = |packet: &&Packet<'_>| !is_video || packet.begins_picture();
                match packets.iter().flatten().find(begins) {
                    // With all that follows in the ring, the rest of the burst among it.
                    Some(first) => sending.begin(source, first.stored.sequence),
                    None => wanted = true,
                }
            }
        }
        if wanted && let Some(encoding) = track.encodings.get_mut(encoding) {
            encoding.gate.request(now);
            self.out.timers.wake_by(track.timer, now);
        }
    }

    /// An edge may begin: from the ring if a keyframe is there, else the publisher is asked.
    pub(crate) fn join(&mut self, track: &mut Track, key: Key<Edge>) {
        if self.edges.get(key).is_some_and(|edge| edge.source.is_none()) {
            self.change_over(track, key, FRESH);
        }
    }

    /// Something else of a track is to be sent to an edge. It goes over to another encoding from the
    /// ring if a keyframe is there that is younger than what asking for one would bring.
    pub(crate) fn aim(&mut self, track: &mut Track, key: Key<Edge>, target: Target) {
        let goals = track.goals(self.now.mono);
        let Some(edge) = self.edges.get_mut(key) else { return };
        edge.target = target;
        let goal = edge.goal(&goals);
        edge.aim(goal);
        if edge.source != goal {
            self.change_over(track, key, keyframe::SPACING);
        } else if let Some(encoding) = goal.and_then(|goal| track.encodings.get_mut(goal))
            && edge.lacks_layers(encoding.meter.top())
        {
            encoding.gate.request(self.now.mono);
            self.out.timers.wake_by(track.timer, self.now.mono);
        }
    }

    /// An edge begins with the encoding that it is to get, with a keyframe of the ring that is not
    /// older than `oldest`; otherwise the publisher is asked for one.
    fn change_over(&mut self, track: &mut Track, key: Key<Edge>, oldest: Duration) {
        let now = self.now.mono;
        let goals = track.goals(now);
        let Some(edge) = self.edges.get_mut(key) else { return };
        let Some(goal) = edge.goal(&goals).filter(|_| track.is_video()) else { return };
        let Some(peer) = self.peers.get_mut(edge.subscriber) else { return };
        if edge.is_still() || edge.source == Some(goal) || edge.is_mute() {
            return;
        }
        let Some(way) = peer.way() else { return };
        let Some(encoding) = track.encodings.get_mut(goal) else { return };
        let fresh = encoding.keyframe_at.is_some_and(|at| now < at + oldest);
        match encoding.ring.keyframe(MOST_AT_ONCE).filter(|_| fresh && !track.muted) {
            Some(sequence) => {
                let source = Source::new(track, goal);
                Sending { now, edge, way, out: self.out }.begin(source, sequence);
                self.out.counters.started_from_ring += 1;
            }
            None => {
                encoding.gate.request(now);
                self.out.timers.wake_by(track.timer, now);
            }
        }
    }

    /// Sends a packet of padding over the retransmissions of an edge; how many bytes.
    pub(crate) fn pad(&mut self, key: Key<Edge>) -> Option<usize> {
        let edge = self.edges.get_mut(key)?;
        let rewritten = edge.padding()?;
        let peer = self.peers.get_mut(edge.subscriber)?;
        let way = peer.way()?;
        let mut sending = Sending { now: self.now.mono, edge, way, out: self.out };
        sending.pad(rewritten)
    }

    /// A subscriber asks again for a packet that was sent to it.
    pub(crate) fn resend(&mut self, track: &Track, key: Key<Edge>, sequence: u16) -> Option<()> {
        let edge = self.edges.get_mut(key)?;
        let peer = self.peers.get_mut(edge.subscriber)?;
        let again = edge.ask(self.now.mono, sequence)?;
        let stored = track.encodings.get(again.epoch.encoding)?.ring.get_recent(again.source)?;
        let packet = Packet::new(stored, track.publication.extensions);
        let rewritten = edge.rewrite_again(sequence, &again, &packet)?;
        let Some(way) = peer.way() else {
            self.out.counters.drop_one(DropReason::SubscriberUnreachable);
            return None;
        };
        let mut sending = Sending { now: self.now.mono, edge, way, out: self.out };
        if sending.write(&packet, rewritten).is_some() {
            sending.out.counters.resent += 1;
            let asked = &mut sending.edge.report.asked;
            asked.again = asked.again.wrapping_add(1);
            asked.again_bytes += stored.entry.view.payload_range().len() as u64;
        }
        Some(())
    }
}

/// One edge with its subscriber.
struct Sending<'a> {
    now: Instant,
    edge: &'a mut Edge,
    way: Way<'a>,
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
            timestamp: packet.stored.entry.view.timestamp,
            continued: source.continued(self.edge.timeline(), packet.stored.entry.view.timestamp),
            clock_rate: source.clock_rate,
        };
        self.edge.begin(self.now, source.encoding, splice, &packet);
        if let Some(due) = self.edge.report.due {
            self.out.timers.wake_by(self.edge.timer, due);
        }
        for sequence in first..=source.newest().unwrap_or(first) {
            if let Some(packet) = source.packet(sequence) {
                self.send(&packet);
            }
        }
    }

    /// Sends a packet of the edge's present source, if it is part of what the subscriber gets.
    fn send(&mut self, packet: &Packet<'_>) {
        let view = &packet.stored.entry.view;
        let Some(format) = self.edge.format(view.payload_type) else {
            self.edge.skip(packet);
            self.out.counters.drop_one(DropReason::NoCommonCodec);
            return;
        };
        if view.payload_range().is_empty() {
            // Padding that probes the publisher's uplink.
            self.leave_out(format, packet);
            return;
        }
        let Choice::Send { last } = self.edge.choose(packet) else {
            self.out.counters.packets_unwanted += 1;
            self.leave_out(format, packet);
            return;
        };
        match self.edge.rewrite(format, packet, last) {
            Some(rewritten) => self.emit(packet, rewritten),
            None => self.out.counters.drop_one(DropReason::Late),
        }
    }

    /// The packets around one that is not sent close up; a hole that is there already is filled.
    fn leave_out(&mut self, format: Format, packet: &Packet<'_>) {
        if !self.edge.skip(packet)
            && let Some(fill) = self.edge.fill(format, packet)
            && self.write(packet, fill).is_some()
        {
            self.out.counters.filled += 1;
        }
    }

    /// Sends a packet and notes that.
    #[inline]
    fn emit(&mut self, packet: &Packet<'_>, rewritten: Rewritten) {
        if let Some(rewritten) = self.write(packet, rewritten) {
            let first = self.edge.report.due.is_none();
            self.edge.sent(self.now, packet, &rewritten);
            self.out.counters.packets_out += 1;
            self.out.counters.padded += u64::from(rewritten.is_padded());
            if first {
                self.out.timers.wake_by(self.edge.timer, self.now + FIRST_REPORT);
            }
        }
    }

    /// Writes and seals a packet of nothing but padding.
    fn pad(&mut self, mut rewritten: Rewritten) -> Option<usize> {
        let Way { to, sealer, transport } = &mut self.way;
        if let Some(transport) = transport {
            rewritten.set_transport(transport.next());
        }
        let (edge, mut sealed) = (&*self.edge, 0);
        let write = |buffer: &mut [u8]| {
            let len = edge.write_padding(&rewritten, buffer)?;
            sealed = sealer.seal_rtp(buffer, len).ok()?;
            Some(sealed)
        };
        if !self.out.egress.write(*to, Edge::room(usize::from(u8::MAX)) + SEAL, write) {
            return None;
        }
        if let Some(transport) = transport {
            transport.sent(self.now, sealed);
        }
        Some(sealed)
    }

    /// Copies, rewrites and seals in the arena: the media among what waits for its picture, what is
    /// sent again at once. Returns it as it went out.
    fn write(&mut self, packet: &Packet<'_>, mut rewritten: Rewritten) -> Option<Rewritten> {
        let Way { to, sealer, transport } = &mut self.way;
        let again = rewritten.is_again();
        let numbered = match transport {
            Some(transport) if self.edge.has_transport() && !rewritten.repeats() => {
                rewritten.set_transport(transport.next());
                Some(transport)
            }
            _ => None,
        };
        let edge = &*self.edge;
        let (mut reason, mut sealed) = (DropReason::ArenaFull, 0);
        let write = |buffer: &mut [u8]| {
            reason = DropReason::Unsealed;
            let len = edge.write(&rewritten, packet, buffer)?;
            sealed = match rewritten.repeats() {
                false => sealer.seal_rtp(buffer, len).ok()?,
                true => sealer.seal_rtp_again(buffer, len).ok()?,
            };
            Some(sealed)
        };
        let room = Edge::room(packet.stored.bytes.len()) + SEAL;
        let written = if again {
            self.out.egress.write(*to, room, write)
        } else {
            let to = edge.destination(*to, rewritten.header.marker);
            self.out.media.write(self.now, to, room, write)
        };
        if !written {
            self.out.counters.drop_one(reason);
            return None;
        }
        if let Some(transport) = numbered {
            transport.sent(self.now, sealed);
        }
        Some(rewritten)
    }
}

impl<'a> Source<'a> {
    fn new(track: &'a Track, encoding: usize) -> Self {
        let (clock_rate, extensions) = (track.clock_rate(), track.publication.extensions);
        Self { encodings: &track.encodings, encoding, clock_rate, extensions }
    }

    fn packet(&self, sequence: u64) -> Option<Packet<'a>> {
        let encoding = self.encodings.get(self.encoding)?;
        let stored = encoding.ring.get(sequence)?;
        let structure = encoding.dependency.structure();
        Some(Packet { structure, ..Packet::new(stored, self.extensions) })
    }

    /// Packets of the ring, as far as they are there.
    fn packets(&self, sequences: &[u64]) -> [Option<Packet<'a>>; BURST] {
        std::array::from_fn(|at| self.packet(*sequences.get(at)?))
    }

    /// The highest layers of this encoding.
    fn top(&self) -> Layer {
        self.encodings.get(self.encoding).map(|it| it.meter.top()).unwrap_or_default()
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

/// The way to the subscriber, if it can be sent to now; an edge that cannot begins again later.
fn way<'a>(
    edge: &mut Edge,
    peer: &'a mut Peer,
    out: &mut Outbox,
    packets: usize,
) -> Option<Way<'a>> {
    let reason = if edge.is_mute() {
        DropReason::NoCommonCodec
    } else if let Some(way) = peer.way() {
        return Some(way);
    } else {
        DropReason::SubscriberUnreachable
    };
    edge.stop();
    (0..packets).for_each(|_| out.counters.drop_one(reason));
    None
}

/// Both clocks at some moment, for tests: a machine is never asked what time it is.
#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
pub(crate) fn test_clock() -> Now {
    Now { mono: Instant::now(), wall: jiff::Timestamp::UNIX_EPOCH }
}

/// Most packets that are sent edge by edge: a picture of 1.2 Mbit/s has four, and they have to stay in
/// the cache beside the edges.
pub(crate) const BURST: usize = 8;
/// Bytes that sealing may add: the longest tag there is.
const SEAL: usize = 32;
/// The first report of an edge follows its first packets.
const FIRST_REPORT: Duration = Duration::from_millis(20);
/// A newcomer gets pictures from the ring if the keyframe is not older than this: what it gets at
/// once it shows with that much delay at first, and a fresh keyframe would be there sooner.
pub(crate) const FRESH: Duration = Duration::from_millis(1500);
/// And not more packets than this, so that its link is not flooded.
pub(crate) const MOST_AT_ONCE: u64 = 256;
