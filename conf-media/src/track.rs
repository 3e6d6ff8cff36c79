//! One published track: its encodings with their recent packets, and who receives it.

pub(crate) mod ring;

use std::time::{Duration, Instant};

use crate::codec::dependency;
use crate::command::{Kind, Payload, Publication, TrackId};
use crate::director::ShardIndex;
use crate::forward::Edge;
use crate::forward::keyframe::KeyframeGate;
use crate::forward::layers::{Layers, MAX_ENCODINGS};
use crate::forward::meter::Meter;
use crate::forward::padding::Evener;
use crate::forward::rewrite::SenderClock;
use crate::forward::speaker::Speaker;
use crate::forward::stage::Place;
use crate::peer::Peer;
use crate::seq::{Missing, MissingPackets, ReceiverStats, Unwrapper};
use crate::shard::relay::Relay;
use crate::shard::tap::Tap;
use crate::shard::wheel::Timer;
use crate::slab::Key;
use crate::stats::report::Received;

use ring::Ring;

/// What a shard knows of one track.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) id: TrackId,
    pub(crate) origin: Origin,
    pub(crate) publication: Publication,
    pub(crate) muted: bool,
    pub(crate) live: bool,
    pub(crate) layers: Layers,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) edges: Vec<Key<Edge>>,
    /// Other shards that get a copy of each packet.
    pub(crate) relays: Vec<Relay>,
    /// Programs of this process that get a copy of each packet.
    pub(crate) taps: Vec<Tap>,
    pub(crate) speaker: Option<Speaker>,
    /// Among the microphones of its room, if its packets carry levels.
    pub(crate) place: Option<Place>,
    /// Its place in the timing wheel.
    pub(crate) timer: Timer,
}

/// Where the packets of a track come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A peer of this shard.
    Peer(Key<Peer>),
    /// The shard of its publisher: this is a mirror.
    Shard(ShardIndex),
}

impl Origin {
    /// A peer of this shard publishes it.
    pub(crate) fn is_peer(self) -> bool {
        matches!(self, Self::Peer(_))
    }
}

/// One encoding of a track as it arrives.
#[derive(Debug)]
pub(crate) struct Encoding {
    pub(crate) ssrc: Option<u32>,
    /// When another source took the place of the one before.
    pub(crate) rebound_at: Option<Instant>,
    /// Counts how often the source began anew.
    pub(crate) epoch: u16,
    pub(crate) ring: Ring,
    /// When the last packet went into the ring; `None`: nothing of any is left in it.
    pub(crate) kept_at: Option<Instant>,
    pub(crate) numbers: Unwrapper,
    /// What its layers take.
    pub(crate) meter: Meter,
    /// Reads its dependency descriptors.
    pub(crate) dependency: dependency::Reader,
    pub(crate) stats: ReceiverStats,
    pub(crate) missing: MissingPackets,
    /// For whoever asks ([`crate::stats::report`]).
    pub(crate) counts: Received,
    /// Which packets are evened out.
    pub(crate) evener: Evener,
    pub(crate) gate: KeyframeGate,
    /// The publisher's latest sender report, and when it came.
    pub(crate) report: Option<(SenderClock, Instant)>,
    /// When its latest keyframe began; `None` if nobody may begin with it any more.
    pub(crate) keyframe_at: Option<Instant>,
    /// Packets in a row that were too late: the source has begun anew without saying so.
    pub(crate) late_in_row: u32,
    /// The sequence number of the last one.
    pub(crate) late: u16,
    /// Of [`MissingPackets::given_up`], what was already answered with a keyframe.
    pub(crate) given_up: u64,
}

impl Track {
    /// A track before its first packet.
    pub(crate) fn new(id: TrackId, origin: Origin, publication: Publication) -> Self {
        let encodings = encodings(&publication);
        let speaker = (publication.kind == Kind::Audio).then(Speaker::new);
        Self {
            id,
            origin,
            publication,
            muted: false,
            live: false,
            layers: Layers::default(),
            encodings,
            edges: Vec::new(),
            relays: Vec::new(),
            taps: Vec::new(),
            speaker,
            place: None,
            timer: Timer::NONE,
        }
    }

    /// The track is described anew, with other encodings.
    pub(crate) fn restart(&mut self, publication: Publication) {
        let newest = self.encodings.iter().map(|encoding| encoding.epoch).max();
        self.encodings = encodings(&publication);
        for encoding in &mut self.encodings {
            encoding.epoch = newest.unwrap_or_default().wrapping_add(1);
        }
        self.layers = Layers::default();
        self.publication = publication;
    }

