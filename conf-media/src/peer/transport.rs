//! What was sent to one subscriber under transport-wide numbers, and what it says of it.
//!
//! Each packet of a peer that negotiated the extension carries the next number, whatever its
//! source. The peer reports, some ten times a second, which of them arrived. A [`Transport`]
//! matches that with what was sent: the ground on which the bandwidth is estimated. It remembers
//! half a second, so its memory follows the rate, up to a wall; a report costs no more than the
//! packets that it can be about.
//!
//! Source: draft-holmer-rmcat-transport-wide-cc-extensions-01.

use std::time::{Duration, Instant};

use crate::bwe::Outcome;
use crate::rtcp::TransportFeedback;
use crate::stats::TransportStats;

/// The packets that one peer was sent lately.
#[derive(Debug)]
pub(crate) struct Transport {
    /// A power of two.
    sent: Vec<Sent>,
    next: u16,
    began: Option<Instant>,
    /// The last moment in microseconds: all packets of a batch have the same.
    last: Option<(Instant, u32)>,
    stats: TransportStats,
    /// The last probes, newest first.
    probes: [Option<Probed>; PROBES],
}

/// Numbers that were sent for one probe.
#[derive(Clone, Copy, Debug)]
struct Probed {
    id: u16,
    first: u16,
    /// `None` while it is being sent.
    last: Option<u16>,
}

/// One packet.
#[derive(Clone, Copy, Debug)]
struct Sent {
    /// In microseconds since the first one, wrapping.
    at: u32,
    /// Sealed.
    bytes: u16,
    /// Upper bits of its number.
    round: u8,
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing was sent here yet.
    Empty,
    Unknown,
    Lost,
    Arrived,
}

/// What one report said that was not known before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    pub(crate) arrived: u64,
    pub(crate) lost: u64,
}

impl Transport {
    /// Nothing sent yet. Takes 2 KiB, which is enough for 4 Mbit/s.
    pub(crate) fn new() -> Self {
        let stats = TransportStats::default();
        Self {
            sent: vec![EMPTY; LEAST],
            next: 1,
            began: None,
            last: None,
            stats,
            probes: [None; PROBES],
        }
    }

    /// The number of the next packet.
    pub(crate) fn next(&self) -> u16 {
        self.next
    }

    /// The packet went out under [`Transport::next`].
    pub(crate) fn sent(&mut self, now: Instant, bytes: usize) {
        let number = self.next;
        self.next = number.wrapping_add(1);
        let at = self.micros(now);
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.stats.sent += 1;
        self.stats.sent_bytes += u64::from(bytes);
        let (index, _) = self.place(number);
        let young = |old: &Sent| old.fate != Fate::Empty && at.wrapping_sub(old.at) < HORIZON;
        if self.sent.len() < MOST && self.sent.get(index).is_some_and(young) {
            self.grow(number);
        }
        let (index, round) = self.place(number);
        if let Some(place) = self.sent.get_mut(index) {
            *place = Sent { at, bytes, round, fate: Fate::Unknown };
        }
    }

    /// What is sent next belongs to this probe, or to none.
    pub(crate) fn probe(&mut self, probe: Option<u16>) {
        match probe {
            Some(id) => {
                self.probes.rotate_right(1);
                let [place, ..] = &mut self.probes;
                *place = Some(Probed { id, first: self.next, last: None });
            }
            None => {
                let last = self.next.wrapping_sub(1);
                if let [Some(probed), ..] = &mut self.probes {
                    probed.last.get_or_insert(last);
                }
            }
        }
    }

