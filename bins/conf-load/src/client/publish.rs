//! The sending half of a publisher: its cameras and microphones become SRTP packets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use conf_media::command::Kind;
use conf_media::rtcp::{self, Packet, write};
use conf_media::rtp::Header;
use conf_media::srtp::Sealer;
use conf_media::time::Now;

use super::counts::Counts;
use super::socket::Outbox;
use crate::clock;
use crate::door::Source;
use crate::sdp::{LEVEL_URI, MID_URI, Remote, Section, TWCC_URI};
use crate::shape::{Burst, Camera, Microphone};
use crate::stamp::Stamp;

/// One source of a publisher, and how it behaves.
#[derive(Clone, Debug)]
pub struct Sends {
    /// What was offered.
    pub source: Source,
    /// What it sends; `None`: it stays silent, as a muted microphone.
    pub feed: Option<Feed>,
    /// From the publisher's start to the first packet; or, if `aligned`, within the period of a
    /// clock that all sources share.
    pub phase: Duration,
}

/// A camera or microphone at work.
#[derive(Clone, Debug)]
pub enum Feed {
    /// Pictures.
    Camera(Camera),
    /// Sound.
    Microphone(Microphone),
}

impl Feed {
    fn due(&self) -> Duration {
        match self {
            Self::Camera(camera) => camera.due(),
            Self::Microphone(microphone) => microphone.due(),
        }
    }
}

pub(super) struct Publisher {
    tracks: Vec<Track>,
    audience: Arc<AtomicU64>,
    transport: u16,
    /// Reports for the server, not sealed yet.
    pub(super) outgoing: Vec<u8>,
    report_at: Instant,
    burst: Burst,
}

/// One source at work.
struct Track {
    sends: Sends,
    ids: Ids,
    started: Instant,
    sequence: u16,
    counter: u64,
    octets: u32,
    picture: u16,
    /// When a keyframe was asked for and not sent yet; when the last one was sent.
    wanted: bool,
    keyframe_at: Option<Instant>,
    /// The last packets, sealed, by sequence number: asked for again, they go out bit by bit.
    ring: Vec<Vec<u8>>,
}

/// What was agreed for a source.
struct Ids {
    payload: u8,
    mid: Option<(u8, String)>,
    level: Option<u8>,
    transport: Option<u8>,
}

impl Ids {
    fn of(section: &Section) -> Self {
        Self {
            payload: section.media.unwrap_or_default(),
            mid: section.extension(MID_URI).map(|id| (id, section.mid.clone())),
            level: section.extension(LEVEL_URI),
            transport: section.extension(TWCC_URI),
        }
    }
}

impl Publisher {
    /// Sections of `remote` are matched by number: the first source is `mid` 0.
    pub(super) fn new(
        remote: &Remote,
        sends: Vec<Sends>,
        audience: Arc<AtomicU64>,
        (epoch, now): (Instant, Instant),
    ) -> Self {
        let tracks = sends.into_iter().enumerate().filter_map(|(number, sends)| {
            let mid = number.to_string();
            let section = remote.sections.iter().find(|section| section.mid == mid)?;
            let started = align(epoch, sends.phase, (sends.source.kind, now));
            Some(Track::new(sends, Ids::of(section), started))
        });
        Self {
            tracks: tracks.collect(),
            audience,
            transport: 0,
            outgoing: Vec::new(),
            report_at: now + REPORTS,
            burst: Burst::default(),
        }
    }

    /// Sends what is due.
    pub(super) fn handle_timeout(
        &mut self,
        now: Now,
        (socket, outbox): (&std::net::UdpSocket, &mut Outbox),
        sealer: &mut Sealer,
        counts: &mut Counts,
    ) {
        let audience = self.audience.load(Ordering::Relaxed);
        for track in &mut self.tracks {
            while track.due().is_some_and(|due| due <= now.mono) {
                let numbers = track.build(now.mono, (&mut self.burst, &mut self.transport), counts);
                let sealed = track.seal(numbers, sealer);
                let sent = outbox.send(socket, &sealed);
                let unsent = sealed.len().saturating_sub(sent);
                counts.totals.unsent += u64::try_from(unsent).unwrap_or_default();
                let sent = u64::try_from(sent).unwrap_or_default();
                counts.totals.sent += sent;
                counts.totals.expected += sent * audience;
            }
        }
        if now.mono >= self.report_at {
            self.report_at = now.mono + REPORTS;
            self.tracks.iter().for_each(|track| track.report(now, &mut self.outgoing));
        }
    }

