//! Datagrams between the sockets and a shard: what came in.
//!
//! Filled and emptied again and again, allocated once. The kernel may hand over several datagrams
//! of one sender as one message (Linux `udp(7)`, `UDP_GRO`): they stay where they are, each with an
//! entry of its own.

use std::net::SocketAddr;
use std::time::Instant;

/// Datagrams as they came from a socket: the messages of one system call.
#[derive(Debug)]
pub struct RxBatch {
    bytes: Vec<u8>,
    /// In the order of the bytes.
    received: Vec<Received>,
    /// Slots in use.
    messages: usize,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    from: SocketAddr,
    at: usize,
    len: usize,
    arrival: Instant,
}

/// A message that the kernel put into a slot.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Who sent it.
    pub from: SocketAddr,
    /// Bytes of all its datagrams.
    pub len: usize,
    /// Bytes of each of them but the last; `None` if it is a single one.
    pub segment: Option<usize>,
    /// When it came.
    pub arrival: Instant,
}

impl RxBatch {
    /// How many messages fit.
    pub const SLOTS: usize = 32;
    /// Bytes of a slot: the longest message there is.
    pub const SLOT_BYTES: usize = 1 << 16;
    /// Most datagrams of one message (`UDP_MAX_SEGMENTS`); more are left out.
    const SEGMENTS: usize = 128;
    /// From one slot to the next: not a power of two, or all slots would compete for the same
    /// lines of the processor's caches.
    const STRIDE: usize = Self::SLOT_BYTES + 17 * 128;

    /// An empty batch. Its memory is taken once, and by the system as it is first used.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; Self::SLOTS * Self::STRIDE],
            received: Vec::with_capacity(Self::SLOTS * Self::SEGMENTS),
            messages: 0,
        }
    }

    /// The memory of all slots, each [`RxBatch::SLOT_BYTES`] long, for the receiving system call.
    pub fn slots_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(Self::STRIDE).map(|slot| {
            let (slot, _) = slot.split_at_mut(Self::SLOT_BYTES);
            slot
        })
    }

    /// Takes the message that is in the next slot; the slots are filled in their order. One without
    /// sender uses its slot up and has no datagram.
    pub fn take(&mut self, message: Option<Message>) {
        let start = self.messages * Self::STRIDE;
        self.messages += 1;
        let Some(Message { from, len, segment, arrival }) = message else { return };
        let len = len.min(Self::SLOT_BYTES);
        let segment = segment.unwrap_or(len).max(1);
        for at in (0..len).step_by(segment).take(Self::SEGMENTS) {
            if self.received.len() < self.received.capacity() {
                let len = segment.min(len - at);
                self.received.push(Received { from, at: start + at, len, arrival });
            }
        }
    }

    /// Copies one datagram in; `false` if the batch is full or the datagram too long.
    pub fn push(&mut self, from: SocketAddr, datagram: &[u8], arrival: Instant) -> bool {
        let len = datagram.len();
        let next = self.messages;
        let Some(slot) = self.slots_mut().nth(next) else { return false };
        let Some(room) = slot.get_mut(..len) else { return false };
        room.copy_from_slice(datagram);
        self.take(Some(Message { from, len, segment: None, arrival }));
        true
    }

    /// Overwrites and forgets what is in it: datagrams are opened where they lie.
    pub fn clear(&mut self) {
        self.iter_mut().for_each(|(_, bytes, _)| bytes.fill(0));
        self.received.clear();
        self.messages = 0;
    }

    /// How many datagrams are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// Sender, bytes and time of each datagram, in order of arrival.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8], Instant)> {
        let mut rest = self.bytes.as_mut_slice();
        let mut consumed = 0;
        self.received.iter().map_while(move |received| {
            let bytes = std::mem::take(&mut rest);
            let (_, bytes) = bytes.split_at_mut_checked(received.at.checked_sub(consumed)?)?;
            let (datagram, behind) = bytes.split_at_mut_checked(received.len)?;
            rest = behind;
            consumed = received.at + received.len;
            Some((received.from, datagram, received.arrival))
        })
    }
}

impl Default for RxBatch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forward::test_clock;

    const FROM: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 1000);

    #[test]
    fn a_full_receive_batch_takes_no_more() {
        let mut batch = RxBatch::new();
        let now = test_clock().mono;
        for _ in 0..RxBatch::SLOTS {
            assert!(batch.push(FROM, &[7; 20], now));
        }
        assert!(!batch.push(FROM, &[7; 20], now));
        assert_eq!(batch.iter_mut().count(), RxBatch::SLOTS);
        batch.clear();
        assert!(batch.bytes.iter().all(|&byte| byte == 0), "nothing is left of what was opened");
        assert!(batch.is_empty() && batch.push(FROM, &[7; 20], now));
    }

    #[test]
    fn a_message_of_several_datagrams_is_split_and_the_last_may_be_shorter() {
        let mut batch = RxBatch::new();
        let arrival = test_clock().mono;
        for (slot, byte) in batch.slots_mut().zip(1..) {
            slot.fill(byte);
        }
        let message = Message { from: FROM, len: 250, segment: Some(100), arrival };
        batch.take(Some(message));
        batch.take(None);
        batch.take(Some(Message { len: 30, segment: None, ..message }));
        let all: Vec<_> = batch.iter_mut().map(|(_, bytes, _)| (bytes.len(), bytes[0])).collect();
        assert_eq!(all, [(100, 1), (100, 1), (50, 1), (30, 3)]);
    }

    #[test]
    fn a_message_cut_into_nothing_is_bounded() {
        let mut batch = RxBatch::new();
        let arrival = test_clock().mono;
        let len = RxBatch::SLOT_BYTES + 1;
        for segment in [0, 1, usize::MAX] {
            batch.take(Some(Message { from: FROM, len, segment: Some(segment), arrival }));
        }
        assert_eq!(batch.len(), 2 * RxBatch::SEGMENTS + 1);
    }
}
