//! The packets of one picture become a frame.

use std::collections::VecDeque;
use std::time::Instant;

use super::Frame;
use super::order::{Next, Order, Packet};
use super::unpack::Unpacker;
use crate::codec::Codec;
use crate::command::Kind;
use crate::forward::rewrite::SenderClock;
use crate::rtcp::from_ntp;

/// Frames of one encoding.
#[derive(Debug)]
pub(super) struct Assembler {
    order: Order,
    begun: Option<Begun>,
    /// Nothing is handed out until the next keyframe.
    broken: bool,
    kind: Kind,
    missing: u32,
    /// Packets are missing, and it is not known of which pictures.
    gap: bool,
    /// The picture that was last counted as missing.
    skipped: Option<u32>,
    pub(super) clock: Option<SenderClock>,
    frames: VecDeque<Frame>,
}

/// A picture of which some packets are there.
#[derive(Debug)]
struct Begun {
    timestamp: u32,
    keyframe: bool,
    unpacker: Unpacker,
}

impl Assembler {
    /// Video begins with a keyframe.
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            order: Order::default(),
            begun: None,
            broken: kind == Kind::Video,
            kind,
            missing: 0,
            gap: false,
            skipped: None,
            clock: None,
            frames: VecDeque::new(),
        }
    }

    pub(super) fn push(&mut self, number: u64, packet: Packet, resumes: bool) {
        if resumes {
            self.order.resume(number);
            self.lose(1);
        }
        self.order.push(number, packet);
    }

    /// The next frame; it is of this encoding.
    pub(super) fn poll(&mut self, now: Instant, encoding: u8) -> Option<Frame> {
        loop {
            if let Some(mut frame) = self.frames.pop_front() {
                frame.encoding = encoding;
                return Some(frame);
            }
            match self.order.pop(now)? {
                Next::Packet(packet) => self.packet(packet),
                Next::Lost(packets) => self.lose(packets),
            }
        }
    }

    /// A keyframe is needed to go on.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Packets are missing. Of sound, each was a frame. Of video, what was begun cannot be completed,
    /// and what follows is not decodable.
    fn lose(&mut self, packets: u64) {
        if self.kind == Kind::Audio {
            let frames = u32::try_from(packets).unwrap_or(u32::MAX);
            self.missing = self.missing.saturating_add(frames);
            return;
        }
        self.broken = true;
        self.gap = true;
        if let Some(begun) = self.begun.take() {
            self.skip(begun.timestamp);
        }
    }

    /// Of a picture that is not handed out.
    fn skip(&mut self, timestamp: u32) {
        self.gap = false;
        if self.skipped.replace(timestamp) != Some(timestamp) {
            self.missing = self.missing.saturating_add(1);
        }
    }

    fn packet(&mut self, packet: Packet) {
        if packet.payload.is_empty() {
            return; // padding that probes the path
        }
        if packet.codec == Codec::Opus {
            return self.finish(packet.codec, packet.timestamp, true, packet.payload);
        }
        if self.begun.as_ref().is_some_and(|begun| begun.timestamp != packet.timestamp) {
            // Its last packet had no marker: some encoders leave it out.
            self.complete(packet.codec);
        }
        if self.begun.is_none() {
            if self.broken && !packet.keyframe {
                return self.skip(packet.timestamp);
            }
            // Whole pictures are missing, one at least.
            self.missing = self.missing.saturating_add(u32::from(std::mem::take(&mut self.gap)));
            self.begun = Some(Begun {
                timestamp: packet.timestamp,
                keyframe: packet.keyframe,
                unpacker: Unpacker::new(packet.codec),
            });
        }
        let Some(begun) = &mut self.begun else { return };
        begun.keyframe |= packet.keyframe;
        if begun.unpacker.push(&packet.payload).is_err() {
            return self.lose(1);
        }
        if packet.marker {
            self.complete(packet.codec);
        }
    }

    fn complete(&mut self, codec: Codec) {
        let Some(begun) = self.begun.take() else { return };
        match begun.unpacker.finish() {
            Ok(payload) => {
                self.broken &= !begun.keyframe;
                self.finish(codec, begun.timestamp, begun.keyframe, payload);
            }
            Err(_) => self.lose(1),
        }
    }

    fn finish(&mut self, codec: Codec, timestamp: u32, keyframe: bool, payload: Vec<u8>) {
        let rate = if codec == Codec::Opus { 48_000 } else { 90_000 };
        self.frames.push_back(Frame {
            codec,
            encoding: 0,
            payload: payload.into(),
            timestamp,
            wall: self.clock.and_then(|clock| wall(clock, timestamp, rate)),
            keyframe,
            missing: std::mem::take(&mut self.missing),
        });
    }
}

/// When a timestamp was, by the publisher's last report: up to half a round of the timestamps away.
fn wall(clock: SenderClock, timestamp: u32, rate: i64) -> Option<jiff::Timestamp> {
    let ticks = i64::from(timestamp.wrapping_sub(clock.rtp).cast_signed());
    let nanos = ticks.checked_mul(1_000_000_000)?.checked_div(rate)?;
    from_ntp(clock.ntp)?.checked_add(jiff::SignedDuration::from_nanos(nanos)).ok()
}
