//! What a receiver reports on one source: loss, jitter, highest number.

use std::time::Instant;

use crate::rtcp::{ReportBlock, ntp_middle};

/// A jump ahead by this many is no loss but a new start (RFC 3550, appendix A.1).
const MAX_DROPOUT: u16 = 3_000;
/// A packet late by more than this may belong to a new start.
const MAX_MISORDER: u16 = 100;

/// Statistics of one received source (RFC 3550, appendices A.1, A.3 and A.8).
///
/// Without the probation of A.1: packets are authenticated before they are counted.
#[derive(Clone, Debug)]
pub struct ReceiverStats {
    clock_rate: u32,
    started: Option<Started>,
    last_report: Option<(u32, Instant)>,
}

/// What exists from the first packet on.
#[derive(Clone, Debug)]
struct Started {
    epoch: Instant,
    base: u16,
    highest: u16,
    wraps: u32,
    received: u32,
    expected_prior: u32,
    received_prior: u32,
    /// The number after a jump: a second packet in line means that the source started again.
    restart: Option<u16>,
    transit: u32,
    /// Sixteen times the jitter (A.8).
    jitter: u32,
}

impl ReceiverStats {
    /// For a source with this RTP clock, in Hz.
    #[must_use]
    pub fn new(clock_rate: u32) -> Self {
        Self { clock_rate, started: None, last_report: None }
    }

    /// Counts anew: the next packet is of another source.
    pub fn restart(&mut self) {
        *self = Self::new(self.clock_rate);
    }

    /// A packet came in (not a retransmission: those would spoil the jitter).
    pub fn record(&mut self, sequence: u16, timestamp: u32, arrival: Instant) {
        let clock_rate = self.clock_rate;
        let Some(started) = &mut self.started else {
            self.started = Some(Started::new(sequence, timestamp, arrival));
            return;
        };
        let transit = ticks(arrival, started.epoch, clock_rate).wrapping_sub(timestamp);
        match started.count(sequence) {
            Place::InLine => started.measure(transit),
            // Its timestamps start anew too, so there is nothing to compare with.
            Place::Restart => started.transit = transit,
            Place::Outside => {}
        }
    }

    /// A sender report of the source came in.
    pub fn record_sender_report(&mut self, ntp: u64, arrival: Instant) {
        self.last_report = Some((ntp_middle(ntp), arrival));
    }

    /// The block for the next report; starts the next interval of `fraction_lost`.
    ///
    /// `None` before the first packet.
    pub fn report(&mut self, ssrc: u32, now: Instant) -> Option<ReportBlock> {
        let started = self.started.as_mut()?;
        let (last_sr, delay) = self
            .last_report
            .map_or((0, 0), |(last_sr, arrival)| (last_sr, ticks(now, arrival, 65_536)));
        let fraction_lost = started.fraction_lost();
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            cumulative_lost: started.lost(),
            highest: started.extended(),
            jitter: started.jitter >> 4,
            last_sr,
            delay,
        })
    }

    /// Packets lost since the start; negative where duplicates came.
    #[must_use]
    pub fn lost(&self) -> i32 {
        self.started.as_ref().map_or(0, Started::lost)
    }

    /// Packets received since the start.
    #[must_use]
    pub fn received(&self) -> u32 {
        self.started.as_ref().map_or(0, |started| started.received)
    }

    /// Jitter in units of the codec's clock.
    #[must_use]
    pub fn jitter(&self) -> u32 {
        self.started.as_ref().map_or(0, |started| started.jitter >> 4)
    }
}

/// Where a packet stands in the sequence (A.1).
enum Place {
    /// Ahead, or late by little.
    InLine,
    /// Second in line after a jump: the source started again.
    Restart,
    /// After a jump, for the first time: not counted.
    Outside,
}

impl Started {
    fn new(sequence: u16, timestamp: u32, arrival: Instant) -> Self {
        Self {
            epoch: arrival,
            base: sequence,
            highest: sequence,
            wraps: 0,
            received: 1,
            expected_prior: 0,
            received_prior: 0,
            restart: None,
            transit: 0u32.wrapping_sub(timestamp),
            jitter: 0,
        }
    }

    /// Counts a packet.
    fn count(&mut self, sequence: u16) -> Place {
        let mut place = Place::InLine;
        let step = sequence.wrapping_sub(self.highest);
        if step < MAX_DROPOUT {
            if sequence < self.highest {
                self.wraps = self.wraps.wrapping_add(1);
            }
            self.highest = sequence;
        } else if step <= 0u16.wrapping_sub(MAX_MISORDER) {
            if self.restart != Some(sequence) {
                self.restart = Some(sequence.wrapping_add(1));
                return Place::Outside;
            }
            place = Place::Restart;
            self.base = sequence;
            self.highest = sequence;
            self.wraps = 0;
            self.received = 0;
            self.expected_prior = 0;
            self.received_prior = 0;
        }
        self.restart = None;
        self.received = self.received.wrapping_add(1);
        place
    }

    /// Folds one transit time into the jitter (A.8, integer form).
    fn measure(&mut self, transit: u32) {
        let difference = transit.wrapping_sub(self.transit).cast_signed().unsigned_abs();
        self.transit = transit;
        let decay = self.jitter.saturating_add(8) >> 4;
        self.jitter = self.jitter.saturating_add(difference).saturating_sub(decay);
    }

    fn extended(&self) -> u32 {
        self.wraps << 16 | u32::from(self.highest)
    }

    fn expected(&self) -> u32 {
        self.extended().wrapping_sub(u32::from(self.base)).wrapping_add(1)
    }

    fn lost(&self) -> i32 {
        let lost = self.expected().wrapping_sub(self.received).cast_signed();
        lost.clamp(-0x80_0000, 0x7f_ffff)
    }

    fn fraction_lost(&mut self) -> u8 {
        let expected = self.expected().wrapping_sub(self.expected_prior);
        let received = self.received.wrapping_sub(self.received_prior);
        self.expected_prior = self.expected();
        self.received_prior = self.received;
        let lost = u64::from(expected.saturating_sub(received)) << 8;
        let fraction = lost.checked_div(u64::from(expected)).unwrap_or_default();
        u8::try_from(fraction).unwrap_or(u8::MAX)
    }
}

/// Time from `from` to `to` in units of `rate` a second, wrapping.
fn ticks(to: Instant, from: Instant, rate: u32) -> u32 {
    let nanoseconds = to.saturating_duration_since(from).as_nanos();
    let ticks = nanoseconds.saturating_mul(u128::from(rate)) / 1_000_000_000;
    u32::try_from(ticks & u128::from(u32::MAX)).unwrap_or_default()
}
