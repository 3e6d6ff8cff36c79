//! Records when packets of one publisher arrive and reports it: transport-wide feedback.
//!
//! The publisher's bandwidth estimator lives on these reports. The numbers span all its tracks, so
//! there is one [`TransportRecorder`] a peer. Source:
//! draft-holmer-rmcat-transport-wide-cc-extensions-01.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::write::{self, TransportInfo};
use crate::seq::Unwrapper;

/// How often feedback is due (the draft leaves it open; libwebrtc uses 50 to 250 ms).
const INTERVAL: Duration = Duration::from_millis(100);
/// Most numbers kept, reported or not; a larger jump starts again.
const WINDOW: usize = 2_048;
/// How many reported numbers are kept, so that late packets are told from duplicates.
const HISTORY: usize = 512;
/// Feedback is due at once when so many numbers wait.
const PENDING: u64 = 400;
/// Most numbers in one packet: with two-byte deltas it stays below 1,200 bytes.
const PER_PACKET: usize = 480;

/// Receiver side of transport-wide feedback for one transport.
///
/// Duplicates are ignored; a late packet is reported again with all that follow it. Memory is
/// bounded by 2,048 numbers whatever the publisher sends.
#[derive(Debug)]
pub struct TransportRecorder {
    numbers: Unwrapper,
    /// The number of `arrivals[0]`.
    first: u64,
    /// First number that was not reported yet.
    next: u64,
    /// In 250 µs since `epoch`, wrapping; 0 stands for "not arrived".
    arrivals: VecDeque<u32>,
    epoch: Option<Instant>,
    due: Option<Instant>,
    number: u8,
    scratch: Vec<Option<i16>>,
}

impl TransportRecorder {
    /// A recorder that saw nothing yet. Takes the memory it will ever need: 10 kB.
    #[must_use]
    pub fn new() -> Self {
        Self {
            numbers: Unwrapper::default(),
            first: 0,
            next: 0,
            arrivals: VecDeque::with_capacity(WINDOW),
            epoch: None,
            due: None,
            number: 0,
            scratch: Vec::with_capacity(PER_PACKET),
        }
    }

    /// A packet with this transport-wide sequence number arrived.
    pub fn record(&mut self, sequence: u16, arrival: Instant) {
        let ticks = self.ticks(arrival);
        let number = self.numbers.extend(sequence);
        if !self.make_room(number) {
            return;
        }
        let Ok(at) = usize::try_from(number.saturating_sub(self.first)) else { return };
        let Some(slot) = self.arrivals.get_mut(at) else { return };
        if *slot != 0 {
            return;
        }
        *slot = ticks;
        self.next = self.next.min(number);
        if self.end().saturating_sub(self.next) >= PENDING {
            self.due = Some(arrival);
        } else if self.due.is_none() {
            self.due = arrival.checked_add(INTERVAL);
        }
    }

    /// Appends one feedback packet to `out` if one is due; call until `false`.
    pub fn poll_feedback(
        &mut self,
        now: Instant,
        sender: u32,
        media: u32,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.due.is_none_or(|due| now < due) {
            return false;
        }
        let Some(reference) = self.collect() else {
            self.due = None;
            return false;
        };
        let base = Unwrapper::wrapped(self.next);
        let number = self.number;
        write::transport_feedback(
            out,
            &TransportInfo { sender, media, base, reference, number },
            &self.scratch,
        );
        self.number = number.wrapping_add(1);
        let reported = u64::try_from(self.scratch.len()).unwrap_or_default();
        self.next = self.next.saturating_add(reported);
        if self.next >= self.end() {
            self.due = None;
        }
        self.forget();
        true
    }

    /// When [`Self::poll_feedback`] has something to say; `None` while nothing new came.
    #[must_use]
    pub fn timeout(&self) -> Option<Instant> {
        self.due
    }

    /// The number behind the last one that is kept.
    fn end(&self) -> u64 {
        self.first.saturating_add(u64::try_from(self.arrivals.len()).unwrap_or_default())
    }

    fn ticks(&mut self, arrival: Instant) -> u32 {
        let epoch = *self.epoch.get_or_insert(arrival);
        let micros = arrival.saturating_duration_since(epoch).as_micros() / 250;
        let wrapped = u32::try_from(micros & u128::from(u32::MAX)).unwrap_or_default();
        // Starts one reference unit in, so that 0 is free to stand for "not arrived".
        wrapped.wrapping_add(256).max(1)
    }

    /// Makes a slot for `number`; `false` if it is older than what is kept.
    fn make_room(&mut self, number: u64) -> bool {
        let window = u64::try_from(WINDOW).unwrap_or_default();
        if self.arrivals.is_empty() || number >= self.end().saturating_add(window) {
            self.arrivals.clear();
            self.arrivals.push_back(0);
            (self.first, self.next) = (number, number);
            return true;
        }
        if number < self.first {
            return false;
        }
        let missing = number.saturating_add(1).saturating_sub(self.end());
        let Ok(missing) = usize::try_from(missing) else { return false };
        let length = self.arrivals.len().saturating_add(missing);
        self.drop_oldest(length.saturating_sub(WINDOW));
        self.arrivals.resize(length.min(WINDOW), 0);
        self.next = self.next.max(self.first);
        true
    }

    /// Fills `scratch` with the deltas of the next packet; returns its reference time.
    fn collect(&mut self) -> Option<u32> {
        self.scratch.clear();
        let skip = usize::try_from(self.next.saturating_sub(self.first)).ok()?;
        let start = self.arrivals.iter().skip(skip).copied().find(|ticks| *ticks != 0)?;
        let reference = start >> 8;
        let mut before = reference << 8;
        let mut last_arrived = 0;
        for &ticks in self.arrivals.iter().skip(skip).take(PER_PACKET) {
            if ticks == 0 {
                self.scratch.push(None);
                continue;
            }
            let Ok(delta) = i16::try_from(ticks.wrapping_sub(before).cast_signed()) else { break };
            self.scratch.push(Some(delta));
            before = ticks;
            last_arrived = self.scratch.len();
        }
        // What is lost behind the last arrival goes to the next packet: it may yet come.
        if last_arrived > 0 {
            self.scratch.truncate(last_arrived);
        }
        Some(reference)
    }

    /// Drops reported numbers beyond [`HISTORY`].
    fn forget(&mut self) {
        let reported = usize::try_from(self.next.saturating_sub(self.first)).unwrap_or(WINDOW);
        self.drop_oldest(reported.saturating_sub(HISTORY));
    }

    /// Drops `count` numbers, at most as many as there are.
    fn drop_oldest(&mut self, count: usize) {
        let count = count.min(self.arrivals.len());
        self.arrivals.drain(..count);
        self.first = self.first.saturating_add(u64::try_from(count).unwrap_or_default());
    }
}

impl Default for TransportRecorder {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
impl TransportRecorder {
    pub(super) fn kept(&self) -> usize {
        self.arrivals.len()
    }
}
