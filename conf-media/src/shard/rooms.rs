//! The rooms of a shard: which microphones are forwarded.
//!
//! A track whose packets carry their level has a seat at the stage of its room; packets of one that
//! is not heard go into the ring and no further. Its edges stop, and continue their numbering when
//! it is heard again.

use crate::command::{Event, Kind, RoomId};
use crate::forward::stage::{Place, Stage, Turn};
use crate::rtp::View;
use crate::slab::Key;
use crate::time::Now;
use crate::track::Track;

use super::Shard;

impl Shard {
    /// A peer comes into a room, or a microphone onto its stage.
    pub(super) fn enter_room(&mut self, id: RoomId) -> Key<Stage> {
        let (stages, places) = (&mut self.stages, self.loudest);
        let key = *self.room_ids.entry(id).or_insert_with(|| stages.insert(Stage::new(id, places)));
        if let Some(stage) = self.stages.get_mut(key) {
            stage.peers += 1;
        }
        key
    }

    /// And leaves it; the last one takes it along.
    pub(super) fn leave_room(&mut self, key: Key<Stage>) {
        let Some(stage) = self.stages.get_mut(key) else { return };
        stage.peers = stage.peers.saturating_sub(1);
        if stage.peers == 0 {
            self.room_ids.remove(&stage.room);
            self.stages.remove(key);
        }
    }

    /// A track was described: one that tells its level is ranked, another is always heard.
    pub(super) fn enter_stage(&mut self, now: Now, key: Key<Track>, room: RoomId) {
        let Some(track) = self.tracks.get(key) else { return };
        let tells = track.publication.extensions.audio_level.is_some();
        let ranked = track.publication.kind == Kind::Audio && tells;
        match track.place {
            None if ranked => {
                let stage = self.enter_room(room);
                let Some(entered) = self.stages.get_mut(stage) else { return };
                let (seat, heard) = entered.enter(now.mono, key);
                if let Some(track) = self.tracks.get_mut(key) {
                    track.place = Some(Place { stage, seat, heard });
                }
                if !heard {
                    self.heard(key, false);
                }
            }
            Some(place) if !ranked => {
                self.leave_stage(now, place);
                let Some(track) = self.tracks.get_mut(key) else { return };
                track.place = None;
                if !place.heard {
                    self.heard(key, true);
                }
            }
            _ => {}
        }
    }

    /// A track is ranked no longer; another one may be heard for it.
    pub(super) fn leave_stage(&mut self, now: Now, place: Place) {
        let stage = self.stages.get_mut(place.stage);
        if let Some(next) = stage.and_then(|stage| stage.leave(now.mono, place.seat)) {
            self.heard(next, true);
        }
        self.leave_room(place.stage);
    }

    /// Ranks a track by a packet that it sent. Whether the packet is to be forwarded.
    pub(super) fn is_heard(
        &mut self,
        now: Now,
        key: Key<Track>,
        view: &View,
        packet: &[u8],
    ) -> bool {
        let Some(track) = self.tracks.get(key) else { return false };
        let (Some(place), Some(id)) = (track.place, track.publication.extensions.audio_level)
        else {
            return true;
        };
        let level = view.extension(packet, id).and_then(|value| value.first());
        let (Some(level), Some(stage)) = (level, self.stages.get_mut(place.stage)) else {
            return place.heard;
        };
        match stage.rank(now.mono, place.seat, level & 0x7f) {
            Turn::Heard => true,
            Turn::Unheard => false,
            Turn::InPlaceOf(other) => {
                self.heard(other, false);
                self.heard(key, true);
                true
            }
        }
    }

    /// A track comes to be heard, or no longer is: its edges wait then.
    fn heard(&mut self, key: Key<Track>, heard: bool) {
        let Some(track) = self.tracks.get_mut(key) else { return };
        if let Some(place) = &mut track.place {
            place.heard = heard;
        }
        if !heard {
            for &edge in &track.edges {
                if let Some(edge) = self.edges.get_mut(edge) {
                    edge.stop();
                }
            }
        }
        self.out.counters.stage_changes += 1;
        if track.origin.is_peer() {
            self.out.event(Event::Heard { track: track.id, heard });
        }
    }
}
