//! What an edge has sent, so that it can send it again.
//!
//! The packets themselves are in the ring of the track, once for all subscribers. An edge only
//! remembers, in sixteen bytes a packet, which packet of the ring went out under which number. What
//! it never sent it never sends again, whatever a subscriber asks for.
//!
//! A change of source starts another [`Epoch`]: what all its packets have in common is kept once.
//!
//! Sources: RFC 4585, section 6.2.1 (NACK); RFC 4588 (retransmission).

use std::time::{Duration, Instant};

use crate::codec::numbers::Numbers;

/// The packets that one edge sent lately.
#[derive(Debug)]
pub(crate) struct Record {
    /// Empty until the first packet.
    sent: Vec<Entry>,
    packets: usize,
    epochs: [Epoch; EPOCHS],
    epoch: u8,
    began: Option<Instant>,
}

/// What all packets between two changes of source have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Epoch {
    /// Where the packets are.
    pub encoding: usize,
    /// What was added to their timestamps.
    pub timestamp_offset: u32,
    /// What was added to the frame numbers of their dependency descriptors.
    pub frame_offset: u16,
}

/// One packet that was sent.
#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Low bits of its number in the ring.
    source: u32,
    numbers: Numbers,
    /// The number it was sent with.
    out: u16,
    /// When it was last sent again, in milliseconds since the record began, wrapping.
    at: u16,
    /// Its transport-wide number.
    transport: u16,
    /// The highest bit: it ended its picture, though more of it came.
    epoch: u8,
    /// How often it was sent again; [`UNUSED`] marks an empty entry.
    tries: u8,
}

/// A packet that was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    /// Its number in the ring.
    pub source: u64,
    /// Its numbers of the codec, where it has some.
    pub numbers: Numbers,
    /// Its transport-wide number, where it has one.
    pub transport: u16,
    /// It ended its picture, though more of it came.
    pub ends: bool,
}

/// A packet to be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// Low 32 bits of its number in the ring.
    pub source: u32,
    /// Its numbers of the codec, where it has some.
    pub numbers: Numbers,
    /// Its transport-wide number, where it has one.
    pub transport: u16,
    /// How it was rewritten.
    pub epoch: Epoch,
    /// It ended its picture, though more of it came.
    pub ends: bool,
}

impl Record {
    /// Remembers the last `packets`, a power of two; takes their memory with the first one.
    #[must_use]
    pub(crate) fn new(packets: usize) -> Self {
        Self {
            sent: Vec::new(),
            packets: packets.next_power_of_two(),
            epochs: [Epoch::default(); EPOCHS],
            epoch: 0,
            began: None,
        }
    }

    /// From now on packets are rewritten like this.
    pub(crate) fn begin(&mut self, epoch: Epoch) {
        self.epoch = (self.epoch + 1) % u8::try_from(EPOCHS).unwrap_or(1);
        let number = self.epoch;
        // The place is used again: what belonged to the epoch before it is forgotten.
        for sent in self.sent.iter_mut().filter(|sent| sent.epoch & !ENDS == number) {
            *sent = EMPTY;
        }
        if let Some(place) = self.epochs.get_mut(usize::from(number)) {
            *place = epoch;
        }
    }

    /// A packet of the ring was sent under a number, and perhaps a transport-wide one.
    #[inline]
    pub(crate) fn push(&mut self, out: u16, sent: Sent) {
        let Sent { source, numbers, transport, ends } = sent;
        let epoch = self.epoch | if ends { ENDS } else { 0 };
        let source = low(source);
        if self.sent.is_empty() {
            self.sent = vec![EMPTY; self.packets];
        }
        if let Some(place) = self.place(out) {
            *place = Entry { source, numbers, out, at: 0, transport, epoch, tries: 0 };
        }
    }

    /// A subscriber asks for a number. `None` if it was never sent, is forgotten, was sent again
    /// less than `damping` ago, or too often.
    pub(crate) fn ask(&mut self, now: Instant, out: u16, damping: Duration) -> Option<Again> {
        let began = *self.began.get_or_insert(now);
        let at = milliseconds(now.saturating_duration_since(began));
        let damping = milliseconds(damping);
        let place = self.place(out)?;
        if place.out != out || place.tries >= MAX_TRIES {
            return None;
        }
        if place.tries > 0 && at.wrapping_sub(place.at) < damping {
            return None;
        }
        place.tries += 1;
        place.at = at;
        let Entry { source, numbers, transport, epoch, .. } = *place;
        let ends = epoch & ENDS != 0;
        let epoch = self.epochs.get(usize::from(epoch & !ENDS)).copied()?;
        Some(Again { source, numbers, transport, epoch, ends })
    }

