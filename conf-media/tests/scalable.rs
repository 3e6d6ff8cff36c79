//! Layers within one encoding, and which encoding and layers a subscriber is sent.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{Camera, clock, picture_id};
use conf_media::codec::Codec;
use conf_media::codec::dependency::{Layer, Reader};
use conf_media::command::{Command, Event, PeerId, Preference, Publication, Subscription, TrackId};
use conf_media::rtp::Header;
use conf_media::test_util::scalable::{Described, L1T3, L2T1, L2T1_KEY, Scalability};
use conf_media::test_util::{Lab, Outgoing, Received, camera, payload, simulcast, subscription};

/// A publisher whose packets carry dependency descriptors: one packet a frame, 40 ms a picture.
struct Scalable {
    structure: Scalability,
    sequence: u16,
    timestamp: u32,
    number: u16,
    /// Pictures since the last keyframe.
    index: usize,
    /// Frames of these numbers get lost on the way.
    lose: Vec<u16>,
    lost: Vec<(Header, Vec<u8>)>,
}

const DESCRIPTOR: u8 = 9;

impl Scalable {
    fn new(structure: Scalability) -> Self {
        Self {
            structure,
            sequence: 65_500,
            timestamp: 7,
            number: 65_530,
            index: 0,
            lose: Vec::new(),
            lost: Vec::new(),
        }
    }

    fn picture(&mut self, lab: &mut Lab, peer: usize, keyframe: bool) {
        if keyframe {
            self.index = 0;
        }
        let frames = self.structure.picture(self.index);
        for (at, &template) in frames.iter().enumerate() {
            let key = self.index == 0 && at == 0;
            let described =
                Described { start: true, end: true, template, number: self.number, key };
            let descriptor = self.structure.describe(described);
            let header = Header {
                marker: at + 1 == frames.len(),
                payload_type: 96,
                sequence: self.sequence,
                timestamp: self.timestamp,
                ssrc: 6000,
            };
            // What it carries is encrypted for the receivers: nothing can be read from it.
            let sealed = [0x5a; 300];
            let extensions: &[(u8, &[u8])] = &[(DESCRIPTOR, &descriptor)];
            let packet = Outgoing { header, extensions, payload: &sealed };
            if self.lose.contains(&self.number) {
                self.lost.push((header, descriptor));
            } else {
                lab.send(peer, &packet).unwrap();
            }
            self.sequence = self.sequence.wrapping_add(1);
            self.number = self.number.wrapping_add(1);
        }
        self.timestamp = self.timestamp.wrapping_add(3_600);
        self.index += 1;
        lab.pass(Duration::from_millis(40), true);
    }

    /// What was lost comes after all.
    fn repair(&mut self, lab: &mut Lab, peer: usize) {
        for (header, descriptor) in std::mem::take(&mut self.lost) {
            let extensions: &[(u8, &[u8])] = &[(DESCRIPTOR, &descriptor)];
            lab.send(peer, &Outgoing { header, extensions, payload: &[0x5a; 300] }).unwrap();
        }
    }
}

fn av1(publication: Publication) -> Publication {
    let codecs = vec![payload(96, Codec::Av1 { profile: 0 }, Some(97))];
    Publication { codecs, ..publication }
}

fn av1_subscription() -> Subscription {
    let codecs = vec![payload(120, Codec::Av1 { profile: 0 }, Some(121))];
    Subscription { codecs, ..subscription("3", 900) }
}

fn call(structure: Scalability) -> (Lab, usize, usize, Scalable) {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, av1(camera("1", 6000)));
    lab.subscribe(bob, 1, av1_subscription());
    (lab, ada, bob, Scalable::new(structure))
}

fn id(lab: &Lab, peer: usize) -> PeerId {
    lab.remote(peer).id
}

fn limit(lab: &mut Lab, peer: usize, bits_per_second: Option<u64>) {
    let peer = id(lab, peer);
    lab.command(Command::Limit { peer, bits_per_second }).unwrap();
}

fn prefer(lab: &mut Lab, peer: usize, preference: Preference) {
    let peer = id(lab, peer);
    lab.command(Command::Prefer { track: TrackId(1), peer, preference }).unwrap();
}

/// Layer, frame number and needs of each received frame.
fn frames(reader: &mut Reader, received: &[Received]) -> Vec<(Layer, u16, u64, bool)> {
    let read = |packet: &Received| {
        let sequence = u64::from(packet.view.sequence);
        let frame = reader.read(sequence, packet.extension(9)?)?;
        Some((frame.layer, frame.number, frame.needs, packet.view.marker))
    };
    received.iter().filter_map(read).collect()
}

/// No frame was sent without all that it needs, and the numbers have no gap.
fn assert_decodable(frames: &[(Layer, u16, u64, bool)], received: &[Received]) {
    let numbers: Vec<u16> = frames.iter().map(|frame| frame.1).collect();
    for (_, number, needs, _) in frames {
        for bit in 0..16u16 {
            let needed = number.wrapping_sub(bit + 1);
            let has = numbers.contains(&needed);
            assert!(needs >> bit & 1 == 0 || has, "{number} needs {needed} of {numbers:?}");
        }
    }
    for pair in received.windows(2) {
        assert_eq!(pair[1].view.sequence, pair[0].view.sequence.wrapping_add(1));
    }
}

