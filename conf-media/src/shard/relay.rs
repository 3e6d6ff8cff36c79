//! Tracks with subscribers on other shards.
//!
//! On the publisher's shard a track knows which shards want it; each packet that was accepted goes
//! there once. On the other side is a mirror: a track of its own, with ring, edges and answers to
//! requests for lost packets, whose packets come from a link instead of a peer. It asks its origin
//! for keyframes, nothing else.
//!
//! When a link is full, whole pictures are left out up to the next keyframe, which the publisher is
//! asked for; only when even sound finds no room, sound is lost as on a network.

use std::time::Instant;

use crate::command::TrackId;
use crate::director::{Mirror, ShardIndex};
use crate::forward::layers::MAX_ENCODINGS;
use crate::forward::{FRESH, MOST_AT_ONCE};
use crate::slab::Key;
use crate::stats::{Counters, DropReason};
use crate::time::Now;
use crate::track::ring::Kept;
use crate::track::{Origin, Track};

use super::link::{LONGEST, Links, Matter, Note, Relayed};
use super::{Refusal, Shard, receive};

/// One shard that a track is relayed to.
#[derive(Debug)]
pub(crate) struct Relay {
    to: ShardIndex,
    /// Encodings of which pictures are being left out.
    dropping: [bool; MAX_ENCODINGS],
}

/// A packet in the ring of a track, and the first of its relays that it is for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet {
    pub(super) encoding: usize,
    pub(super) sequence: u64,
    pub(super) first_relay: usize,
}

/// Sends a packet of a track to the shards that want it.
fn relay(
    now: Instant,
    track: &mut Track,
    packet: Packet,
    links: &mut Links,
    counters: &mut Counters,
) -> bool {
    let is_video = track.is_video();
    let Some(encoding) = track.encodings.get_mut(packet.encoding) else { return false };
    let Ok(number) = u8::try_from(packet.encoding) else { return false };
    let Some(stored) = encoding.ring.get(packet.sequence) else { return false };
    let relayed = Relayed {
        track: track.id,
        encoding: number,
        epoch: encoding.epoch,
        resumes: false,
        sequence: packet.sequence,
        entry: *stored.entry,
    };
    let mut wanted = false;
    for relay in track.relays.iter_mut().skip(packet.first_relay) {
        let sent = if is_video {
            relay.picture(relayed, stored.bytes, links)
        } else {
            relay.sound(relayed, stored.bytes, links)
        };
        match sent {
            Ok(()) => counters.relayed_out += 1,
            Err(Left { reason, ask }) => {
                counters.drop_one(reason);
                wanted |= ask;
            }
        }
    }
    if wanted {
        encoding.gate.request(now);
    }
    wanted
}

/// A packet was left out.
struct Left {
    reason: DropReason,
    /// There is room again: a keyframe would go through.
    ask: bool,
}

impl Relay {
    pub(super) fn new(to: ShardIndex) -> Self {
        Self { to, dropping: [false; MAX_ENCODINGS] }
    }

    fn sound(&self, packet: Relayed, bytes: &[u8], links: &mut Links) -> Result<(), Left> {
        let pushed = links.push(self.to, Note::Packet(packet), bytes, Matter::Sound);
        let left = Left { reason: DropReason::LinkFullSound, ask: false };
        pushed.then_some(()).ok_or(left)
    }

    fn picture(
        &mut self,
        mut packet: Relayed,
        bytes: &[u8],
        links: &mut Links,
    ) -> Result<(), Left> {
        let left = |ask| Left { reason: DropReason::LinkFull, ask };
        let number = usize::from(packet.encoding);
        let dropping = self.dropping.get_mut(number).ok_or(left(false))?;
        let picture = packet.entry.picture;
        if *dropping && !(picture.keyframe && picture.start) {
            return Err(left(links.has_room(self.to, bytes.len(), Matter::Picture)));
        }
        packet.resumes = *dropping;
        let matter = if picture.start { Matter::Picture } else { Matter::Rest };
        let pushed = links.push(self.to, Note::Packet(packet), bytes, matter);
        *dropping = !pushed;
        pushed.then_some(()).ok_or(left(false))
    }
}

impl Shard {
    /// Sends a packet of a track to the shards that want it.
    pub(super) fn relay(&mut self, now: Now, key: Key<Track>, packet: Packet) {
        if let Some(track) = self.tracks.get_mut(key) {
            let out = &mut self.out;
            if relay(now.mono, track, packet, &mut self.links, &mut out.counters) {
                out.timers.wake_by(track.timer, now.mono);
            }
        }
    }

