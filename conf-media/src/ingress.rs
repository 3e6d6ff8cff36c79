//! Datagrams between the sockets and a shard: what came in.
//!
//! Filled and emptied again and again, allocated once.

use std::net::{Ipv4Addr, SocketAddr};

/// Datagrams as they came from a socket: up to [`RxBatch::SLOTS`] at a time.
#[derive(Debug)]
pub struct RxBatch {
    bytes: Vec<u8>,
    received: Vec<Received>,
    filled: usize,
}

#[derive(Clone, Copy, Debug)]
struct Received {
    from: SocketAddr,
    len: usize,
}

impl RxBatch {
    /// How many datagrams fit.
    pub const SLOTS: usize = 64;
    /// Bytes of a slot; a longer datagram is cut by the kernel, and then fails authentication.
    pub const SLOT_BYTES: usize = 2048;

    /// An empty batch with all its memory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; Self::SLOTS * Self::SLOT_BYTES],
            received: vec![Received { from: NOWHERE, len: 0 }; Self::SLOTS],
            filled: 0,
        }
    }

    /// The memory of all slots, each [`RxBatch::SLOT_BYTES`] long, for the receiving system call.
    pub fn slots_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(Self::SLOT_BYTES)
    }

    /// Says who sent the datagram in `slot` and how long it is; see [`RxBatch::set_filled`].
    /// A slot that does not exist is ignored; `len` is cut to the slot.
    pub fn set(&mut self, slot: usize, from: SocketAddr, len: usize) {
        if let Some(received) = self.received.get_mut(slot) {
            *received = Received { from, len: len.min(Self::SLOT_BYTES) };
        }
    }

    /// Says how many slots, from the first, hold a datagram.
    pub fn set_filled(&mut self, slots: usize) {
        self.filled = slots.min(Self::SLOTS);
    }

    /// Copies one datagram in; `false` if the batch is full or the datagram too long.
    pub fn push(&mut self, from: SocketAddr, datagram: &[u8]) -> bool {
        let slot = self.filled;
        let at = slot * Self::SLOT_BYTES;
        let Some(room) = self.bytes.get_mut(at..at + Self::SLOT_BYTES) else { return false };
        let Some(room) = room.get_mut(..datagram.len()) else { return false };
        room.copy_from_slice(datagram);
        self.set(slot, from, datagram.len());
        self.filled += 1;
        true
    }

    /// Forgets what is in it.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// How many datagrams are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Sender and bytes of each datagram, in order of arrival.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let slots = self.bytes.chunks_exact_mut(Self::SLOT_BYTES);
        self.received
            .iter()
            .zip(slots)
            .take(self.filled)
            .filter_map(|(received, slot)| Some((received.from, slot.get_mut(..received.len)?)))
    }
}

impl Default for RxBatch {
    fn default() -> Self {
        Self::new()
    }
}

const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1000);

    #[test]
    fn a_full_receive_batch_takes_no_more() {
        let mut batch = RxBatch::new();
        for _ in 0..RxBatch::SLOTS {
            assert!(batch.push(FROM, &[7; 20]));
        }
        assert!(!batch.push(FROM, &[7; 20]));
        assert_eq!(batch.iter_mut().count(), RxBatch::SLOTS);
    }
}
