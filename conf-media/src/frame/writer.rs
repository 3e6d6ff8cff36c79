//! Frames published from within the process.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::pack::pack;
use crate::codec::Codec;
use crate::command::{
    Command, Encoding, Extensions, Injected, Kind, Label, Payload, Publication, TrackId,
};
use crate::rtcp::ntp;
use crate::rtp::{FIXED_HEADER, Header};
use crate::time::Now;

/// What a [`Writer`] publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// The track.
    pub track: TrackId,
    /// How its frames are encoded.
    pub codec: Codec,
    /// Any random number.
    pub ssrc: u32,
}

impl Source {
    /// How the track is published, for [`crate::room::Room::publish`]; one encoding.
    #[must_use]
    pub fn publication(&self) -> Publication {
        let (kind, clock_rate) = match self.codec {
            Codec::Opus => (Kind::Audio, 48_000),
            _ => (Kind::Video, 90_000),
        };
        let payload = Payload {
            payload_type: PAYLOAD_TYPE,
            codec: self.codec,
            clock_rate,
            rtx: None,
            nack: false,
            pli: kind == Kind::Video,
        };
        Publication {
            kind,
            mid: Label::new(b"0").expect("one visible character"),
            encodings: vec![Encoding { ssrc: Some(self.ssrc), ..Encoding::default() }],
            codecs: vec![payload],
            extensions: Extensions::default(),
            screen: false,
            sizes: Vec::new(),
        }
    }
}

/// Makes packets of frames.
#[derive(Debug)]
pub struct Writer {
    source: Source,
    sequence: u16,
    picture: u16,
    /// When the clock was told.
    told: Option<Instant>,
}

impl Writer {
    /// Before the first frame.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source, sequence: 0, picture: 0, told: None }
    }

    /// The command that publishes one frame, captured now.
    ///
    /// `frame` has the form of [`super::Frame::payload`], `timestamp` is in ticks of its codec and
    /// goes on from frame to frame. Of video the first frame must be a keyframe, and another should
    /// follow each [`crate::command::Event::KeyframeWanted`].
    pub fn write(&mut self, now: Now, frame: &[u8], timestamp: u32, keyframe: bool) -> Command {
        let payloads = pack(self.source.codec, frame, keyframe, self.picture);
        self.picture = self.picture.wrapping_add(1) & 0x7FFF;
        let is_video = self.source.codec != Codec::Opus;
        let last = payloads.len().saturating_sub(1);
        let packet = |(at, payload): (usize, &Vec<u8>)| {
            let header = Header {
                marker: is_video && at == last,
                payload_type: PAYLOAD_TYPE,
                sequence: self.sequence.wrapping_add(u16::try_from(at).unwrap_or(u16::MAX)),
                timestamp,
                ssrc: self.source.ssrc,
            };
            let mut packet = Vec::with_capacity(FIXED_HEADER + payload.len());
            packet.extend_from_slice(&header.fixed(false));
            packet.extend_from_slice(payload);
            Bytes::from(packet)
        };
        let packets: Vec<Bytes> = payloads.iter().enumerate().map(packet).collect();
        let count = u16::try_from(packets.len()).unwrap_or(u16::MAX);
        self.sequence = self.sequence.wrapping_add(count);
        let due = |told| now.mono.saturating_duration_since(told) >= CLOCK_EVERY;
        let clock = self.told.is_none_or(due).then(|| (ntp(now.wall), timestamp));
        if clock.is_some() {
            self.told = Some(now.mono);
        }
        Command::Inject { track: self.source.track, frame: Injected { packets, clock } }
    }
}

/// The only one there is.
const PAYLOAD_TYPE: u8 = 96;
/// As often as browsers send sender reports.
const CLOCK_EVERY: Duration = Duration::from_secs(1);
