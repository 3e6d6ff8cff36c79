//! Packets of one encoding in the order in which they were sent.
//!
//! Behind a gap the packets wait a while for the missing one: the publisher was asked for it again.
//! Then the gap is a loss.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::codec::Codec;

/// One packet of a stream.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) codec: Codec,
    pub(super) timestamp: u32,
    /// The last one of its picture.
    pub(super) marker: bool,
    /// The first one of a keyframe.
    pub(super) keyframe: bool,
    pub(super) payload: Vec<u8>,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    Packet(Packet),
    /// So many packets will not come.
    Lost(u64),
}

#[derive(Debug, Default)]
pub(super) struct Order {
    waiting: BTreeMap<u64, Packet>,
    next: Option<u64>,
    /// Since when the head waits for one before it.
    since: Option<Instant>,
}

impl Order {
    /// Takes a packet; its number is unwrapped. One that is too late or there already is ignored.
    pub(super) fn push(&mut self, number: u64, packet: Packet) {
        if self.next.is_none_or(|next| number >= next) {
            self.waiting.entry(number).or_insert(packet);
        }
    }

    /// What lies before this number will not come.
    pub(super) fn resume(&mut self, number: u64) {
        self.waiting.retain(|known, _| *known >= number);
        self.next = Some(self.next.map_or(number, |next| next.max(number)));
        self.since = None;
    }

    /// The next packet or loss; `None`: wait.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Next> {
        let (&first, _) = self.waiting.first_key_value()?;
        let next = *self.next.get_or_insert(first);
        if first > next {
            let since = *self.since.get_or_insert(now);
            if now.saturating_duration_since(since) < PATIENCE && self.waiting.len() < MAX_WAITING {
                return None;
            }
            self.next = Some(first);
            self.since = None;
            return Some(Next::Lost(first - next));
        }
        self.since = None;
        self.next = Some(next + 1);
        self.waiting.pop_first().map(|(_, packet)| Next::Packet(packet))
    }

    /// How many packets wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// A packet that was asked for twice is there by then.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
/// Packets behind a gap; as many as a ring of the shard holds.
pub(super) const MAX_WAITING: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtls::client::start;

    fn packet(number: u64) -> Packet {
        let timestamp = u32::try_from(number).unwrap();
        let (codec, payload) = (Codec::Opus, vec![1]);
        Packet { codec, timestamp, marker: true, keyframe: false, payload }
    }

    fn all(order: &mut Order, now: Instant) -> Vec<i64> {
        let next = std::iter::from_fn(|| order.pop(now));
        next.map(|next| match next {
            Next::Packet(packet) => i64::from(packet.timestamp),
            Next::Lost(count) => -i64::try_from(count).unwrap(),
        })
        .collect()
    }

    #[test]
    fn overtaken_packets_come_in_order_and_what_never_comes_is_a_loss_after_a_while() {
        let (mut order, mut now) = (Order::default(), start());
        for number in [10, 12, 11, 14, 13, 17, 12] {
            order.push(number, packet(number));
        }
        assert_eq!(all(&mut order, now), [10, 11, 12, 13, 14]);
        now += PATIENCE / 2;
        order.push(16, packet(16));
        assert_eq!(all(&mut order, now), [0; 0]);
        now += PATIENCE / 2;
        assert_eq!(all(&mut order, now), [-1, 16, 17]);
        order.push(15, packet(15));
        assert_eq!(all(&mut order, now), [0; 0], "too late");
    }

    #[test]
    fn no_more_packets_wait_behind_a_gap_than_the_limit() {
        let (mut order, now) = (Order::default(), start());
        order.push(1, packet(1));
        assert_eq!(all(&mut order, now), [1]);
        for number in 3..3 + MAX_WAITING as u64 {
            order.push(number, packet(number));
            let waits = order.pop(now).is_none();
            assert_eq!(waits, order.len() < MAX_WAITING);
        }
    }
}
