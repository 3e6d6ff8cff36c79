//! What a camera and a microphone send, and when.
//!
//! | | camera | microphone |
//! |---|---|---|
//! | `even` | 30 pictures a second, 125 packets of 1,200 bytes in all | 50 packets of 120 bytes |
//! | `browser` | sizes and gaps of [`browser`] | as sizes of Opus; falls silent and then sends every 400 ms |
//!
//! A source is a machine without a clock: [`Camera::next`] and [`Microphone::next`] give one burst
//! after the other, each with the time since the source's start.

use std::time::Duration;

pub mod browser;

pub use conf_media::sim::Random;

use crate::plan::ShapeKind;

/// Packets that are sent at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Burst {
    /// Since the source's start.
    pub at: Duration,
    /// Bytes of RTP payload of each packet.
    pub sizes: Vec<u16>,
    /// How loud, RFC 6464: 0 loudest, 127 silence. Of microphones only.
    pub level: u8,
}

/// A source of pictures.
#[derive(Clone, Debug)]
pub struct Camera {
    kind: ShapeKind,
    picture: u64,
    at: Duration,
}

impl Camera {
    /// One that starts with the first picture.
    #[must_use]
    pub fn new(kind: ShapeKind) -> Self {
        Self { kind, picture: 0, at: Duration::ZERO }
    }

    /// The next picture; `keyframe` is what it will be, which makes it larger in a browser.
    pub fn next(&mut self, keyframe: bool, burst: &mut Burst) {
        burst.sizes.clear();
        burst.at = self.at;
        let picture = self.picture;
        self.picture += 1;
        match self.kind {
            ShapeKind::Even => {
                let count = packets_until(picture + 1) - packets_until(picture);
                burst.sizes.extend((0..count).map(|_| VIDEO_PAYLOAD));
                self.at = Duration::from_nanos(self.picture * 1_000_000_000 / PICTURES);
            }
            ShapeKind::Browser => {
                let recorded = browser::picture(picture, keyframe);
                burst.sizes.extend(recorded.sizes);
                self.at += recorded.gap;
            }
        }
    }

    /// When the next picture is due, since the start.
    #[must_use]
    pub fn due(&self) -> Duration {
        self.at
    }
}

/// A source of sound.
#[derive(Clone, Debug)]
pub struct Microphone {
    kind: ShapeKind,
    at: Duration,
    random: Random,
    /// Until when it speaks, or is silent.
    until: Duration,
    speaks: bool,
}

impl Microphone {
    /// One that speaks at first.
    #[must_use]
    pub fn new(kind: ShapeKind, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let until = spurt(&mut random, true);
        Self { kind, at: Duration::ZERO, random, until, speaks: true }
    }

    /// The next packet.
    pub fn next(&mut self, burst: &mut Burst) {
        burst.sizes.clear();
        burst.at = self.at;
        match self.kind {
            ShapeKind::Even => {
                burst.sizes.push(AUDIO_PAYLOAD);
                burst.level = SPEECH_LEVEL;
                self.at += AUDIO_PERIOD;
            }
            ShapeKind::Browser => self.speak(burst),
        }
    }

    /// When the next packet is due, since the start.
    #[must_use]
    pub fn due(&self) -> Duration {
        self.at
    }

    fn speak(&mut self, burst: &mut Burst) {
        if self.at >= self.until {
            self.speaks = !self.speaks;
            self.until = self.at + spurt(&mut self.random, self.speaks);
        }
        if self.speaks {
            burst
                .sizes
                .push(OPUS_LEAST + u16::try_from(self.random.below(OPUS_SPREAD)).unwrap_or(0));
            burst.level = SPEECH_LEVEL + u8::try_from(self.random.below(12)).unwrap_or(0);
            self.at += AUDIO_PERIOD;
        } else {
            burst.sizes.push(SILENCE_PAYLOAD);
            burst.level = SILENCE_LEVEL;
            self.at += SILENCE_PERIOD;
        }
    }
}

/// Packets of all pictures before `picture`.
fn packets_until(picture: u64) -> u64 {
    picture * VIDEO_PACKETS / PICTURES
}

/// How long somebody speaks, or is silent.
fn spurt(random: &mut Random, speaks: bool) -> Duration {
    let (least, spread) = if speaks { (1_000, 3_000) } else { (500, 2_500) };
    Duration::from_millis(least + random.below(spread))
}

/// Pictures a second.
pub const PICTURES: u64 = 30;
/// Packets a second of an even camera.
pub const VIDEO_PACKETS: u64 = 125;
/// Bytes of RTP payload of an even camera's packets.
pub const VIDEO_PAYLOAD: u16 = 1_200;
/// Bytes of RTP payload of an even microphone's packets.
pub const AUDIO_PAYLOAD: u16 = 120;
/// One packet of Opus.
pub const AUDIO_PERIOD: Duration = Duration::from_millis(20);
/// Opus sends so rarely while nobody speaks (discontinuous transmission).
pub const SILENCE_PERIOD: Duration = Duration::from_millis(400);
/// Room for the stamp; real ones are shorter.
const SILENCE_PAYLOAD: u16 = 32;
/// Opus at 32 kbit/s with its variable rate: 60 to 100 bytes.
const OPUS_LEAST: u16 = 60;
const OPUS_SPREAD: u64 = 41;
/// −30 dBov: a voice.
const SPEECH_LEVEL: u8 = 30;
/// RFC 6464: digital silence.
pub const SILENCE_LEVEL: u8 = 127;

#[cfg(test)]
mod tests;
