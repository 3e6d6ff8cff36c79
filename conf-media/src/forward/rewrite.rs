//! One continuous stream for a subscriber, out of whatever the publisher sends.
//!
//! Sequence numbers: what we leave out on purpose leaves no gap (or the subscriber would ask for
//! it), what the network lost does (so that it asks). Timestamps: they go on at a change of source,
//! by the publisher's own sender reports where both sources have one, by the clock otherwise.
//!
//! Sources: RFC 3550, sections 5.1 and 6.4.1; RFC 7667, section 3.7 (media-switching mixer).

use std::time::{Duration, Instant};

use super::left_out::LeftOut;

/// The numbering of one edge.
#[derive(Clone, Debug)]
pub(crate) struct Rewriter {
    /// First packet of the present source that belongs to the stream; older ones are not sent.
    start: u64,
    /// What is added to a sequence number of the present source.
    offset: u64,
    /// Highest sequence number sent so far, unwrapped.
    last: u64,
    /// Highest one of the present source that was sent or left out.
    newest: u64,
    /// What was left out of the present source.
    left_out: LeftOut,
    /// What is added to a timestamp of the present source.
    timestamp_offset: u32,
    last_timestamp: u32,
    last_at: Option<Instant>,
}

/// Where a stream stopped that another edge may continue under the same source: sequence numbers
/// must not be sealed twice, and a receiver expects time to go on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// The last sequence number.
    pub(crate) sequence: u16,
    /// The last timestamp and when it was sent; `None` before the first packet.
    pub(crate) time: Option<(u32, Instant)>,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its outgoing sequence number, unwrapped.
    pub(crate) sequence: u64,
    /// How many pictures before it were left out since the last splice.
    pub(crate) pictures: u16,
}

/// One sender report's pair of clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderClock {
    /// NTP format: seconds since 1900 in the upper half.
    pub ntp: u64,
    /// The same moment in RTP ticks.
    pub rtp: u32,
}

impl SenderClock {
    /// The timestamp in this source's numbering of the moment that `other` calls `timestamp`.
    ///
    /// `None` if the two reports are further apart than reports of one publisher can be.
    #[must_use]
    pub(crate) fn translate(self, other: Self, timestamp: u32, clock_rate: u32) -> Option<u32> {
        let apart = other.ntp.wrapping_sub(self.ntp).cast_signed();
        if apart.unsigned_abs() > MAX_APART_SECONDS << 32 {
            return None;
        }
        let ticks = (i128::from(apart) * i128::from(clock_rate)) >> 32;
        let ticks = u32::try_from(ticks.rem_euclid(1 << 32)).ok()?;
        let into = timestamp.wrapping_sub(other.rtp);
        Some(self.rtp.wrapping_add(ticks).wrapping_add(into))
    }
}

/// A source as a change to it sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Splice {
    /// First packet of the new source to be sent, unwrapped.
    pub sequence: u64,
    /// Its timestamp.
    pub timestamp: u32,
    /// The same moment in the numbering of the source before, where it is known.
    pub continued: Option<u32>,
    /// Ticks per second.
    pub clock_rate: u32,
}

impl Rewriter {
    /// A stream whose first packet follows where it stopped before.
    #[must_use]
    pub(crate) fn new(before: Stopped) -> Self {
        let (last_timestamp, last_at) = before.time.unzip();
        Self {
            start: 0,
            offset: 0,
            // Far from zero, so that packets from before the start can be numbered too.
            last: (1 << 32) | u64::from(before.sequence),
            newest: 0,
            left_out: LeftOut::default(),
            timestamp_offset: 0,
            last_timestamp: last_timestamp.unwrap_or_default(),
            last_at,
        }
    }

    /// The stream goes on with another source, or with the same one after a pause.
    pub(crate) fn splice(&mut self, now: Instant, splice: Splice) {
        self.start = splice.sequence;
        self.offset = self.last.wrapping_add(1).wrapping_sub(splice.sequence);
        self.left_out.clear();
        self.newest = 0;
        if let Some(last_at) = self.last_at {
            let elapsed = now.saturating_duration_since(last_at);
            let first = self.next_timestamp(elapsed, splice);
            self.timestamp_offset = first.wrapping_sub(splice.timestamp);
        }
    }

    /// Where a packet of the present source goes; `None` if it is older than the source's first
    /// packet in this stream, or was left out.
    #[inline]
    #[must_use]
    pub(crate) fn place(&self, sequence: u64) -> Option<Place> {
        if sequence < self.start {
            return None;
        }
        if self.left_out.is_empty() {
            return Some(Place { sequence: sequence.wrapping_add(self.offset), pictures: 0 });
        }
        let (later, pictures) = self.left_out.around(sequence)?;
        let sequence = sequence.wrapping_add(self.offset).wrapping_add(later);
        Some(Place { sequence, pictures })
    }