    /// The peer reports which packets arrived; `each` hears of those of which that is news, in the
    /// order of sending.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        feedback: &TransportFeedback<'_>,
        mut each: Option<impl FnMut(Outcome)>,
    ) -> Reported {
        let began = self.began.filter(|_| each.is_some());
        let whole = began.map_or(0, |began| now.saturating_duration_since(began).as_micros());
        let now = self.micros(now);
        let (mut reported, mut newest) = (Reported::default(), None);
        for status in feedback.statuses().take(self.sent.len()) {
            let (index, round) = self.place(status.sequence);
            let Some(sent) = self.sent.get_mut(index).filter(|sent| sent.round == round) else {
                continue;
            };
            let outcome = |sent: &Sent| Outcome {
                sent: micros(whole.saturating_sub(u128::from(now.wrapping_sub(sent.at)))),
                arrived: status.arrival.map(on_their_clock),
                bytes: usize::from(sent.bytes),
                probe: probe_of(&self.probes, self.next, status.sequence),
            };
            match (sent.fate, status.arrival) {
                (Fate::Unknown, None) => {
                    sent.fate = Fate::Lost;
                    reported.lost += 1;
                    if let Some(each) = &mut each {
                        each(outcome(sent));
                    }
                }
                (Fate::Unknown | Fate::Lost, Some(_)) => {
                    self.stats.lost -= u64::from(sent.fate == Fate::Lost);
                    sent.fate = Fate::Arrived;
                    self.stats.delivered_bytes += u64::from(sent.bytes);
                    reported.arrived += 1;
                    newest = Some(sent.at);
                    if let Some(each) = &mut each {
                        each(outcome(sent));
                    }
                }
                _ => {}
            }
        }
        self.stats.acknowledged += reported.arrived;
        self.stats.lost += reported.lost;
        if let Some(at) = newest {
            let micros = now.wrapping_sub(at);
            self.stats.round_trip = Some(Duration::from_micros(u64::from(micros)));
        }
        reported
    }

    /// Totals so far.
    pub(crate) fn stats(&self) -> TransportStats {
        self.stats
    }

    /// Makes room for twice as many; `next` is not written yet.
    fn grow(&mut self, next: u16) {
        let known = std::mem::take(&mut self.sent);
        self.sent = vec![EMPTY; 2 * known.len()];
        let count = u16::try_from(known.len()).unwrap_or(u16::MAX);
        for back in 1..=count {
            let number = next.wrapping_sub(back);
            let old = known.get(usize::from(number) & (known.len() - 1)).copied();
            let (index, round) = self.place(number);
            if let (Some(old), Some(place)) = (old, self.sent.get_mut(index)) {
                *place = Sent { round, ..old };
            }
        }
    }

    /// Where a number is kept, and its upper bits.
    fn place(&self, number: u16) -> (usize, u8) {
        let round = number >> self.sent.len().trailing_zeros();
        (usize::from(number) & (self.sent.len() - 1), u8::try_from(round).unwrap_or_default())
    }

    fn micros(&mut self, now: Instant) -> u32 {
        if let Some((at, micros)) = self.last
            && at == now
        {
            return micros;
        }
        let began = *self.began.get_or_insert(now);
        let micros = now.saturating_duration_since(began).as_micros();
        let micros = u32::try_from(micros & u128::from(u32::MAX)).unwrap_or_default();
        self.last = Some((now, micros));
        micros
    }
}

/// The probe that a number was sent for; `next` is not sent yet.
fn probe_of(probes: &[Option<Probed>], next: u16, number: u16) -> Option<u16> {
    let is_in = |probed: &&Probed| {
        let last = probed.last.unwrap_or(next);
        number.wrapping_sub(probed.first) <= last.wrapping_sub(probed.first)
    };
    probes.iter().flatten().find(is_in).map(|probed| probed.id)
}

fn micros(micros: u128) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Ticks of 250 µs since a moment of theirs, which may lie in the future.
fn on_their_clock(ticks: i64) -> Duration {
    let shifted = ticks.saturating_add(1 << 40);
    Duration::from_micros(u64::try_from(shifted).unwrap_or_default().saturating_mul(250))
}

