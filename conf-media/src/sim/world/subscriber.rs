//! A receiver of one track: asks for what is missing, reports, decodes what can be decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::truth::Truth;
use crate::rtcp::{TransportRecorder, write};
use crate::rtp::View;
use crate::seq::{Missing, MissingPackets, ReceiverStats};
use crate::test_util::Remote;

/// One received track.
#[derive(Debug)]
pub(super) struct Subscriber {
    ssrc: u32,
    missing: MissingPackets,
    stats: ReceiverStats,
    recorder: TransportRecorder,
    frames: BTreeMap<(u32, u8), Frame>,
    decoded: BTreeSet<(u8, u32)>,
    /// Timestamp of the last picture that was shown.
    shown: Option<u32>,
    report_at: Option<Instant>,
    key_at: Option<Instant>,
    seen: Seen,
}

#[derive(Debug)]
struct Frame {
    truth: Truth,
    packets: BTreeSet<u8>,
}

/// What a subscriber made of a track.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// When pictures were shown, and of which encoding.
    pub pictures: Vec<(Instant, u8)>,
    /// Packets that came, each once.
    pub packets: u64,
    /// Their bytes, with headers.
    pub bytes: u64,
    /// Keyframes that were asked for.
    pub asked: u64,
    numbers: BTreeSet<u64>,
    highest: u64,
    lowest: u64,
}

impl Seen {
    /// Packets that never came, of those that were numbered.
    #[must_use]
    pub fn lost(&self) -> u64 {
        let numbered = if self.packets == 0 { 0 } else { self.highest + 1 - self.lowest };
        numbered.saturating_sub(self.packets)
    }

    /// The longest time between two pictures after the first one, from `since` on.
    #[must_use]
    pub fn longest_pause(&self, since: Instant, until: Instant) -> Duration {
        let shown = self.pictures.iter().map(|(at, _)| *at).filter(|at| *at >= since);
        let mut last = since;
        let mut longest = Duration::ZERO;
        for at in shown.chain([until]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }

    /// How often the encoding changed.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.pictures.windows(2).filter(|pair| matches!(pair, [a, b] if a.1 != b.1)).count()
    }

    /// When the first picture of an encoding was shown after a moment.
    #[must_use]
    pub fn first_of(&self, encoding: u8, after: Instant) -> Option<Instant> {
        let of = self.pictures.iter().find(|(at, it)| *at >= after && *it == encoding);
        of.map(|(at, _)| *at)
    }
}

impl Subscriber {
    pub(super) fn new(ssrc: u32) -> Self {
        Self {
            ssrc,
            missing: MissingPackets::new(Missing::default()),
            stats: ReceiverStats::new(90_000),
            recorder: TransportRecorder::new(),
            frames: BTreeMap::new(),
            decoded: BTreeSet::new(),
            shown: None,
            report_at: None,
            key_at: None,
            seen: Seen::default(),
        }
    }

    pub(super) fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(super) fn seen(&self) -> &Seen {
        &self.seen
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        let dues = [self.missing.timeout(), self.recorder.timeout(), self.report_at, self.key_at];
        dues.into_iter().flatten().min()
    }

    pub(super) fn take(&mut self, now: Instant, view: &View, packet: &[u8]) {
        let is_repair = view.ssrc == self.ssrc + 1;
        if view.ssrc != self.ssrc && !is_repair {
            return;
        }
        if let Some(&[high, low]) = view.extension(packet, TRANSPORT) {
            self.recorder.record(u16::from_be_bytes([high, low]), now);
        }
        let mut payload = view.payload(packet);
        let mut sequence = view.sequence;
        if is_repair {
            let Some((original, rest)) = payload.split_first_chunk::<2>() else { return };
            (sequence, payload) = (u16::from_be_bytes(*original), rest);
        } else {
            self.stats.record(view.sequence, view.timestamp, now);
        }
        self.report_at.get_or_insert(now + REPORT);
        self.missing.record(sequence, now);
        self.count(sequence, packet.len());
        if let Some(truth) = Truth::read(payload) {
            self.collect(now, view.timestamp, truth);
        }
    }