#[test]
fn fewer_pictures_are_sent_at_once_and_more_only_where_a_decoder_can_follow() {
    let (mut lab, ada, bob, mut source) = call(L1T3);
    for picture in 0..40 {
        source.picture(&mut lab, ada, picture == 0);
    }
    let asked = lab.shard.counters().plis_sent;
    let smooth = Preference::default();
    prefer(&mut lab, bob, Preference { frame_rate: Some(6), ..smooth });
    for _ in 0..40 {
        source.picture(&mut lab, ada, false);
    }
    prefer(&mut lab, bob, smooth);
    for _ in 0..40 {
        source.picture(&mut lab, ada, false);
    }
    let received = lab.received(bob);
    let frames = frames(&mut Reader::default(), &received);
    assert_decodable(&frames, &received);
    assert_eq!(lab.shard.counters().plis_sent, asked);
    let of = |temporal: u8| frames.iter().filter(|frame| frame.0.temporal == temporal).count();
    assert_eq!(of(0), 30, "the base layer is never left out");
    assert_eq!((of(1), of(2)), (20, 39 + 1), "two thirds of the others");
    assert_eq!(lab.shard.counters().packets_unwanted, 30);
}

#[test]
fn the_larger_layer_is_left_out_and_the_smaller_one_then_ends_the_picture() {
    for structure in [L2T1, L2T1_KEY] {
        let (mut lab, ada, bob, mut source) = call(structure);
        for picture in 0..30 {
            source.picture(&mut lab, ada, picture == 0);
        }
        let small = Preference { size: Some((320, 180)), ..Preference::default() };
        prefer(&mut lab, bob, small);
        lab.received(bob);
        source.picture(&mut lab, ada, false);
        let received = lab.received(bob);
        assert_eq!(received.len(), 1, "the smaller one");
        assert!(received[0].view.marker);
        // Larger again: that takes a keyframe, which is asked for.
        lab.compounds(ada);
        prefer(&mut lab, bob, Preference::default());
        source.picture(&mut lab, ada, false);
        assert_eq!(lab.received(bob).len(), 1, "not without one");
        assert!(common::asks_for_keyframe(&lab.compounds(ada), 6000));
        source.picture(&mut lab, ada, true);
        source.picture(&mut lab, ada, false);
        let received = lab.received(bob);
        let markers: Vec<bool> = received.iter().map(|packet| packet.view.marker).collect();
        match structure.templates[0].indications {
            "S-" => assert_eq!(markers, [false, true, true], "of the second only the larger"),
            _ => assert_eq!(markers, [false, true, false, true]),
        }
    }
}

#[test]
fn a_packet_that_is_left_out_too_late_is_replaced_by_an_empty_one() {
    let (mut lab, ada, bob, mut source) = call(L1T3);
    for picture in 0..20 {
        source.picture(&mut lab, ada, picture == 0);
    }
    prefer(&mut lab, bob, Preference { frame_rate: Some(6), ..Preference::default() });
    for _ in 0..5 {
        source.picture(&mut lab, ada, false);
    }
    lab.received(bob);
    // Of the smoothest layer, and then others go out before it comes.
    source.lose = vec![source.number];
    for _ in 0..4 {
        source.picture(&mut lab, ada, false);
    }
    let before = lab.received(bob);
    source.repair(&mut lab, ada);
    let after = lab.received(bob);
    assert_eq!((before.len(), after.len()), (1, 1));
    assert_eq!(after[0].view.sequence.wrapping_add(1), before[0].view.sequence);
    assert!(after[0].payload().is_empty() && after[0].view.padding > 0);
    assert_eq!(lab.shard.counters().filled, 1);
}

#[test]
fn vp8_pictures_that_are_left_out_leave_no_hole_in_the_picture_ids() {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    lab.subscribe(bob, 1, subscription("3", 900));
    let mut source = Camera::new(6000);
    source.temporal = true;
    for picture in 0..40 {
        source.step(&mut lab, ada, picture == 0);
    }
    prefer(&mut lab, bob, Preference { frame_rate: Some(12), ..Preference::default() });
    for _ in 0..40 {
        source.step(&mut lab, ada, false);
    }
    prefer(&mut lab, bob, Preference::default());
    for _ in 0..40 {
        source.step(&mut lab, ada, false);
    }
    let received = lab.received(bob);
    assert_eq!(received.len(), 2 * (40 + 20 + 40));
    for pair in received.windows(2) {
        assert_eq!(pair[1].view.sequence, pair[0].view.sequence.wrapping_add(1));
        let step = picture_id(&pair[1]).wrapping_sub(picture_id(&pair[0])) & 0x7fff;
        assert_eq!(step, u16::from(pair[0].view.marker));
    }
}