/// A report comes within some hundred milliseconds.
const PROBES: usize = 4;
const EMPTY: Sent = Sent { at: 0, bytes: 0, round: 0, fate: Fate::Empty };
/// Packets that are remembered at first: with fewer, upper bits of a number would not fit a byte.
const LEAST: usize = 1 << 8;
/// Packets that are remembered at most: 500 ms of 20 Mbit/s.
const MOST: usize = 1 << 10;
/// What was sent in the last so many microseconds is not forgotten, while fewer than [`MOST`].
const HORIZON: u32 = 500_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;
    use crate::rtcp::write::{self, TransportInfo};
    use crate::rtcp::{self, Packet};

    /// What a peer reports from `base` on, each packet arrived or lost.
    fn report(transport: &mut Transport, now: Instant, base: u16, arrived: &[bool]) -> Reported {
        let mut bytes = Vec::new();
        let info = TransportInfo { sender: 1, media: 2, base, reference: 7, number: 0 };
        let statuses: Vec<_> = arrived.iter().map(|&arrived| arrived.then_some(4)).collect();
        write::transport_feedback(&mut bytes, &info, &statuses);
        let Some(Ok(Packet::TransportFeedback(feedback))) = rtcp::walk(&bytes).next() else {
            panic!("no feedback");
        };
        transport.handle(now, &feedback, None::<fn(Outcome)>)
    }

    fn sent(count: usize) -> (Transport, Instant) {
        let now = test_clock().mono;
        let mut transport = Transport::new();
        (0..count).for_each(|_| transport.sent(now, 1_000));
        (transport, now)
    }

    #[test]
    fn a_packet_takes_eight_bytes() {
        assert_eq!(size_of::<Sent>(), 8);
    }

    #[test]
    fn feedback_tells_arrived_lost_and_late_packets_once_each() {
        let (mut transport, now) = sent(4);
        let later = now + Duration::from_millis(40);
        let first = report(&mut transport, later, 1, &[true, false, true]);
        assert_eq!(first, Reported { arrived: 2, lost: 1 });
        let again = report(&mut transport, later, 1, &[true, true, true]);
        assert_eq!(again, Reported { arrived: 1, lost: 0 }, "the lost one came late");
        let stats = transport.stats();
        assert_eq!((stats.sent, stats.acknowledged, stats.lost), (4, 3, 0));
        assert_eq!((stats.sent_bytes, stats.delivered_bytes), (4_000, 3_000));
        assert_eq!(stats.round_trip, Some(Duration::from_millis(40)));
    }

    #[test]
    fn what_was_never_sent_is_not_believed() {
        let (mut transport, now) = sent(4);
        assert_eq!(report(&mut transport, now, 100, &[true; 50]), Reported::default());
        assert_eq!(report(&mut transport, now, 0, &[true]), Reported::default());
        let places = u16::try_from(LEAST).unwrap();
        let far = report(&mut transport, now, 1 + places, &[true; 3]);
        assert_eq!(far, Reported::default(), "the same places, other numbers");
        assert_eq!(transport.stats().acknowledged, 0);
    }

    #[test]
    fn numbers_wrap_and_only_the_last_packets_are_remembered() {
        let (mut transport, now) = sent(70_000);
        let next = transport.next();
        assert_eq!(next, 4_465);
        assert_eq!(report(&mut transport, now, next - 2_000, &[true; 10]), Reported::default());
        assert_eq!(report(&mut transport, now, next - 1_024, &[true; 10]).arrived, 10);
        assert_eq!(report(&mut transport, now, next, &[true; 10]), Reported::default());
    }

    #[test]
    fn its_memory_follows_the_rate_and_what_was_known_stays_known() {
        let now = test_clock().mono;
        let mut transport = Transport::new();
        for packet in 0..1_000 {
            transport.sent(now + packet * Duration::from_millis(8), 1_000);
        }
        assert_eq!(transport.sent.len(), LEAST, "1 Mbit/s");
        let now = now + Duration::from_secs(8);
        (0..100).for_each(|_| transport.sent(now, 1_000));
        assert_eq!(transport.sent.len(), LEAST, "the old ones make room");
        let next = transport.next();
        assert_eq!(report(&mut transport, now, next - 150, &[true; 20]).arrived, 20);
        (0..200).for_each(|_| transport.sent(now, 1_000));
        assert_eq!(transport.sent.len(), 2 * LEAST);
        let again = report(&mut transport, now, next + 200 - 350, &[true; 40]);
        assert_eq!(again.arrived, 20, "half of them were reported before it grew");
        (0..2_000).for_each(|_| transport.sent(now, 1_000));
        assert_eq!(transport.sent.len(), MOST);
    }
}