    /// Nothing of what was sent will be sent again.
    pub(crate) fn clear(&mut self) {
        self.sent = Vec::new();
    }

    /// The packets of an encoding are gone, others will have their numbers.
    pub(crate) fn forget(&mut self, encoding: usize) {
        let epochs = self.epochs;
        for sent in &mut self.sent {
            let epoch = epochs.get(usize::from(sent.epoch & !ENDS));
            if epoch.is_some_and(|epoch| epoch.encoding == encoding) {
                *sent = EMPTY;
            }
        }
    }

    fn place(&mut self, out: u16) -> Option<&mut Entry> {
        let index = usize::from(out) & self.sent.len().checked_sub(1)?;
        self.sent.get_mut(index)
    }
}

/// The low 32 bits of a number.
#[must_use]
pub(crate) fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}

fn milliseconds(duration: Duration) -> u16 {
    u16::try_from(duration.as_millis() & 0xffff).unwrap_or_default()
}

const EPOCHS: usize = 8;
/// A packet that was lost so often will not arrive in time.
const MAX_TRIES: u8 = 5;
const UNUSED: u8 = u8::MAX;
/// Of an entry's epoch.
const ENDS: u8 = 0x80;
const EMPTY: Entry = Entry {
    source: 0,
    numbers: Numbers { picture_id: 0, tl0: 0, key_index: 0 },
    out: 0,
    at: 0,
    transport: 0,
    epoch: UNUSED,
    tries: UNUSED,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    const DAMPING: Duration = Duration::from_millis(50);

    fn record() -> Record {
        let mut record = Record::new(16);
        record.begin(Epoch { encoding: 2, timestamp_offset: 7, frame_offset: 1 });
        let numbers = Numbers { picture_id: 3, tl0: 4, key_index: 0 };
        record.push(100, Sent { source: 70_000, numbers, transport: 9, ends: true });
        record
    }

    #[test]
    fn a_record_takes_memory_with_its_first_packet_and_gives_it_back() {
        let mut record = Record::new(512);
        assert_eq!(record.ask(test_clock().mono, 7, DAMPING), None);
        assert_eq!(record.sent.capacity(), 0);
        record.push(7, Sent { source: 7, ..Sent::default() });
        assert_eq!(record.sent.capacity(), 512);
        record.clear();
        assert_eq!(record.sent.capacity(), 0);
    }

    #[test]
    fn an_entry_takes_sixteen_bytes() {
        assert_eq!(size_of::<Entry>(), 16);
    }

    #[test]
    fn what_was_never_sent_is_never_sent_again() {
        let now = test_clock().mono;
        let mut record = record();
        assert_eq!(record.ask(now, 101, DAMPING), None);
        assert_eq!(record.ask(now, 116, DAMPING), None, "same place, other number");
        assert_eq!(record.ask(now, 0, DAMPING), None, "an empty place");
        let again = record.ask(now, 100, DAMPING).unwrap();
        assert_eq!((again.source, again.ends), (70_000, true));
    }

    #[test]
    fn repeated_requests_are_damped_and_end() {
        let mut now = test_clock().mono;
        let mut record = record();
        assert!(record.ask(now, 100, DAMPING).is_some());
        assert!(record.ask(now + DAMPING / 2, 100, DAMPING).is_none());
        let mut again = 1;
        for _ in 0..20 {
            now += DAMPING;
            again += u32::from(record.ask(now, 100, DAMPING).is_some());
        }
        assert_eq!(again, u32::from(MAX_TRIES));
    }

    #[test]
    fn packets_of_a_source_that_began_anew_are_forgotten() {
        let now = test_clock().mono;
        let mut record = record();
        record.forget(1);
        assert!(record.ask(now, 100, Duration::ZERO).is_some());
        record.forget(2);
        assert!(record.ask(now, 100, Duration::ZERO).is_none());
    }

    #[test]
    fn a_reused_epoch_takes_its_packets_along() {
        let now = test_clock().mono;
        let mut record = record();
        for _ in 0..EPOCHS {
            record.begin(Epoch::default());
        }
        assert!(record.ask(now, 100, Duration::ZERO).is_none());
    }
}