    /// The outgoing timestamp of a packet of the present source.
    #[must_use]
    pub(crate) fn timestamp(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.timestamp_offset)
    }

    /// A packet of the present source was sent with these numbers.
    pub(crate) fn sent(&mut self, now: Instant, source: u64, sequence: u64, timestamp: u32) {
        self.newest = self.newest.max(source);
        if sequence > self.last {
            self.last = sequence;
            self.last_timestamp = timestamp;
            self.last_at = Some(now);
        }
    }

    /// A packet of the present source is left out, and the following close up. That leaves no gap
    /// only where nothing behind it was sent; `false` if something was. `picture` is the timestamp, as it
    /// came, where a whole picture is left out.
    pub(crate) fn skip(&mut self, sequence: u64, picture: Option<u32>) -> bool {
        if self.place(sequence).is_none_or(|place| place.sequence <= self.last) {
            return false;
        }
        self.newest = self.newest.max(sequence);
        self.left_out.push(sequence, picture);
        self.offset = self.offset.wrapping_sub(1);
        true
    }

    /// Whether the picture with this timestamp was left out.
    pub(crate) fn is_left_out(&self, timestamp: u32) -> bool {
        self.left_out.contains(timestamp)
    }

    /// Something of the present source was left out.
    #[inline]
    pub(crate) fn leaves_out(&self) -> bool {
        !self.left_out.is_empty()
    }

    /// Nothing that was sent or left out follows this packet of the present source.
    pub(crate) fn is_newest(&self, sequence: u64) -> bool {
        sequence > self.newest
    }

    /// Where the stream is now.
    #[must_use]
    pub(crate) fn stopped(&self) -> Stopped {
        let sequence = crate::seq::Unwrapper::wrapped(self.last);
        Stopped { sequence, time: self.last_at.map(|at| (self.last_timestamp, at)) }
    }

    /// Timestamp of the first packet after a splice: the translated one if it is plausible.
    fn next_timestamp(&self, elapsed: Duration, splice: Splice) -> u32 {
        let ticks = elapsed.as_nanos() * u128::from(splice.clock_rate) / 1_000_000_000;
        let ticks = u32::try_from(ticks % (1 << 32)).unwrap_or_default();
        let guess = self.last_timestamp.wrapping_add(ticks.max(1));
        let Some(continued) = splice.continued else { return guess };
        let known = continued.wrapping_add(self.timestamp_offset);
        let off = known.wrapping_sub(guess).cast_signed().unsigned_abs();
        if off > splice.clock_rate.saturating_mul(MAX_OFF_SECONDS) {
            return guess;
        }
        let ahead = known.wrapping_sub(self.last_timestamp).cast_signed();
        if ahead > 0 { known } else { self.last_timestamp.wrapping_add(1) }
    }
}

/// Sender reports of one publisher are seconds apart.
const MAX_APART_SECONDS: u64 = 60;
/// A translation further than this from the clock's guess is wrong.
const MAX_OFF_SECONDS: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    fn started(sequence: u64) -> Rewriter {
        let mut rewriter = Rewriter::new(Stopped { sequence: 99, time: None });
        let splice = Splice { sequence, timestamp: 1000, continued: None, clock_rate: 90_000 };
        rewriter.splice(test_clock().mono, splice);
        rewriter
    }

    fn send(rewriter: &mut Rewriter, sequence: u64) -> Option<u64> {
        let out = rewriter.place(sequence)?.sequence;
        rewriter.sent(test_clock().mono, sequence, out, rewriter.timestamp(1000));
        Some(out & 0xffff)
    }

    #[test]
    fn losses_stay_gaps_and_what_is_left_out_does_not() {
        let mut rewriter = started(5000);
        assert_eq!(send(&mut rewriter, 5000), Some(100));
        assert_eq!(send(&mut rewriter, 5002), Some(102));
        assert!(rewriter.skip(5003, None));
        assert_eq!(send(&mut rewriter, 5004), Some(103));
        assert_eq!(rewriter.place(5003), None);
        assert_eq!(send(&mut rewriter, 5001), Some(101), "came late, before the one left out");
    }

    #[test]
    fn a_packet_before_the_splice_is_not_sent() {
        let rewriter = started(5000);
        assert_eq!(rewriter.place(4999), None);
    }

    #[test]
    fn another_source_goes_on_where_the_last_one_stopped() {
        let mut rewriter = started(5000);
        send(&mut rewriter, 5000);
        let now = test_clock().mono + Duration::from_millis(100);
        let splice =
            Splice { sequence: 77, timestamp: 5, continued: Some(10_000), clock_rate: 90_000 };
        rewriter.splice(now, splice);
        assert_eq!(rewriter.place(77).map(|place| place.sequence & 0xffff), Some(101));
        assert_eq!(rewriter.timestamp(5), 10_000);
    }

    #[test]
    fn an_implausible_report_is_not_believed() {
        let mut rewriter = started(5000);
        send(&mut rewriter, 5000);
        let now = test_clock().mono + Duration::from_millis(100);
        let splice =
            Splice { sequence: 77, timestamp: 5, continued: Some(900_000), clock_rate: 90_000 };
        rewriter.splice(now, splice);
        assert_eq!(rewriter.timestamp(5), 1000 + 9000);
    }

    #[test]
    fn time_never_goes_back_at_a_splice() {
        let mut rewriter = started(5000);
        send(&mut rewriter, 5000);
        let splice =
            Splice { sequence: 77, timestamp: 5, continued: Some(500), clock_rate: 90_000 };
        rewriter.splice(test_clock().mono, splice);
        assert_eq!(rewriter.timestamp(5), 1001);
    }

    #[test]
    fn two_reports_translate_between_two_layers() {
        let half_second = 1u64 << 31;
        let a = SenderClock { ntp: 100 << 32, rtp: 1_000_000 };
        let b = SenderClock { ntp: (100 << 32) + half_second, rtp: 7 };
        assert_eq!(a.translate(b, 7 + 900, 90_000), Some(1_000_000 + 45_000 + 900));
        assert_eq!(b.translate(a, 1_000_000, 90_000), Some(7u32.wrapping_sub(45_000)));
        assert_eq!(a.translate(SenderClock { ntp: 9 << 40, rtp: 0 }, 0, 90_000), None);
    }
}