    fn count(&mut self, sequence: u16, bytes: usize) {
        let seen = &mut self.seen;
        let near = if seen.packets == 0 { 1 << 32 } else { seen.highest };
        let low = u16::try_from(near & 0xffff).unwrap_or_default();
        let ahead = i64::from(sequence.wrapping_sub(low).cast_signed());
        let number = if seen.packets == 0 {
            near | u64::from(sequence)
        } else {
            near.saturating_add_signed(ahead)
        };
        if seen.numbers.insert(number) {
            seen.lowest = if seen.packets == 0 { number } else { seen.lowest.min(number) };
            seen.highest = seen.highest.max(number);
            seen.packets += 1;
            seen.bytes += bytes as u64;
        }
    }

    /// Puts a packet to its frame, and shows all frames that can be.
    fn collect(&mut self, now: Instant, timestamp: u32, truth: Truth) {
        if self.shown.is_some_and(|shown| timestamp.wrapping_sub(shown).cast_signed() <= 0) {
            return; // its time is over
        }
        let key = (timestamp, truth.encoding);
        let frame = || Frame { truth, packets: BTreeSet::new() };
        self.frames.entry(key).or_insert_with(frame).packets.insert(truth.packet);
        while let Some(key) = self.decodable() {
            self.show(now, key);
        }
        if self.frames.is_empty() {
            self.key_at = None;
        } else {
            self.key_at.get_or_insert(now + PATIENCE);
        }
    }

    /// The oldest frame that is whole and whose needs were decoded.
    fn decodable(&self) -> Option<(u32, u8)> {
        let decodable = |(_, frame): &(&(u32, u8), &Frame)| {
            let Truth { encoding, needs, packets, .. } = frame.truth;
            let has = |needed: &u32| *needed == 0 || self.decoded.contains(&(encoding, *needed));
            frame.packets.len() == usize::from(packets) && needs.iter().all(has)
        };
        self.frames.iter().find(decodable).map(|(key, _)| *key)
    }

    fn show(&mut self, now: Instant, key: (u32, u8)) {
        let Some(frame) = self.frames.remove(&key) else { return };
        let (timestamp, encoding) = key;
        if frame.truth.is_key() {
            self.decoded.retain(|(other, _)| *other == encoding);
        }
        self.decoded.insert((encoding, frame.truth.frame));
        while self.decoded.len() > 64 {
            self.decoded.pop_first();
        }
        self.shown = Some(timestamp);
        self.frames.retain(|(other, _), _| other.wrapping_sub(timestamp).cast_signed() > 0);
        self.key_at = None;
        self.seen.pictures.push((now, encoding));
    }

    pub(super) fn act(&mut self, now: Instant, remote: &mut Remote, out: &mut Vec<Vec<u8>>) {
        let mut compound = Vec::new();
        if self.missing.timeout().is_some_and(|at| now >= at) {
            let mut asked = Vec::new();
            self.missing.poll(now, &mut asked);
            write::nack(&mut compound, 1, self.ssrc, &asked);
        }
        while self.recorder.poll_feedback(now, 1, self.ssrc, &mut compound) {}
        if self.report_at.is_some_and(|at| now >= at) {
            self.report_at = Some(now + REPORT);
            let block = self.stats.report(self.ssrc, now);
            write::receiver_report(&mut compound, 1, block.as_slice());
        }
        if self.key_at.is_some_and(|at| now >= at) {
            self.key_at = Some(now + KEY_AGAIN);
            self.seen.asked += 1;
            write::pli(&mut compound, 1, self.ssrc);
        }
        if !compound.is_empty() {
            out.push(remote.seal_rtcp(&compound));
        }
    }
}

/// Id of the transport-wide number at subscribers.
const TRANSPORT: u8 = 13;
const REPORT: Duration = Duration::from_secs(1);
/// So long a decoder waits for what is missing before it asks for a keyframe.
const PATIENCE: Duration = Duration::from_millis(200);
const KEY_AGAIN: Duration = Duration::from_millis(500);
