//! What programs in the process read of tracks, and what they publish.
//!
//! A tap is a ring of its own: the shard copies each packet of the track into it and looks at
//! nothing else. When it fills up, pictures are left out up to the next keyframe, as towards other
//! shards ([`super::link`]); nobody but its reader notices.

use crate::command::{Injected, PeerId, RoomId, TrackId};
use crate::forward::layers::MAX_ENCODINGS;
use crate::forward::rewrite::SenderClock;
use crate::forward::{FRESH, MOST_AT_ONCE};
use crate::frame;
use crate::ice::Credentials;
use crate::peer::{Binding, Role};
use crate::rtp;
use crate::slab::Key;
use crate::stats::{Counters, DropReason};
use crate::time::Now;
use crate::track::{Origin, Track};

use super::link::{Matter, Note, Outgoing, Relayed};
use super::{Refusal, Shard};

/// One reader of a track.
#[derive(Debug)]
pub(crate) struct Tap {
    out: Outgoing,
    /// Encodings of which pictures are being left out.
    dropping: [bool; MAX_ENCODINGS],
}

impl Tap {
    fn packet(&mut self, mut packet: Relayed, bytes: &[u8], is_video: bool) -> bool {
        if !is_video {
            return self.out.push(Note::Packet(packet), bytes, Matter::Sound).is_some();
        }
        let Some(dropping) = self.dropping.get_mut(usize::from(packet.encoding)) else {
            return false;
        };
        let picture = packet.entry.picture;
        if *dropping && !(picture.keyframe && picture.start) {
            return false;
        }
        packet.resumes = *dropping;
        let matter = if picture.start { Matter::Picture } else { Matter::Rest };
        let pushed = self.out.push(Note::Packet(packet), bytes, matter).is_some();
        *dropping = !pushed;
        pushed
    }
}

/// Copies a packet of the ring to the taps from `first` on.
fn copy(track: &mut Track, number: usize, sequence: u64, first: usize, counters: &mut Counters) {
    let is_video = track.is_video();
    let Some(encoding) = track.encodings.get(number) else { return };
    let (Ok(number), Some(stored)) = (u8::try_from(number), encoding.ring.get(sequence)) else {
        return;
    };
    let packet = Relayed {
        track: track.id,
        encoding: number,
        epoch: encoding.epoch,
        resumes: false,
        sequence,
        entry: *stored.entry,
    };
    for tap in track.taps.iter_mut().skip(first) {
        if tap.packet(packet, stored.bytes, is_video) {
            counters.tapped += 1;
        } else {
            counters.drop_one(DropReason::TapFull);
        }
    }
}

impl Shard {
    /// A program reads a track from now on: the clocks, and what a newcomer gets from the ring.
    pub(super) fn add_tap(
        &mut self,
        now: Now,
        id: TrackId,
        tap: frame::Tap,
    ) -> Result<(), Refusal> {
        let key = self.track_key(id)?;
        let track = self.tracks.get_mut(key).ok_or(Refusal::UnknownTrack)?;
        track.taps.retain(|tap| !tap.out.is_abandoned());
        if track.taps.len() >= MAX_TAPS {
            return Err(Refusal::TooMany { what: "taps of a track", limit: MAX_TAPS });
        }
        let first = track.taps.len();
        track.taps.push(Tap { out: tap.0, dropping: [false; MAX_ENCODINGS] });
        let best = track.layers.best().filter(|_| track.is_video() && !track.muted);
        if let Some((number, encoding)) = best.and_then(|it| Some((it, track.encodings.get(it)?))) {
            let fresh = encoding.keyframe_at.is_some_and(|at| now.mono < at + FRESH);
            let begin = encoding.ring.keyframe(MOST_AT_ONCE).filter(|_| fresh);
            if let (Some(begin), Some(end)) = (begin, encoding.ring.newest()) {
                for sequence in begin..=end {
                    copy(track, number, sequence, first, &mut self.out.counters);
                }
            }
        }
        for encoding in 0..MAX_ENCODINGS {
            self.tap_clock(key, encoding);
        }
        Ok(())
    }

    /// A packet came into the ring of a track with taps.
    pub(super) fn tapped(&mut self, key: Key<Track>, encoding: usize, sequence: u64) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        track.taps.retain(|tap| !tap.out.is_abandoned());
        copy(track, encoding, sequence, 0, &mut self.out.counters);
    }

    /// Tells the taps which time the timestamps of an encoding stand for.
    pub(super) fn tap_clock(&mut self, key: Key<Track>, number: usize) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        let report = track.encodings.get(number).and_then(|encoding| encoding.report);
        let (Some((clock, arrival)), Ok(encoding)) = (report, u8::try_from(number)) else { return };
        for tap in &mut track.taps {
            // One that finds no room is said again with the next report.
            let note = Note::Clock { track: track.id, encoding, clock, arrival };
            let _again = tap.out.push(note, &[], Matter::Control);
        }
    }

    /// A reader has nothing to begin with.
    pub(super) fn ask_keyframe(
        &mut self,
        now: Now,
        id: TrackId,
        encoding: u8,
    ) -> Result<(), Refusal> {
        let track =
            self.tracks.get_mut(self.track_ids.get(&id).copied().ok_or(Refusal::UnknownTrack)?);
        let track = track.ok_or(Refusal::UnknownTrack)?;
        if let Some(encoding) = track.encodings.get_mut(usize::from(encoding)) {
            encoding.gate.request(now.mono);
            self.out.timers.wake_by(track.timer, now.mono);
        }
        Ok(())
    }

    /// A publisher within the process: no name leads to it, so no check from outside ever does.
    pub(super) fn add_local_peer(
        &mut self,
        now: Now,
        id: PeerId,
        room: RoomId,
    ) -> Result<(), Refusal> {
        // Never said to anybody, and taken out of the table at once.
        let name = format!("local-{:016x}", id.0);
        let credentials = Credentials { ufrag: name.clone(), password: name.clone() };
        self.add_peer(now, id, room, credentials)?;
        self.ufrags.remove(&name);
        if let Some(peer) = self.peer_ids.get(&id).and_then(|&key| self.peers.get_mut(key)) {
            peer.local = true;
        }
        Ok(())
    }

    /// Packets of a publisher within the process.
    pub(super) fn inject(
        &mut self,
        now: Now,
        id: TrackId,
        frame: &Injected,
    ) -> Result<(), Refusal> {
        let key = self.track_key(id)?;
        let track = self.tracks.get(key).ok_or(Refusal::UnknownTrack)?;
        let Origin::Peer(publisher) = track.origin else { return Err(Refusal::UnknownTrack) };
        if !self.peers.get(publisher).is_some_and(|peer| peer.local) {
            return Err(Refusal::UnknownPeer);
        }
        self.work_for(publisher);
        if let Some((ntp, rtp)) = frame.clock {
            self.keep_clock(now, (key, 0), (SenderClock { ntp, rtp }, now.mono));
            self.relay_clock(key, 0);
            self.tap_clock(key, 0);
        }
        for packet in &frame.packets {
            let taken = rtp::parse(packet).map_err(|_| DropReason::MalformedRtp).and_then(|view| {
                let (ssrc, encoding, role) = (view.ssrc, 0, Role::Media);
                self.accept(now, Binding { ssrc, track: key, encoding, role }, &view, packet)
            });
            if let Err(reason) = taken {
                self.out.counters.drop_one(reason);
            }
        }
        self.send_burst(now);
        Ok(())
    }
}

/// A recorder, a transcription, a telephone and one more.
const MAX_TAPS: usize = 4;
