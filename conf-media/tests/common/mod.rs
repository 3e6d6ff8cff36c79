//! Publishers for the engine's tests.

#![allow(dead_code, unreachable_pub, reason = "every test file uses some of it")]

use std::time::{Duration, Instant};

use conf_media::rtcp::write::SenderInfo;
use conf_media::rtcp::{self, Packet};
use conf_media::rtp::Header;
use conf_media::sim::Plan;
use conf_media::test_util::{Lab, Outgoing, Received, camera, subscription, vp8};
use conf_media::time::Now;

/// Where simulated time begins.
#[expect(clippy::disallowed_methods, reason = "an instant cannot be made from nothing")]
pub fn clock() -> Now {
    Now { mono: Instant::now(), wall: "2026-01-01T00:00:00Z".parse().expect("a time") }
}

/// A camera (track 1, source 6000) of the first peer at the second (source 900).
pub fn call() -> (Lab, usize, usize, Camera) {
    let mut lab = Lab::new(clock());
    let (ada, bob) = (lab.connect(), lab.connect());
    lab.publish(ada, 1, camera("1", 6000));
    lab.subscribe(bob, 1, subscription("3", 900));
    (lab, ada, bob, Camera::new(6000))
}

/// A packet of sound, 20 ms.
pub fn opus<'a>(ssrc: u32, sequence: u16, extensions: &'a [(u8, &'a [u8])]) -> Outgoing<'a> {
    let timestamp = u32::from(sequence) * 960;
    let header = Header { marker: false, payload_type: 111, sequence, timestamp, ssrc };
    Outgoing { header, extensions, payload: b"a packet of sound" }
}

/// The one in the middle.
pub fn median<T: Copy + PartialOrd>(mut of: Vec<T>) -> T {
    of.sort_by(|a, b| a.partial_cmp(b).expect("comparable"));
    of[of.len() / 2]
}

/// What a link will do, in words: its conditions, and changes of them.
pub fn plan(text: &str, steps: &[&str]) -> Plan {
    Plan::read(text, steps.iter().copied()).expect("conditions of a link")
}

/// Runs of which the median counts.
pub const SEEDS: u64 = 20;

/// A publisher of one VP8 encoding: two packets a picture, a picture every 40 ms.
pub struct Camera {
    pub ssrc: u32,
    pub sequence: u16,
    pub timestamp: u32,
    pub picture: u16,
    pub rid: Option<&'static str>,
    pub mid: &'static str,
    /// Sequence numbers that get lost on the way to the shard.
    pub lose: Vec<u16>,
    /// The shard is expected to refuse its packets.
    pub refused: bool,
    /// Every other picture is of a higher temporal layer, and needs only the one before.
    pub temporal: bool,
    /// Bytes of a payload.
    pub len: usize,
}

impl Camera {
    pub fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            sequence: 65_530,
            timestamp: ssrc.wrapping_mul(7919),
            picture: 32_765,
            rid: None,
            mid: "1",
            lose: Vec::new(),
            refused: false,
            temporal: false,
            len: 200,
        }
    }

    /// One layer of a simulcast.
    pub fn layer(ssrc: u32, rid: &'static str) -> Self {
        Self {
            rid: Some(rid),
            sequence: ssrc as u16,
            picture: ssrc as u16 & 0x7fff,
            ..Self::new(ssrc)
        }
    }

    /// Sends one picture of two packets.
    pub fn picture(&mut self, lab: &mut Lab, peer: usize, keyframe: bool) {
        for start in [true, false] {
            let mut payload = vp8(self.picture, keyframe && start, start, self.len);
            if self.temporal && self.picture % 2 == 1 && !keyframe {
                payload[5] = 0x60; // layer 1, synchronisation point
            }
            let mut extensions: Vec<(u8, &[u8])> = Vec::new();
            if let Some(rid) = self.rid {
                extensions = vec![(1, self.mid.as_bytes()), (2, rid.as_bytes())];
            }
            let header = Header {
                marker: !start,
                payload_type: 96,
                sequence: self.sequence,
                timestamp: self.timestamp,
                ssrc: self.ssrc,
            };
            let packet = Outgoing { header, extensions: &extensions, payload: &payload };
            if self.lose.contains(&self.sequence) {
                let _ = lab.seal(peer, &packet);
            } else {
                assert_eq!(lab.send(peer, &packet).is_err(), self.refused);
            }
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.timestamp = self.timestamp.wrapping_add(3600);
        self.picture = (self.picture + 1) & 0x7fff;
    }

    /// The same, and 40 ms pass.
    pub fn step(&mut self, lab: &mut Lab, peer: usize, keyframe: bool) {
        self.picture(lab, peer, keyframe);
        lab.pass(Duration::from_millis(40), true);
    }
}

/// The 15-bit picture id of a received VP8 packet.
pub fn picture_id(packet: &Received) -> u16 {
    u16::from_be_bytes([packet.payload()[2], packet.payload()[3]]) & 0x7fff
}

/// A sender report's numbers.
pub fn sender_info(ssrc: u32, ntp: u64, rtp: u32) -> SenderInfo {
    SenderInfo { ssrc, ntp, rtp, packets: 1, octets: 1 }
}

/// A publisher is asked for a keyframe of a source.
pub fn asks_for_keyframe(compounds: &[Vec<u8>], ssrc: u32) -> bool {
    let asks = |packet| matches!(packet, Packet::Pli { media, .. } if media == ssrc);
    compounds.iter().any(|compound| rtcp::walk(compound).flatten().any(asks))
}