    /// The server's reports: what it asks for.
    pub(super) fn rtcp(
        &mut self,
        compound: &[u8],
        (socket, outbox): (&std::net::UdpSocket, &mut Outbox),
        counts: &mut Counts,
    ) {
        for packet in rtcp::walk(compound).flatten() {
            match packet {
                Packet::Pli { media, .. } => self.wanted(media, counts),
                Packet::Fir { entries, .. } => {
                    entries.for_each(|(media, _)| self.wanted(media, counts));
                }
                Packet::Nack { media, lost, .. } => {
                    let tracks = self.tracks.iter();
                    for track in tracks.filter(|track| track.sends.source.ssrc == media) {
                        let again: Vec<_> = lost.filter_map(|n| track.sealed(n)).collect();
                        outbox.send(socket, &again);
                    }
                }
                _ => {}
            }
        }
    }

    pub(super) fn timeout(&self) -> Instant {
        self.tracks.iter().filter_map(Track::due).fold(self.report_at, Instant::min)
    }

    fn wanted(&mut self, media: u32, counts: &mut Counts) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.sends.source.ssrc == media) {
            track.wanted = true;
            counts.totals.keyframes_asked += 1;
        }
    }
}

impl Track {
    fn new(sends: Sends, ids: Ids, started: Instant) -> Self {
        Self {
            sends,
            ids,
            started,
            sequence: 1,
            counter: 0,
            octets: 0,
            picture: 0,
            wanted: true,
            keyframe_at: None,
            ring: vec![Vec::new(); KEPT],
        }
    }

    fn due(&self) -> Option<Instant> {
        self.sends.feed.as_ref().map(|feed| self.started + feed.due())
    }

    /// Writes the packets of the next burst into the ring; their sequence numbers.
    fn build(
        &mut self,
        now: Instant,
        (burst, transport): (&mut Burst, &mut u16),
        counts: &mut Counts,
    ) -> std::ops::Range<u64> {
        let keyframe = self.wants_keyframe(now);
        match &mut self.sends.feed {
            Some(Feed::Camera(camera)) => camera.next(keyframe, burst),
            Some(Feed::Microphone(microphone)) => microphone.next(burst),
            None => return 0..0,
        }
        counts.lag(now.saturating_duration_since(self.started + burst.at));
        if keyframe {
            counts.totals.keyframes_sent += 1;
        }
        let first = self.counter;
        let sent_nanos = clock::wall_nanos();
        for (at, &size) in burst.sizes.iter().enumerate() {
            let place = Place {
                begins: match (at, keyframe) {
                    (0, true) => Begins::Keyframe,
                    (0, false) => Begins::Picture,
                    _ => Begins::Nothing,
                },
                last: at + 1 == burst.sizes.len(),
                timestamp: ticks(burst.at, self.sends.source.kind),
            };
            let stamp = Stamp { source: self.sends.source.ssrc, counter: self.counter, sent_nanos };
            self.write((&place, burst.level, *transport), usize::from(size), &stamp);
            *transport = transport.wrapping_add(1);
            self.counter += 1;
            self.sequence = self.sequence.wrapping_add(1);
            self.octets = self.octets.wrapping_add(u32::from(size));
        }
        self.picture = (self.picture + 1) & 0x7fff;
        first..self.counter
    }

    /// A keyframe is the first picture, and one that was asked for, unless the last is too near.
    fn wants_keyframe(&mut self, now: Instant) -> bool {
        let near = self.keyframe_at.is_some_and(|at| now < at + KEYFRAME_INTERVAL);
        if self.sends.source.kind == Kind::Audio || !self.wanted || near {
            return false;
        }
        self.wanted = false;
        self.keyframe_at = Some(now);
        true
    }

    fn write(&mut self, (place, level, transport): (&Place, u8, u16), size: usize, stamp: &Stamp) {
        let kind = self.sends.source.kind;
        let header = Header {
            marker: kind == Kind::Video && place.last,
            payload_type: self.ids.payload,
            sequence: self.sequence,
            timestamp: place.timestamp,
            ssrc: self.sends.source.ssrc,
        };
        // RFC 6464: the high bit says that somebody speaks.
        let level = [level | if level < 127 { 0x80 } else { 0 }];
        let transport = transport.to_be_bytes();
        let mut extensions: [(u8, &[u8]); 3] = [(0, &[]); 3];
        let wanted = [
            self.ids.mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
            self.ids.level.filter(|_| kind == Kind::Audio).map(|id| (id, &level[..])),
            self.ids.transport.map(|id| (id, &transport[..])),
        ];
        let mut count = 0;
        for (slot, extension) in extensions.iter_mut().zip(wanted.into_iter().flatten()) {
            *slot = extension;
            count += 1;
        }
        let Some(packet) = slot(&mut self.ring, self.counter) else { return };
        packet.clear();
        packet.resize(HEADER_ROOM + size, FILLING);
        let extensions = extensions.get(..count).unwrap_or_default();
        let length = header.write(extensions, packet).unwrap_or_default();
        packet.truncate(length + size);
        let Some(payload) = packet.get_mut(length..) else { return };
        if kind == Kind::Video {
            describe(payload, place, self.picture);
        }
        stamp.write(payload);
    }