/// A simulcast of three sizes, each with a picture every 40 ms.
struct Simulcast {
    layers: [Camera; 3],
}

impl Simulcast {
    fn new() -> Self {
        let layer = |(ssrc, rid)| Camera::layer(ssrc, rid);
        Self { layers: [(11_000, "q"), (22_000, "h"), (33_000, "f")].map(layer) }
    }

    fn step(&mut self, lab: &mut Lab, peer: usize, keyframe: bool) {
        for (layer, len) in self.layers.iter_mut().zip([200, 600, 1_100]) {
            layer.len = len;
            layer.picture(lab, peer, keyframe);
        }
        lab.pass(Duration::from_millis(40), true);
    }
}

fn simulcast_call() -> (Lab, usize, usize, Simulcast) {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, simulcast("1"));
    lab.subscribe(bob, 1, subscription("3", 900));
    (lab, ada, bob, Simulcast::new())
}

/// Bytes of a picture at the receiver.
fn lengths(received: &[Received]) -> Vec<usize> {
    let mut lengths: Vec<usize> = received.iter().map(|packet| packet.payload().len()).collect();
    lengths.dedup();
    lengths
}

#[test]
fn a_tile_gets_the_encoding_that_fits_its_size() {
    let (mut lab, ada, bob, mut source) = simulcast_call();
    for picture in 0..30 {
        source.step(&mut lab, ada, picture == 0);
    }
    for (size, len) in [((320, 180), 200), ((480, 264), 600), ((1280, 720), 1_100)] {
        prefer(&mut lab, bob, Preference { size: Some(size), ..Preference::default() });
        lab.received(bob);
        source.step(&mut lab, ada, true);
        source.step(&mut lab, ada, false);
        assert_eq!(lengths(&lab.received(bob)), [len], "{size:?}");
    }
}

#[test]
fn within_a_limit_the_best_that_fits_is_sent_and_nothing_where_nothing_does() {
    let (mut lab, ada, bob, mut source) = simulcast_call();
    for picture in 0..50 {
        source.step(&mut lab, ada, picture % 25 == 0);
    }
    // Two packets a picture, 25 pictures a second: about 100, 260 and 460 kbit/s.
    let sent = |lab: &mut Lab, source: &mut Simulcast, kbit: u64| {
        limit(lab, bob, Some(kbit * 1_000));
        for picture in 0..50 {
            source.step(lab, ada, picture % 25 == 0);
        }
        lab.received(bob);
        source.step(lab, ada, false);
        lengths(&lab.received(bob))
    };
    assert_eq!(sent(&mut lab, &mut source, 700), [1_100]);
    assert_eq!(sent(&mut lab, &mut source, 320), [600]);
    assert_eq!(sent(&mut lab, &mut source, 150), [200]);
    lab.events.clear();
    assert_eq!(sent(&mut lab, &mut source, 50), [0usize; 0]);
    let starved = |starved| Event::Starved { track: TrackId(1), peer: id(&lab, bob), starved };
    assert!(lab.events.contains(&starved(true)));
    let again = starved(false);
    for _ in 0..500 {
        source.step(&mut lab, ada, false);
    }
    lab.received(bob);
    limit(&mut lab, bob, None);
    for picture in 0..3 {
        source.step(&mut lab, ada, picture == 1);
    }
    assert_eq!(lengths(&lab.received(bob)), [1_100]);
    assert!(lab.events.contains(&again));
}

#[test]
fn a_step_down_thins_out_the_larger_encoding_until_the_smaller_one_begins() {
    let (mut lab, ada, bob, mut source) = simulcast_call();
    for layer in &mut source.layers {
        layer.temporal = true;
    }
    for picture in 0..75 {
        source.step(&mut lab, ada, picture == 0);
    }
    lab.received(bob);
    prefer(&mut lab, bob, Preference { size: Some((320, 180)), ..Preference::default() });
    for _ in 0..4 {
        source.step(&mut lab, ada, false);
    }
    let received = lab.received(bob);
    assert_eq!((lengths(&received), received.len()), (vec![1_100], 4), "every other picture");
    assert!(common::asks_for_keyframe(&lab.compounds(ada), 11_000));
    source.step(&mut lab, ada, true);
    source.step(&mut lab, ada, false);
    let received = lab.received(bob);
    assert_eq!((lengths(&received), received.len()), (vec![200], 4));
}

#[test]
fn a_step_up_begins_at_once_with_a_keyframe_that_is_still_in_the_ring() {
    let (mut lab, ada, bob, mut source) = simulcast_call();
    prefer(&mut lab, bob, Preference { encoding: Some(0), ..Preference::default() });
    for picture in 0..60 {
        source.step(&mut lab, ada, picture == 0 || picture == 50);
    }
    lab.received(bob);
    let asked = lab.shard.counters().plis_sent;
    prefer(&mut lab, bob, Preference::default());
    let received = lab.received(bob);
    assert_eq!((lengths(&received), received.len()), (vec![1_100], 20), "all since the keyframe");
    assert_eq!(lab.shard.counters().plis_sent, asked);
}
