//! A camera of three encodings with three temporal layers each, as a browser sends it.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::truth::{self, Truth};
use crate::rtcp::{self, Packet, write};
use crate::rtp::Header;
use crate::sim::Random;
use crate::test_util::{Outgoing, Remote};

/// One camera.
#[derive(Debug)]
pub(super) struct Publisher {
    encodings: [Encoding; 3],
    random: Random,
    picture_at: Instant,
    report_at: Instant,
    began: Instant,
    /// Sent packets, for those who ask again.
    history: HashMap<(u32, u16), Vec<u8>>,
    order: VecDeque<(u32, u16)>,
    again: Vec<Vec<u8>>,
    /// Pictures since a keyframe of all.
    index: usize,
}

#[derive(Debug)]
struct Encoding {
    rid: &'static str,
    ssrc: u32,
    bytes: usize,
    sequence: u16,
    picture: u16,
    tl0: u8,
    frame: u32,
    /// Packets so far.
    packets: u32,
    /// Since the last keyframe.
    index: usize,
    /// The last frame of each temporal layer.
    last: [u32; 3],
    key_wanted: bool,
    track: u32,
}

impl Publisher {
    pub(super) fn new(now: Instant, track: u32, seed: u64) -> Self {
        // 150, 500 and 1,700 kbit/s at 30 pictures a second.
        let encoding = |(number, (rid, bytes)): (u32, (&'static str, usize))| Encoding {
            rid,
            ssrc: track * 10 + number,
            bytes,
            sequence: u16::try_from(seed.wrapping_mul(7919) & 0xffff).unwrap_or_default(),
            picture: u16::try_from(seed & 0x7fff).unwrap_or_default(),
            tl0: 250,
            frame: 0,
            packets: 0,
            index: 0,
            last: [0; 3],
            key_wanted: true,
            track,
        };
        let sizes = [("q", 625), ("h", 2_080), ("f", 7_080)];
        let encodings = [(1, sizes[0]), (2, sizes[1]), (3, sizes[2])].map(encoding);
        Self {
            encodings,
            random: Random::new(seed),
            picture_at: now,
            report_at: now,
            began: now,
            history: HashMap::new(),
            order: VecDeque::new(),
            again: Vec::new(),
            index: 0,
        }
    }

    pub(super) fn timeout(&self) -> Instant {
        self.picture_at.min(self.report_at)
    }

    /// The engine asks for packets or keyframes.
    pub(super) fn hear(&mut self, _now: Instant, compound: &[u8]) {
        for packet in rtcp::walk(compound).flatten() {
            match packet {
                Packet::Nack { media, lost, .. } => {
                    let packets = lost.filter_map(|number| self.history.get(&(media, number)));
                    let packets: Vec<_> = packets.cloned().collect();
                    self.again.extend(packets);
                }
                Packet::Pli { media, .. } => {
                    let asked = self.encodings.iter_mut().find(|it| it.ssrc == media);
                    if let Some(encoding) = asked {
                        encoding.key_wanted = true;
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn act(&mut self, now: Instant, remote: &mut Remote, out: &mut Vec<Vec<u8>>) {
        out.append(&mut self.again);
        if now >= self.report_at {
            self.report_at = now + Duration::from_secs(1);
            self.report(now, remote, out);
        }
        if now < self.picture_at {
            return;
        }
        self.picture_at += PICTURE;
        self.index += 1;
        let timestamp = self.timestamp(now);
        for at in 0..self.encodings.len() {
            let vary = 0.7 + 0.6 * self.random.unit();
            let Some(encoding) = self.encodings.get_mut(at) else { return };
            let number = u8::try_from(at).unwrap_or_default();
            for packet in encoding.picture(number, timestamp, vary, remote) {
                let key = (encoding.ssrc, packet.0);
                self.history.insert(key, packet.1.clone());
                self.order.push_back(key);
                out.push(packet.1);
            }
        }
        while self.order.len() > KEPT {
            if let Some(old) = self.order.pop_front() {
                self.history.remove(&old);
            }
        }
    }

    fn timestamp(&self, now: Instant) -> u32 {
        let ticks = now.saturating_duration_since(self.began).as_micros() * 9 / 100;
        u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or_default()
    }

    fn report(&self, now: Instant, remote: &mut Remote, out: &mut Vec<Vec<u8>>) {
        let elapsed = now.saturating_duration_since(self.began).as_nanos();
        let ntp = (3_900_000_000u128 << 32) + (elapsed << 32) / 1_000_000_000;
        for encoding in &self.encodings {
            let info = write::SenderInfo {
                ssrc: encoding.ssrc,
                ntp: u64::try_from(ntp).unwrap_or_default(),
                rtp: self.timestamp(now).wrapping_add(encoding.offset()),
                packets: 0,
                octets: 0,
            };
            let mut compound = Vec::new();
            write::sender_report(&mut compound, &info, &[]);
            out.push(remote.seal_rtcp(&compound));
        }
    }
}

impl Encoding {
    /// Each encoding counts its own time.
    fn offset(&self) -> u32 {
        self.ssrc.wrapping_mul(0x9e37_79b9)
    }

    /// The packets of the next picture, with their sequence numbers.
    fn picture(
        &mut self,
        encoding: u8,
        timestamp: u32,
        vary: f64,
        remote: &mut Remote,
    ) -> Vec<(u16, Vec<u8>)> {
        let key = std::mem::take(&mut self.key_wanted);
        if key {
            self.index = 0;
        }
        let temporal = TEMPORAL.get(self.index % 4).copied().unwrap_or_default();
        self.frame += 1;
        let [base, middle, _] = self.last;
        let (needs, sync) = match (temporal, self.index % 4) {
            _ if key => ([0, 0], false),
            (0, _) => ([base, 0], false),
            (1, _) => ([base, 0], true),
            (_, 1) => ([base, 0], true),
            _ => ([base, middle], false),
        };
        if let Some(last) = self.last.get_mut(usize::from(temporal)) {
            *last = self.frame;
        }
        self.tl0 = self.tl0.wrapping_add(u8::from(temporal == 0));
        let size = if key { 4.0 } else { vary * share(temporal) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes")]
        #[expect(clippy::cast_precision_loss, reason = "bytes")]
        let bytes = (self.bytes as f64 * size) as usize;
        let packets = bytes.div_ceil(1_100).max(1);
        let truth = |packet: usize| Truth {
            number: self.packets + u32::try_from(packet).unwrap_or_default() + 1,
            track: self.track,
            encoding,
            frame: self.frame,
            needs,
            packet: u8::try_from(packet).unwrap_or(u8::MAX),
            packets: u8::try_from(packets).unwrap_or(u8::MAX),
        };
        let truths: Vec<Truth> = (0..packets).map(truth).collect();
        self.index += 1;
        self.packets += u32::try_from(packets).unwrap_or_default();
        let made = truths.into_iter().map(|truth| {
            let len = (bytes / packets).max(truth::LEN + 8);
            let payload = self.payload(&truth, (temporal, sync, key), len);
            let header = Header {
                marker: truth.packet + 1 == truth.packets,
                payload_type: 96,
                sequence: self.sequence,
                timestamp: timestamp.wrapping_add(self.offset()),
                ssrc: self.ssrc,
            };
            let extensions: &[(u8, &[u8])] = &[(1, b"1"), (2, self.rid.as_bytes())];
            let sealed = remote.seal(&Outgoing { header, extensions, payload: &payload });
            self.sequence = self.sequence.wrapping_add(1);
            (header.sequence, sealed)
        });
        let made = made.collect();
        self.picture = self.picture.wrapping_add(1) & 0x7fff;
        made
    }

    fn payload(&self, truth: &Truth, layer: (u8, bool, bool), len: usize) -> Vec<u8> {
        let (temporal, sync, key) = layer;
        let [high, low] = (self.picture | 0x8000).to_be_bytes();
        let first = if truth.packet == 0 { 0x90 } else { 0x80 };
        let third = temporal << 6 | u8::from(sync) << 5;
        let mut payload = vec![first, 0xe0, high, low, self.tl0, third, u8::from(!key)];
        payload.resize(len, 0xab);
        truth.write(&mut payload);
        payload
    }
}

/// How large the pictures of a temporal layer are, beside the mean.
fn share(temporal: u8) -> f64 {
    match temporal {
        0 => 1.6,
        1 => 0.9,
        _ => 0.75,
    }
}

/// Thirty a second.
const PICTURE: Duration = Duration::from_micros(33_333);
/// Temporal layers in turns.
const TEMPORAL: [u8; 4] = [0, 2, 1, 2];
/// Packets that can be sent again.
const KEPT: usize = 2_000;