    /// Seals the packets with these counters, in place.
    fn seal(&mut self, counters: std::ops::Range<u64>, sealer: &mut Sealer) -> Vec<&[u8]> {
        for counter in counters.clone() {
            let Some(packet) = slot(&mut self.ring, counter) else { continue };
            let length = packet.len();
            packet.resize(length + TAG_ROOM, 0);
            let sealed = sealer.seal_rtp(packet, length).unwrap_or_default();
            packet.truncate(sealed);
        }
        let at = |counter| usize::try_from(counter).unwrap_or_default() % KEPT;
        counters.filter_map(|counter| self.ring.get(at(counter)).map(Vec::as_slice)).collect()
    }

    /// A packet that is still kept.
    fn sealed(&self, sequence: u16) -> Option<&[u8]> {
        let behind = self.sequence.wrapping_sub(sequence);
        let kept = (1..=u16::try_from(KEPT).unwrap_or_default()).contains(&behind);
        let counter = self.counter.checked_sub(u64::from(behind)).filter(|_| kept)?;
        self.ring.get(usize::try_from(counter).ok()? % KEPT).map(Vec::as_slice)
    }

    fn report(&self, now: Now, out: &mut Vec<u8>) {
        if self.counter == 0 {
            return;
        }
        let since = now.mono.saturating_duration_since(self.started);
        let info = write::SenderInfo {
            ssrc: self.sends.source.ssrc,
            ntp: rtcp::ntp(now.wall),
            rtp: ticks(since, self.sends.source.kind),
            packets: u32::try_from(self.counter & u64::from(u32::MAX)).unwrap_or_default(),
            octets: self.octets,
        };
        write::sender_report(out, &info, &[]);
        write::sdes_cname(out, info.ssrc, b"load");
    }
}

/// What a packet is in its picture.
struct Place {
    begins: Begins,
    last: bool,
    timestamp: u32,
}

/// What begins with a packet.
#[derive(Clone, Copy)]
enum Begins {
    Keyframe,
    Picture,
    Nothing,
}

/// RFC 7741: the payload descriptor with a picture id of 15 bits, and the first bytes of VP8.
fn describe(payload: &mut [u8], place: &Place, picture: u16) {
    let [high, low] = picture.to_be_bytes();
    // A tag of three bytes, of which bit 0 says "no keyframe"; a keyframe's start code and size.
    let (start, tag): (u8, &[u8]) = match place.begins {
        Begins::Keyframe => (0x10, &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x00, 0x05, 0xd0, 0x02]),
        Begins::Picture => (0x10, &[0x11, 0x02, 0x00]),
        Begins::Nothing => (0, &[]),
    };
    let descriptor = [0x80 | start, 0x80, high | 0x80, low];
    let head = descriptor.iter().chain(tag);
    for (byte, value) in payload.iter_mut().zip(head) {
        *byte = *value;
    }
}

/// Media time.
fn ticks(at: Duration, kind: Kind) -> u32 {
    let rate = match kind {
        Kind::Audio => 48_000,
        Kind::Video => 90_000,
    };
    let ticks = at.as_micros() * rate / 1_000_000;
    u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or_default()
}

/// The next moment that is `phase` into a period of the clock that began at `epoch`.
fn align(epoch: Instant, phase: Duration, (kind, now): (Kind, Instant)) -> Instant {
    let period = match kind {
        Kind::Audio => crate::shape::AUDIO_PERIOD,
        Kind::Video => Duration::from_nanos(1_000_000_000 / crate::shape::PICTURES),
    };
    let since = now.saturating_duration_since(epoch).as_nanos();
    let periods = since / period.as_nanos() + 1;
    epoch + period * u32::try_from(periods).unwrap_or_default() + phase
}

fn slot(ring: &mut [Vec<u8>], counter: u64) -> Option<&mut Vec<u8>> {
    ring.get_mut(usize::try_from(counter).unwrap_or_default() % KEPT)
}

/// Packets that are kept for the server to ask again.
const KEPT: usize = 256;
/// Fixed header and three extensions.
const HEADER_ROOM: usize = 48;
/// Of the longest tag.
const TAG_ROOM: usize = 16;
const FILLING: u8 = 0xa5;
/// Publishers answer requests for keyframes at most this often.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(200);
const REPORTS: Duration = Duration::from_secs(1);
