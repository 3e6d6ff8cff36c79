//! Of many microphones the loudest are forwarded, and the streams of the others go on where they
//! stopped.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{clock, opus};
use conf_media::command::{Command, Event, TrackId};
use conf_media::test_util::{Lab, microphone, subscription};

/// As many as are heard by default.
const PLACES: usize = 8;

/// A listener (peer 0) and `count` microphones, their tracks 0 to `count - 1`.
struct Meeting {
    lab: Lab,
    listener: usize,
    speakers: Vec<usize>,
    sequence: u16,
}

impl Meeting {
    fn new(count: usize) -> Self {
        let mut lab = Lab::new(clock());
        let listener = lab.connect();
        let mut meeting = Self { lab, listener, speakers: Vec::new(), sequence: 0 };
        (0..count).for_each(|_| meeting.enter());
        meeting
    }

    fn enter(&mut self) {
        let (lab, number) = (&mut self.lab, self.speakers.len());
        let peer = lab.connect();
        lab.publish(peer, number as u64, microphone("0", ssrc(number)));
        lab.subscribe(self.listener, number as u64, subscription("7", 900 + 2 * number as u32));
        self.speakers.push(peer);
    }

    /// Every microphone sends a packet at its level (silence where none is given).
    fn packets(&mut self, levels: &[u8], rounds: usize) {
        for _ in 0..rounds {
            self.lab.pass(Duration::from_millis(20), true);
            self.sequence += 1;
            for (number, &peer) in self.speakers.iter().enumerate() {
                let level = [levels.get(number).copied().unwrap_or(127)];
                let packet = (4, level.as_slice());
                let extensions = [packet];
                let sound = opus(ssrc(number), self.sequence, &extensions);
                self.lab.send(peer, &sound).unwrap();
            }
        }
    }

    /// Sequence numbers that the listener got of each microphone.
    fn received(&mut self) -> Vec<Vec<u16>> {
        let packets = self.lab.received(self.listener);
        let of = |number: usize| {
            let ours = packets.iter().filter(|it| it.view.ssrc == 900 + 2 * number as u32);
            ours.map(|packet| packet.view.sequence).collect()
        };
        (0..self.speakers.len()).map(of).collect()
    }

    /// What was told of who is heard, in order.
    fn told(&mut self) -> Vec<(u64, bool)> {
        let heard = |event: &Event| match event {
            Event::Heard { track, heard } => Some((track.0, *heard)),
            _ => None,
        };
        let told = self.lab.events.iter().filter_map(heard).collect();
        self.lab.events.clear();
        told
    }
}

fn ssrc(number: usize) -> u32 {
    5000 + 10 * number as u32
}

#[test]
fn a_room_with_few_microphones_forwards_all_and_says_nothing() {
    let mut meeting = Meeting::new(PLACES);
    meeting.packets(&[], 50);
    assert!(meeting.received().iter().all(|numbers| numbers.len() == 50));
    assert_eq!(meeting.told(), []);
}

#[test]
fn the_quiet_ones_of_a_large_room_are_kept_and_not_forwarded() {
    let mut meeting = Meeting::new(PLACES + 4);
    meeting.packets(&[], 50);
    let heard = meeting.received().iter().filter(|numbers| !numbers.is_empty()).count();
    assert_eq!(heard, PLACES);
    assert_eq!(meeting.told(), [(8, false), (9, false), (10, false), (11, false)]);
    assert_eq!(meeting.lab.shard.counters().packets_unheard, 4 * 50);
}

#[test]
fn the_first_loud_packet_is_heard_and_its_stream_has_no_gap() {
    let mut meeting = Meeting::new(PLACES + 1);
    meeting.packets(&[], 10);
    meeting.received();
    meeting.told();
    let mut levels = [127; PLACES + 1];
    levels[PLACES] = 20;
    meeting.packets(&levels, 10);
    let mut newcomer = meeting.received().remove(PLACES);
    assert_eq!(newcomer.len(), 10, "from the first packet on");
    let told = meeting.told();
    let out = told[0].0;
    assert_eq!(told, [(out, false), (8, true)]);
    // All others speak now, and the newcomer loses its place; then it speaks again.
    levels = [20; PLACES + 1];
    levels[PLACES] = 127;
    meeting.packets(&levels, 200);
    newcomer.extend(meeting.received().remove(PLACES));
    assert_eq!(meeting.told(), [(8, false), (out, true)]);
    let before = newcomer.len();
    levels = [127; PLACES + 1];
    levels[PLACES] = 20;
    meeting.packets(&[127; PLACES + 1], 100);
    meeting.packets(&levels, 10);
    newcomer.extend(meeting.received().remove(PLACES));
    assert!(newcomer.len() >= before + 10);
    assert!(newcomer.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{newcomer:?}");
}

#[test]
fn a_microphone_that_leaves_makes_room_for_one_that_waited() {
    let mut meeting = Meeting::new(PLACES + 1);
    meeting.packets(&[], 5);
    meeting.told();
    meeting.lab.command(Command::Unpublish { track: TrackId(3) }).unwrap();
    assert_eq!(meeting.told(), [(8, true)]);
    let gone = meeting.lab.id(meeting.speakers[0]);
    meeting.lab.command(Command::RemovePeer { peer: gone }).unwrap();
    meeting.speakers.remove(3);
    meeting.speakers.remove(0);
    assert_eq!(meeting.told(), [], "everybody left is heard");
}

#[test]
fn a_track_without_levels_is_always_heard() {
    let mut meeting = Meeting::new(PLACES + 1);
    let mut music = microphone("1", 7000);
    music.extensions.audio_level = None;
    let peer = meeting.speakers[0];
    meeting.lab.publish(peer, 99, music.clone());
    meeting.lab.subscribe(meeting.listener, 99, subscription("8", 3000));
    meeting.told();
    for n in 0..5 {
        meeting.lab.send(peer, &opus(7000, n, &[])).unwrap();
    }
    assert_eq!(meeting.lab.received(meeting.listener).len(), 5);
    music.extensions.audio_level = Some(4);
    meeting.lab.publish(peer, 99, music.clone());
    assert_eq!(meeting.told(), [(99, false)]);
    music.extensions.audio_level = None;
    meeting.lab.publish(peer, 99, music);
    assert_eq!(meeting.told(), [(99, true)]);
}

#[test]
fn rooms_are_ranked_apart() {
    let mut meeting = Meeting::new(PLACES);
    let (peer, room) = (conf_media::command::PeerId(77), conf_media::command::RoomId(2));
    let credentials = conf_media::ice::Credentials { ufrag: "x".into(), password: "y".into() };
    meeting.lab.command(Command::AddPeer { peer, room, credentials }).unwrap();
    let publication = microphone("0", 1);
    meeting.lab.command(Command::Publish { track: TrackId(70), peer, publication }).unwrap();
    assert_eq!(meeting.told(), [], "it is the only one of its room");
}