    /// The description of a payload type, if it is one of the track's and no repair.
    pub(crate) fn codec(&self, payload_type: u8) -> Option<&Payload> {
        self.publication.codecs.iter().find(|codec| codec.payload_type == payload_type)
    }

    /// The payload type whose retransmissions have this one.
    pub(crate) fn repaired_type(&self, payload_type: u8) -> Option<u8> {
        let codecs = &self.publication.codecs;
        codecs.iter().find(|codec| codec.rtx == Some(payload_type)).map(|codec| codec.payload_type)
    }

    /// The encoding to be sent under each limit.
    pub(crate) fn goals(&self, now: Instant) -> [Option<usize>; MAX_ENCODINGS] {
        match self.encodings.len() {
            1 => [self.layers.best(); MAX_ENCODINGS],
            _ => self.layers.goals(now),
        }
    }

    /// Ticks per second of its RTP clock; all payload types of a section share it in practice.
    pub(crate) fn clock_rate(&self) -> u32 {
        self.publication.codecs.first().map_or(90_000, |codec| codec.clock_rate)
    }

    /// When something about it is to be looked at.
    pub(crate) fn due(&self) -> Option<Instant> {
        let speaker = self.speaker.as_ref().and_then(Speaker::timeout);
        self.encodings.iter().filter_map(Encoding::due).chain(speaker).min()
    }

    /// It is video: streams begin at keyframes.
    pub(crate) fn is_video(&self) -> bool {
        self.publication.kind == Kind::Video
    }
}

fn encodings(publication: &Publication) -> Vec<Encoding> {
    let count = publication.encodings.len();
    (0..count).map(|index| Encoding::new(publication, index, count)).collect()
}

impl Encoding {
    fn new(publication: &Publication, index: usize, count: usize) -> Self {
        let clock_rate = publication.codecs.first().map_or(90_000, |codec| codec.clock_rate);
        let slots = match publication.kind {
            Kind::Audio => AUDIO_SLOTS,
            Kind::Video if index + 1 < count => LOW_SLOTS,
            Kind::Video => VIDEO_SLOTS,
        };
        let how = match publication.kind {
            Kind::Audio => Missing { reach: 32, most: 32, tries: 3, ..Missing::default() },
            Kind::Video => Missing::default(),
        };
        Self {
            ssrc: publication.encodings.get(index).and_then(|encoding| encoding.ssrc),
            rebound_at: None,
            epoch: 0,
            ring: Ring::new(slots),
            kept_at: None,
            numbers: Unwrapper::default(),
            meter: Meter::default(),
            dependency: dependency::Reader::default(),
            stats: ReceiverStats::new(clock_rate),
            missing: MissingPackets::new(how),
            counts: Received::default(),
            evener: Evener::default(),
            gate: KeyframeGate::new(KEYFRAME_INTERVAL),
            report: None,
            keyframe_at: None,
            late_in_row: 0,
            late: 0,
            given_up: 0,
        }
    }

    /// The source begins anew: another one was bound, or its numbers jumped.
    pub(crate) fn restart(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.ring.clear();
        self.numbers = Unwrapper::default();
        self.meter = Meter::default();
        self.dependency = dependency::Reader::default();
        self.stats.restart();
        self.missing.reset();
        self.evener = Evener::default();
        self.gate.open();
        self.report = None;
        self.keyframe_at = None;
        self.late_in_row = 0;
        self.given_up = self.missing.given_up();
    }
}

impl Encoding {
    /// When something about it is to be looked at.
    pub(crate) fn due(&self) -> Option<Instant> {
        let silence = self.kept_at.map(|at| at + SILENCE);
        [silence, self.missing.timeout(), self.gate.timeout()].into_iter().flatten().min()
    }

    /// Packets are missing that were not asked for yet, or were given up since it was last looked at.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.missing.is_fresh() || self.given_up != self.missing.given_up()
    }

    /// Of a source that has fallen silent nothing is kept.
    pub(crate) fn forget_silence(&mut self, now: Instant) {
        if self.kept_at.is_some_and(|at| now.saturating_duration_since(at) >= SILENCE) {
            self.ring.wipe();
            self.kept_at = None;
            self.keyframe_at = None;
        }
    }
}

/// Nobody asks again for what is older; within the five seconds that the policy gives.
pub(crate) const SILENCE: Duration = Duration::from_secs(4);
/// At most one keyframe request of an encoding in this time.
pub(crate) const KEYFRAME_INTERVAL: Duration = Duration::from_millis(500);
/// More than a second of Opus.
const AUDIO_SLOTS: usize = 64;
/// Several seconds of a small picture.
const LOW_SLOTS: usize = 256;
/// About three seconds of 720p.
const VIDEO_SLOTS: usize = 512;
