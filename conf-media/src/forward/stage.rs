//! Which microphones of a room are forwarded: the loudest N.
//!
//! In a room of fifty, forty-odd microphones carry breath and keyboards; nobody can follow more than
//! a few voices, and each stream costs every subscriber packets. So a [`Stage`] has N places. A room
//! with no more microphones than places forwards all. Otherwise the first loud packet brings a
//! microphone onto the stage in place of one that has said nothing for [`HOLD`]; if all speak, it
//! must be louder by [`MARGIN`] than the quietest, and that one must have had its place for
//! [`TENURE`]: voices of like strength do not flap. There are always as many heard as there are
//! places or microphones.
//!
//! Levels are those that packets carry (RFC 6464); a track without them never comes here.

use std::time::{Duration, Instant};

use super::speaker::{SILENCE, SPEAKING};
use crate::command::RoomId;
use crate::slab::{Key, Slab};
use crate::track::Track;

/// The microphones of one room, as one shard sees them.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) room: RoomId,
    places: usize,
    seats: Slab<Seat>,
    /// Never more than `places`.
    heard: Vec<Key<Seat>>,
    /// How many peers and microphones of the room this shard has.
    pub(crate) peers: usize,
}

/// One microphone.
#[derive(Debug)]
pub(crate) struct Seat {
    track: Key<Track>,
    /// Rises at once, falls slowly; in dB below full scale.
    below_full: f32,
    packet_at: Option<Instant>,
    loud_at: Option<Instant>,
    /// Since when it is heard; `None`: it is not.
    since: Option<Instant>,
}

/// Where a track is ranked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) stage: Key<Stage>,
    pub(crate) seat: Key<Seat>,
    /// It is among the loudest.
    pub(crate) heard: bool,
}

/// What a packet did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Its microphone is heard, as before.
    Heard,
    /// It is not.
    Unheard,
    /// It is from now on, in place of another one.
    InPlaceOf(Key<Track>),
}

impl Stage {
    /// An empty room, of which `places` microphones are heard.
    #[must_use]
    pub(crate) fn new(room: RoomId, places: usize) -> Self {
        let places = places.clamp(1, MAX_PLACES);
        Self { room, places, seats: Slab::new(), heard: Vec::with_capacity(places), peers: 0 }
    }

    /// A microphone is published. Whether it is heard at once: while there are places.
    pub(crate) fn enter(&mut self, now: Instant, track: Key<Track>) -> (Key<Seat>, bool) {
        let free = self.heard.len() < self.places;
        let since = free.then_some(now);
        let seat = Seat { track, below_full: SILENCE, packet_at: None, loud_at: None, since };
        let key = self.seats.insert(seat);
        if free {
            self.heard.push(key);
        }
        (key, free)
    }

    /// A microphone ends. The track that is heard instead, if one waited.
    pub(crate) fn leave(&mut self, now: Instant, key: Key<Seat>) -> Option<Key<Track>> {
        let seat = self.seats.remove(key)?;
        seat.since?;
        self.heard.retain(|&other| other != key);
        let waiting = (0..self.seats.slots()).filter_map(|slot| self.seats.key_at(slot));
        let waiting = waiting.filter_map(|key| Some((key, self.seats.get(key)?)));
        let (next, _) = waiting
            .filter(|(_, seat)| seat.since.is_none())
            .min_by(|(_, a), (_, b)| a.level(now).total_cmp(&b.level(now)))?;
        self.heard.push(next);
        let seat = self.seats.get_mut(next)?;
        seat.since = Some(now);
        Some(seat.track)
    }

    /// A packet of a microphone came, so many dB below full scale.
    pub(crate) fn rank(&mut self, now: Instant, key: Key<Seat>, below_full: u8) -> Turn {
        let Some(seat) = self.seats.get_mut(key) else { return Turn::Heard };
        seat.hear(now, f32::from(below_full.min(127)));
        if seat.since.is_some() {
            return Turn::Heard;
        }
        let (level, speaks) = (seat.below_full, seat.speaks(now));
        let Some((weakest, quietest)) = self.weakest(now) else { return Turn::Unheard };
        let yields = if quietest.speaks(now) {
            speaks && quietest.level(now) - level >= MARGIN && quietest.may_go(now)
        } else {
            speaks || (quietest.level(now) - level >= MARGIN && quietest.may_go(now))
        };
        if !yields {
            return Turn::Unheard;
        }
        self.exchange(now, weakest, key)
    }

    fn exchange(&mut self, now: Instant, out: Key<Seat>, new: Key<Seat>) -> Turn {
        if let Some(place) = self.heard.iter_mut().find(|place| **place == out) {
            *place = new;
        }
        if let Some(seat) = self.seats.get_mut(new) {
            seat.since = Some(now);
        }
        let Some(seat) = self.seats.get_mut(out) else { return Turn::Heard };
        seat.since = None;
        Turn::InPlaceOf(seat.track)
    }

    /// Who would go: of those that do not speak the quietest, else the quietest of all.
    fn weakest(&self, now: Instant) -> Option<(Key<Seat>, &Seat)> {
        let heard = self.heard.iter().filter_map(|&key| Some((key, self.seats.get(key)?)));
        heard.max_by(|(_, a), (_, b)| {
            let silent = b.speaks(now).cmp(&a.speaks(now));
            silent.then(a.level(now).total_cmp(&b.level(now)))
        })
    }
}

impl Seat {
    fn hear(&mut self, now: Instant, below_full: f32) {
        let before = self.level(now);
        self.below_full =
            if below_full < before { below_full } else { before + (below_full - before) * RELEASE };
        self.packet_at = Some(now);
        if below_full <= SPEAKING {
            self.loud_at = Some(now);
        }
    }

    fn speaks(&self, now: Instant) -> bool {
        self.loud_at.is_some_and(|at| now.saturating_duration_since(at) < HOLD)
    }

    /// Smoothed; silence where no packets come (discontinuous transmission, muted).
    fn level(&self, now: Instant) -> f32 {
        let recent = |at: Instant| now.saturating_duration_since(at) < HOLD;
        if self.packet_at.is_some_and(recent) { self.below_full } else { SILENCE }
    }

    fn may_go(&self, now: Instant) -> bool {
        self.since.is_none_or(|since| now.saturating_duration_since(since) >= TENURE)
    }
}

/// The most places there may be.
pub(crate) const MAX_PLACES: usize = 64;
/// Who was loud within this time speaks: words have gaps.
const HOLD: Duration = Duration::from_millis(1_500);
/// How long a place is safe from others that are louder.
const TENURE: Duration = Duration::from_secs(2);
/// By how many dB another one must be louder.
const MARGIN: f32 = 6.0;
/// Share of a quieter packet (20 ms) in the level.
const RELEASE: f32 = 0.03;

#[cfg(test)]
#[path = "stage/tests.rs"]
mod tests;
