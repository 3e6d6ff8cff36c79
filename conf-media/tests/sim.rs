//! Random networks and random wishes against what must always hold.
//!
//! The far ends open what they get with a replay window of their own: a sequence number that was
//! sealed twice fails there.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may fail by panicking"
)]

mod common;

use std::time::Duration;

use common::{Camera, clock, picture_id};
use conf_media::command::{Command, TrackId};
use conf_media::rtcp::write;
use conf_media::rtp::Header;
use conf_media::stats::DropReason;
use conf_media::test_util::{Lab, Outgoing, Received, simulcast, subscription, vp8};

/// Every seed that once failed stays here.
const SEEDS: [u64; 8] = [1, 2, 3, 5, 8, 13, 21, 34];
const STEPS: usize = 1500;

#[test]
fn whatever_the_network_does_subscribers_see_one_stream() {
    for seed in SEEDS {
        let mut sim = Sim::new(seed);
        for _ in 0..STEPS {
            sim.step();
        }
        sim.end();
    }
}

struct Sim {
    lab: Lab,
    dice: Dice,
    seed: u64,
    ada: usize,
    viewers: Vec<usize>,
    layers: Vec<Layer>,
    held: Vec<Vec<u8>>,
    /// Per viewer: whether it is subscribed.
    watching: Vec<bool>,
}

/// A layer that comes and goes.
struct Layer {
    camera: Camera,
    on: bool,
    keyframe: bool,
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

impl Sim {
    fn new(seed: u64) -> Self {
        let mut lab = Lab::new(clock());
        let ada = lab.connect();
        lab.publish(ada, 1, simulcast("1"));
        let viewers: Vec<usize> = (0..3).map(|_| lab.connect()).collect();
        for &viewer in &viewers {
            lab.subscribe(viewer, 1, subscription("3", 900));
        }
        let layers = [(11_000, "q"), (65_000, "h"), (22_000, "f")].map(|(ssrc, rid)| Layer {
            camera: Camera::layer(ssrc, rid),
            on: true,
            keyframe: true,
        });
        let watching = vec![true; viewers.len()];
        let layers = Vec::from(layers);
        Self { lab, dice: Dice(seed), seed, ada, viewers, layers, held: Vec::new(), watching }
    }

    /// One picture of each layer, some wishes, and 33 ms.
    fn step(&mut self) {
        for layer in 0..self.layers.len() {
            if self.dice.one_in(150) {
                self.layers[layer].on ^= true;
                self.layers[layer].keyframe = true;
            }
            if self.layers[layer].on {
                self.picture(layer);
            } else {
                let camera = &mut self.layers[layer].camera;
                camera.timestamp = camera.timestamp.wrapping_add(3000);
            }
        }
        self.wish();
        let wait = Duration::from_millis(20 + self.dice.below(30));
        self.lab.pass(wait, true);
        self.publisher_reads();
        if self.dice.one_in(40) {
            self.reports();
        }
    }

    /// Three packets that may be lost, doubled or late.
    fn picture(&mut self, layer: usize) {
        let Layer { camera, keyframe, .. } = &mut self.layers[layer];
        let keyframe = std::mem::take(keyframe) || self.dice.one_in(120);
        let mut sealed = Vec::new();
        for n in 0..3 {
            let payload = vp8(camera.picture, keyframe && n == 0, n == 0, 60);
            let header = Header {
                marker: n == 2,
                payload_type: 96,
                sequence: camera.sequence,
                timestamp: camera.timestamp,
                ssrc: camera.ssrc,
            };
            camera.sequence = camera.sequence.wrapping_add(1);
            let rid = camera.rid.unwrap().as_bytes();
            let extensions: &[(u8, &[u8])] = &[(1, b"1"), (2, rid)];
            let packet = Outgoing { header, extensions, payload: &payload };
            sealed.push(self.lab.seal(self.ada, &packet));
        }
        for sealed in sealed {
            match self.dice.below(60) {
                0 => {}
                1 => self.held.push(sealed),
                2 => {
                    self.deliver(&sealed);
                    self.deliver(&sealed);
                }
                _ => self.deliver(&sealed),
            }
        }
        camera_next(&mut self.layers[layer].camera);
        if self.dice.one_in(3) {
            for held in std::mem::take(&mut self.held) {
                self.deliver(&held);
            }
        }
    }

    fn deliver(&mut self, sealed: &[u8]) {
        let from = self.lab.remote(self.ada).address;
        let _ = self.lab.datagram(from, sealed);
    }

