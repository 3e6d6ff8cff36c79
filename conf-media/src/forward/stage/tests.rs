//! Tests of the loudest N.
#![allow(clippy::cast_possible_truncation, reason = "small numbers")]

use super::*;
use crate::command::{PeerId, TrackId};
use crate::forward::test_clock;
use crate::ice::{Agent, Credentials};
use crate::peer::Peer;
use crate::test_util::microphone;
use crate::track::Origin;

const PACKET: Duration = Duration::from_millis(20);

/// A stage with `count` microphones, their tracks, and the present.
struct Room {
    stage: Stage,
    tracks: Slab<Track>,
    seats: Vec<(Key<Seat>, Key<Track>)>,
    now: Instant,
}

impl Room {
    fn new(places: usize, count: usize) -> Self {
        let now = test_clock().mono;
        let stage = Stage::new(RoomId(1), places);
        let mut room = Self { stage, tracks: Slab::new(), seats: Vec::new(), now };
        (0..count).for_each(|_| {
            room.enter();
        });
        room
    }

    fn enter(&mut self) -> bool {
        let mut stages = Slab::new();
        let stage = stages.insert(Stage::new(RoomId(1), 1));
        let credentials = Credentials { ufrag: "u".into(), password: "p".into() };
        let publisher = Slab::new().insert(Peer::new(PeerId(1), stage, Agent::new(credentials), 1));
        let track =
            self.tracks.insert(Track::new(TrackId(1), Origin::Peer(publisher), microphone("0", 1)));
        let (seat, heard) = self.stage.enter(self.now, track);
        self.seats.push((seat, track));
        heard
    }

    fn says(&mut self, who: usize, below_full: u8) -> Turn {
        let turn = self.stage.rank(self.now, self.seats[who].0, below_full);
        let heard = self.heard().len();
        assert_eq!(heard, self.stage.places.min(self.seats.len()), "all places are taken");
        turn
    }

    /// All speak at once, each at its level, for so many packets; how often a place changed.
    fn talk(&mut self, levels: &[u8], packets: usize) -> usize {
        let mut changes = 0;
        for _ in 0..packets {
            self.now += PACKET;
            for (who, &level) in levels.iter().enumerate() {
                changes += usize::from(matches!(self.says(who, level), Turn::InPlaceOf(_)));
            }
        }
        changes
    }

    fn heard(&self) -> Vec<usize> {
        let heard = |key: &Key<Seat>| self.stage.heard.contains(key);
        (0..self.seats.len()).filter(|&who| heard(&self.seats[who].0)).collect()
    }
}

#[test]
fn a_room_with_no_more_microphones_than_places_forwards_all() {
    let mut room = Room::new(3, 3);
    assert_eq!(room.talk(&[127, 60, 20], 200), 0);
    assert_eq!(room.says(0, 127), Turn::Heard);
    assert!(!room.enter(), "one more waits");
}

#[test]
fn the_first_loud_packet_brings_a_microphone_onto_the_stage() {
    let mut room = Room::new(2, 4);
    room.talk(&[127, 30, 127, 127], 100);
    let silent = room.seats[0].1;
    assert_eq!(room.says(2, 25), Turn::InPlaceOf(silent));
    assert_eq!(room.heard(), [1, 2]);
}

#[test]
fn a_pause_between_words_costs_nobody_its_place() {
    let mut room = Room::new(1, 2);
    room.talk(&[30], 50);
    room.talk(&[127, 32], 40);
    assert_eq!(room.heard(), [0], "within the hold");
    room.talk(&[127, 32], 60);
    assert_eq!(room.heard(), [1]);
}

#[test]
fn voices_of_like_strength_do_not_flap() {
    let mut room = Room::new(2, 6);
    let mut changes = 0;
    for round in 0..500 {
        let levels: Vec<u8> = (0..6).map(|who| 28 + ((round * 7 + who * 3) % 5) as u8).collect();
        changes += room.talk(&levels, 1);
    }
    assert!(changes <= 4, "{changes} changes in ten seconds");
}

#[test]
fn a_much_louder_voice_replaces_the_quietest_after_its_tenure() {
    let mut room = Room::new(2, 3);
    room.talk(&[20, 38, 127], 50);
    room.talk(&[20, 38, 15], 10);
    assert_eq!(room.heard(), [0, 1], "not yet");
    room.talk(&[20, 38, 15], 100);
    assert_eq!(room.heard(), [0, 2]);
}

#[test]
fn a_quiet_voice_is_heard_where_the_others_only_breathe() {
    let mut room = Room::new(1, 2);
    room.talk(&[75, 48], 150);
    assert_eq!(room.heard(), [1]);
}

#[test]
fn a_place_that_becomes_free_goes_to_the_loudest_that_waits() {
    let mut room = Room::new(2, 4);
    room.talk(&[20, 22, 70, 60], 10);
    let (seat, _) = room.seats.remove(0);
    let next = room.stage.leave(room.now, seat);
    assert_eq!(next, Some(room.seats[2].1));
    assert_eq!(room.heard(), [0, 2]);
    let (seat, _) = room.seats.remove(1);
    assert_eq!(room.stage.leave(room.now, seat), None, "it had no place");
}

#[test]
fn a_microphone_that_was_muted_gives_its_place_to_who_speaks() {
    let mut room = Room::new(1, 2);
    room.talk(&[10], 50);
    room.now += HOLD;
    assert_eq!(room.says(1, 39), Turn::InPlaceOf(room.seats[0].1));
}

#[test]
fn the_number_of_places_has_bounds() {
    assert_eq!(Stage::new(RoomId(1), 0).places, 1);
    assert_eq!(Stage::new(RoomId(1), 1_000).places, MAX_PLACES);
}