    /// Tells the other shards which time the timestamps of an encoding stand for.
    pub(super) fn relay_clock(&mut self, key: Key<Track>, encoding: usize) {
        let Some(track) = self.tracks.get(key) else { return };
        let Some((clock, arrival)) = track.encodings.get(encoding).and_then(|it| it.report) else {
            return;
        };
        let Ok(encoding) = u8::try_from(encoding) else { return };
        for relay in &track.relays {
            // One that finds no room is said again with the next report.
            let note = Note::Clock { track: track.id, encoding, clock, arrival };
            self.links.push(relay.to, note, &[], Matter::Control);
        }
    }

    /// Asks the publisher's shard for keyframes of a mirrored track.
    pub(super) fn ask_origin(&mut self, now: Now, key: Key<Track>, shard: ShardIndex) {
        let Some(track) = self.tracks.get_mut(key).filter(|track| track.is_video()) else { return };
        for (encoding, it) in (0u8..).zip(&mut track.encodings) {
            if it.gate.timeout().is_some_and(|at| now.mono >= at) {
                it.gate.handle_timeout(now.mono);
            }
            while it.gate.poll().is_some() {
                // One that finds no room is repeated by the gate.
                let note = Note::KeyframeWanted { track: track.id, encoding };
                self.links.push(shard, note, &[], Matter::Control);
            }
        }
    }

    /// Another shard wants a track, or no longer. It gets the clocks, and pictures from the ring
    /// if a newcomer here would.
    pub(super) fn set_relay(
        &mut self,
        now: Now,
        id: TrackId,
        to: ShardIndex,
        on: bool,
    ) -> Result<(), Refusal> {
        let key = self.track_key(id)?;
        let track = self.tracks.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        track.relays.retain(|relay| relay.to != to);
        if !on {
            return Ok(());
        }
        track.relays.push(Relay::new(to));
        for encoding in 0..track.encodings.len() {
            self.relay_clock(key, encoding);
        }
        self.replay(now, key);
        Ok(())
    }