    /// The publisher makes the keyframes that it is asked for.
    fn publisher_reads(&mut self) {
        let compounds = self.lab.compounds(self.ada);
        for layer in &mut self.layers {
            layer.keyframe |= common::asks_for_keyframe(&compounds, layer.camera.ssrc);
        }
    }

    fn reports(&mut self) {
        let ntp = 3_900_000_000u64 << 32;
        for layer in 0..self.layers.len() {
            let camera = &self.layers[layer].camera;
            let elapsed = u64::from(camera.timestamp.wrapping_sub(camera.ssrc.wrapping_mul(7919)));
            let ntp = ntp + (elapsed << 32) / 90_000;
            let mut out = Vec::new();
            write::sender_report(
                &mut out,
                &common::sender_info(camera.ssrc, ntp, camera.timestamp),
                &[],
            );
            self.lab.send_rtcp(self.ada, &out).unwrap();
        }
    }

    /// Something that a person or a browser does.
    fn wish(&mut self) {
        let at = self.dice.below(self.viewers.len() as u64) as usize;
        let viewer = self.viewers[at];
        let (track, peer) = (TrackId(1), self.lab.id(viewer));
        match self.dice.below(400) {
            0..8 => {
                let paused = self.dice.one_in(2);
                let _ = self.lab.command(Command::Pause { track, peer, paused });
            }
            8..10 => {
                let muted = self.dice.one_in(3);
                self.lab.command(Command::Mute { track, muted }).unwrap();
            }
            10..14 if self.watching[at] => {
                self.watching[at] = false;
                self.check(at);
                self.lab.command(Command::Unsubscribe { track, peer }).unwrap();
            }
            14..22 if !self.watching[at] => {
                self.watching[at] = true;
                self.lab.subscribe(viewer, 1, subscription("3", 900));
            }
            22..40 => {
                let mut out = Vec::new();
                write::pli(&mut out, 1, 900);
                self.lab.send_rtcp(viewer, &out).unwrap();
            }
            40..120 => {
                let last = self.lab.remote(viewer).rtp.last().map(|last| last.view.sequence);
                let lost: Vec<u16> =
                    (0..20).map(|n| last.unwrap_or(0).wrapping_sub(n * 3)).rev().collect();
                let mut out = Vec::new();
                write::nack(&mut out, 1, 900, &lost);
                self.lab.send_rtcp(viewer, &out).unwrap();
            }
            _ => {}
        }
    }

    fn end(mut self) {
        for at in 0..self.viewers.len() {
            self.check(at);
        }
        let unsealed = self.lab.shard.counters().dropped(DropReason::Unsealed);
        assert_eq!(unsealed, 0, "seed {}: a number was used twice", self.seed);
        assert!(self.lab.shard.counters().layer_switches > 5, "seed {}", self.seed);
        let peers: Vec<_> = (0..=self.viewers.len()).map(|peer| self.lab.id(peer)).collect();
        for peer in peers {
            self.lab.command(Command::RemovePeer { peer }).unwrap();
        }
        let counters = self.lab.shard.counters();
        assert_eq!((counters.peers, counters.tracks, counters.edges), (0, 0, 0));
    }

    /// One viewer's stream since the last look: in order of sequence numbers, time never goes
    /// back, and a picture id belongs to one picture.
    fn check(&mut self, at: usize) {
        let seed = self.seed;
        let mut received: Vec<(u64, Received)> = Vec::new();
        let mut numbers = conf_media::seq::Unwrapper::default();
        for packet in self.lab.received(self.viewers[at]) {
            if packet.view.ssrc == 900 {
                received.push((numbers.extend(packet.view.sequence), packet));
            }
        }
        received.sort_by_key(|(number, _)| *number);
        for pair in received.windows(2) {
            let ((before, a), (number, b)) = (&pair[0], &pair[1]);
            assert!(number > before, "seed {seed}: {number} twice");
            let ahead = b.view.timestamp.wrapping_sub(a.view.timestamp);
            assert!(ahead < 1 << 31, "seed {seed}: time goes back at {number}");
            let step = picture_id(b).wrapping_sub(picture_id(a)) & 0x7fff;
            let same = ahead == 0;
            assert!(same == (step == 0), "seed {seed}: picture ids at {number}: {step}, {ahead}");
            let missing = number - before - 1;
            assert!(u64::from(step) <= missing + 1, "seed {seed}: a gap of {step} at {number}");
        }
    }
}

fn camera_next(camera: &mut Camera) {
    camera.timestamp = camera.timestamp.wrapping_add(3000);
    camera.picture = (camera.picture + 1) & 0x7fff;
}
