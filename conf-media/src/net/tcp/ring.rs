//! Datagrams between the thread of the TCP connections and a media thread: one writer, one reader,
//! no lock, all memory there from the beginning. What was read is overwritten.

use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::tcp::MAX_DATAGRAM;

/// What belongs to the bytes of a datagram.
#[derive(Clone, Copy)]
struct Note {
    /// Who sent it, or who gets it.
    address: SocketAddr,
    arrival: Instant,
    len: usize,
}

/// A ring for so many bytes.
pub(super) fn ring(bytes: usize) -> (Writer, Reader) {
    let (notes, noted) = RingBuffer::new(bytes / BYTES_A_NOTE);
    let (bytes, written) = RingBuffer::new(bytes);
    let (writer, scratch) = (Writer { notes, bytes }, Box::new([0; MAX_DATAGRAM]));
    (writer, Reader { notes: noted, bytes: written, scratch })
}

/// The writing end.
pub(super) struct Writer {
    notes: Producer<Note>,
    bytes: Producer<u8>,
}

impl Writer {
    /// Writes one datagram; `false` if there is no room for it, or it is too long.
    pub(super) fn push(&mut self, address: SocketAddr, arrival: Instant, datagram: &[u8]) -> bool {
        let len = datagram.len();
        if len > MAX_DATAGRAM || self.notes.is_full() {
            return false;
        }
        self.bytes.push_entire_slice(datagram).is_ok()
            && self.notes.push(Note { address, arrival, len }).is_ok() // last: it is whole
    }
}

/// The reading end.
pub(super) struct Reader {
    notes: Consumer<Note>,
    bytes: Consumer<u8>,
    scratch: Box<[u8; MAX_DATAGRAM]>,
}

impl Reader {
    /// Something waits.
    pub(super) fn has_mail(&self) -> bool {
        !self.notes.is_empty()
    }

    /// Hands the next datagram to `take`; `None`: there is none.
    pub(super) fn next<T>(
        &mut self,
        take: impl FnOnce(SocketAddr, Instant, &[u8]) -> T,
    ) -> Option<T> {
        let Note { address, arrival, len } = self.notes.pop().ok()?;
        let mut chunk = self.bytes.read_chunk(len).ok()?;
        let (first, second) = chunk.as_mut_slices();
        let taken = if second.is_empty() {
            take(address, arrival, first)
        } else {
            let whole = self.scratch.get_mut(..len)?;
            let (start, end) = whole.split_at_mut(first.len());
            start.copy_from_slice(first);
            end.copy_from_slice(second);
            let taken = take(address, arrival, whole);
            whole.fill(0);
            taken
        };
        first.fill(0);
        second.fill(0);
        chunk.commit_all();
        Some(taken)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}

/// Sound and pictures mixed.
const BYTES_A_NOTE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::batch::now;

    #[test]
    fn datagrams_come_out_in_order_and_whole_until_the_ring_is_full() {
        let (mut writer, mut reader) = ring(8 << 10);
        let (address, at) = (SocketAddr::from(([127, 0, 0, 1], 9)), now().mono);
        for round in 0..40u8 {
            let datagrams = (0..5).map(|byte| vec![round ^ byte; 700 + usize::from(byte)]);
            datagrams.clone().for_each(|it| assert!(writer.push(address, at, &it)));
            assert!(reader.has_mail());
            for datagram in datagrams {
                assert_eq!(reader.next(|_, _, bytes| bytes == datagram), Some(true));
            }
        }
        assert!(!writer.push(address, at, &[0; MAX_DATAGRAM + 1]));
        let count = (0..).take_while(|_| writer.push(address, at, &[1; 1_000])).count();
        assert_eq!(count, 8);
        assert_eq!(std::iter::from_fn(|| reader.next(|_, _, _| ())).count(), 8);
        assert!(!reader.has_mail());
    }
}