    /// Sends the newest relay of a track what a newcomer gets from the ring.
    fn replay(&mut self, now: Now, key: Key<Track>) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        let Some(best) = track.layers.best().filter(|_| track.is_video()) else { return };
        let Some(encoding) = track.encodings.get(best) else { return };
        let fresh = encoding.keyframe_at.is_some_and(|at| now.mono < at + FRESH);
        let (Some(first), Some(last)) =
            (encoding.ring.keyframe(MOST_AT_ONCE), encoding.ring.newest())
        else {
            return;
        };
        if !fresh || track.muted {
            return;
        }
        let first_relay = track.relays.len() - 1;
        for sequence in first..=last {
            self.relay(now, key, Packet { encoding: best, sequence, first_relay });
        }
    }

    /// A track of another shard is wanted here, or described anew.
    pub(super) fn mirror(&mut self, now: Now, mirror: Mirror) -> Result<(), Refusal> {
        let Mirror { track: id, room, publication, muted, from } = mirror;
        if publication.encodings.len() > MAX_ENCODINGS {
            return Err(Refusal::TooMany { what: "encodings of a track", limit: MAX_ENCODINGS });
        }
        let origin = Origin::Shard(from);
        let key = match self.track_ids.get(&id) {
            Some(&key) => {
                self.describe_track(key, origin, publication)?;
                key
            }
            None => {
                let mut track = Track::new(id, origin, publication);
                track.muted = muted;
                let key = self.keep_track(now, track);
                self.out.counters.mirrors += 1;
                key
            }
        };
        self.enter_stage(now, key, room);
        self.join_all(now, key);
        Ok(())
    }

    /// Takes what has come from the other shards, as far as [`Shard::look_at_links`] saw it.
    pub fn handle_links(&mut self, now: Now) {
        let mut scratch = [0; LONGEST];
        for shard in (0..self.links.shards()).map(ShardIndex) {
            let Some(mut incoming) = self.links.take(shard) else { continue };
            loop {
                self.in_work = None;
                let note = |note, bytes: &mut [u8]| self.note(now, shard, note, bytes);
                match incoming.next(&mut scratch, note) {
                    None => break,
                    Some(Ok(())) => {}
                    Some(Err(_)) => self.blame(now),
                }
            }
            self.links.put_back(shard, incoming);
            self.finish_burst(now);
        }
    }

    fn note(&mut self, now: Now, shard: ShardIndex, note: Note, bytes: &mut [u8]) {
        if !matches!(note, Note::Packet(_)) {
            self.send_burst(now);
        }
        let taken = match note {
            Note::Packet(relayed) => self.relayed(now, &relayed, bytes),
            Note::Clock { track, encoding, clock, arrival } => {
                if let Some(&key) = self.track_ids.get(&track) {
                    self.keep_clock(now, (key, usize::from(encoding)), (clock, arrival));
                }
                Ok(())
            }
            Note::KeyframeWanted { track, encoding } => {
                self.keyframe_wanted(now, track, usize::from(encoding));
                Ok(())
            }
            Note::Datagram { from, arrival } => {
                self.handed_over(now, shard, (from, arrival), bytes)
            }
            Note::Path { peer, address } => {
                self.learn_path(now, shard, peer, address);
                Ok(())
            }
        };
        if let Err(reason) = taken {
            self.out.counters.drop_one(reason);
        }
    }

    /// Another shard has nobody else to ask.
    fn keyframe_wanted(&mut self, now: Now, track: TrackId, encoding: usize) {
        let key = self.track_ids.get(&track);
        let Some(track) = key.and_then(|&key| self.tracks.get_mut(key)) else { return };
        if let Some(encoding) = track.encodings.get_mut(encoding) {
            encoding.gate.request(now.mono);
            self.out.timers.wake_by(track.timer, now.mono);
        }
    }

    /// A packet of a mirrored track.
    fn relayed(&mut self, now: Now, relayed: &Relayed, packet: &[u8]) -> Result<(), DropReason> {
        let number = usize::from(relayed.encoding);
        let &key = self.track_ids.get(&relayed.track).ok_or(DropReason::UnknownSource)?;
        self.make_way(now, key, number);
        let track = self.tracks.get_mut(key).ok_or(DropReason::UnknownSource)?;
        if track.origin.is_peer() {
            return Err(DropReason::UnknownSource);
        }
        let encoding = track.encodings.get(number).ok_or(DropReason::UnknownSource)?;
        if track.muted {
            return Err(DropReason::Muted);
        }
        if encoding.epoch != relayed.epoch {
            self.restart_encoding(now, key, number);
        } else if relayed.resumes {
            self.send_burst(now);
            self.stop_edges(key, number);
        }
        let track = self.tracks.get_mut(key).ok_or(DropReason::UnknownSource)?;
        let descriptor = track.publication.extensions.dependency_descriptor;
        let encoding = track.encodings.get_mut(number).ok_or(DropReason::UnknownSource)?;
        encoding.epoch = relayed.epoch;
        if let Some(id) =
            descriptor.filter(|_| relayed.entry.picture.frame.is_some_and(|it| it.key))
        {
            // The structure, which later packets refer to.
            let value = relayed.entry.view.extension(packet, id);
            value.map(|value| encoding.dependency.read(relayed.sequence, value));
        }
        match encoding.ring.insert(relayed.sequence, packet, relayed.entry) {
            Kept::Duplicate => return Err(DropReason::Duplicate),
            Kept::Late => return Err(DropReason::Late),
            Kept::Oversized => return Err(DropReason::Oversized),
            Kept::Newest | Kept::Older => {}
        }
        encoding.kept_at = Some(now.mono);
        encoding.meter.record(now.mono, &relayed.entry.picture, packet.len());
        if relayed.entry.picture.keyframe && relayed.entry.picture.start {
            encoding.gate.arrived(now.mono);
            encoding.keyframe_at = Some(now.mono);
        }
        self.out.counters.relayed_in += 1;
        receive::hear(track, now, &relayed.entry.view, packet);
        receive::report_level(track, &mut self.out);
        if let Some(due) = receive::due_after(track, number, now) {
            self.out.timers.wake_by(track.timer, due);
        }
        track.layers.handle(now.mono, number);
        if !self.is_heard(now, key, &relayed.entry.view, packet) {
            self.out.counters.packets_unheard += 1;
            return Ok(());
        }
        self.gather(key, number, relayed.sequence);
        Ok(())
    }

    /// Pictures were left out: edges that send this encoding begin anew.
    fn stop_edges(&mut self, key: Key<Track>, encoding: usize) {
        let Some(track) = self.tracks.get(key) else { return };
        for &edge in &track.edges {
            if let Some(edge) = self.edges.get_mut(edge)
                && edge.source == Some(encoding)
            {
                edge.stop();
            }
        }
    }
}
