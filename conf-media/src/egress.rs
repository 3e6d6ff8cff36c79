//! The send arena: datagrams between a shard and the sockets.
//!
//! It is filled and emptied again and again and keeps its memory. A packet is copied into the arena
//! once per subscriber and sealed there; the sockets send from it. Datagrams for one
//! destination are chained to runs of equal size, which the kernel can take in one call with UDP
//! segmentation offload (Linux `udp(7)`, `UDP_SEGMENT`): the pieces of a run need not be adjacent,
//! a scatter list does.

use std::net::SocketAddr;

/// Datagrams to send. Grows to what the busiest moment needs, up to a wall, and keeps the memory.
#[derive(Debug)]
pub struct TxBatch {
    arena: Vec<u8>,
    used: usize,
    datagrams: Vec<Datagram>,
    runs: Vec<Run>,
    /// Per destination slot: the run that may still grow, and the fill of the batch it belongs to.
    open: Vec<Open>,
    fill: u32,
}

#[derive(Clone, Copy, Debug)]
struct Datagram {
    at: u32,
    len: u16,
    /// The next datagram of the same run.
    next: u32,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    to: SocketAddr,
    first: u32,
    last: u32,
    segments: u16,
    size: u16,
}

#[derive(Clone, Copy, Debug, Default)]
struct Open {
    fill: u32,
    run: u32,
}

/// Where a datagram goes: the address, and the dense slot that finds the open run quickly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Small number of the peer, or [`Destination::NO_SLOT`].
    pub slot: u32,
    /// Its validated address.
    pub address: SocketAddr,
}

impl Destination {
    /// For datagrams that start no run (answers to checks).
    pub const NO_SLOT: u32 = u32::MAX;
}

/// One run: datagrams for one address, all of [`RunView::segment_size`] but the last, which may be
/// shorter.
#[derive(Clone, Copy, Debug)]
pub struct RunView<'a> {
    batch: &'a TxBatch,
    run: Run,
}

impl<'a> RunView<'a> {
    /// Where all of it goes.
    #[must_use]
    pub fn to(&self) -> SocketAddr {
        self.run.to
    }

    /// Bytes of every datagram but the last.
    #[must_use]
    pub fn segment_size(&self) -> u16 {
        self.run.size
    }

    /// How many datagrams it has, 1 to [`TxBatch::RUN_SEGMENTS`].
    #[must_use]
    pub fn segments(&self) -> usize {
        usize::from(self.run.segments)
    }

    /// The datagrams, in order.
    pub fn datagrams(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let batch = self.batch;
        let mut at = self.run.first;
        (0..self.run.segments).map_while(move |_| {
            let datagram = batch.datagrams.get(at as usize)?;
            at = datagram.next;
            batch.bytes(datagram)
        })
    }
}

impl TxBatch {
    /// Most datagrams of one run; the kernel takes 64 and more (`UDP_MAX_SEGMENTS`).
    pub const RUN_SEGMENTS: u16 = 64;
    /// Most bytes of one run: what fits one UDP send.
    pub const RUN_BYTES: usize = 65_000;
    /// The arena never grows past this; what does not fit is dropped and counted.
    pub const MAX_BYTES: usize = 32 << 20;

    /// An empty batch with memory for a usual moment.
    #[must_use]
    pub fn new() -> Self {
        Self {
            arena: vec![0; 1 << 20],
            used: 0,
            datagrams: Vec::with_capacity(1024),
            runs: Vec::with_capacity(1024),
            open: vec![Open::default(); 256],
            fill: 1,
        }
    }

    /// Writes one datagram of at most `room` bytes with `write`, which returns its length; `None`
    /// from it, or a full arena, leaves the batch as it was and gives `false`.
    pub fn write(
        &mut self,
        to: Destination,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        if !self.reserve(room) {
            return false;
        }
        let Some(buffer) = self.arena.get_mut(self.used..self.used + room) else { return false };
        let Some(len) = write(buffer).filter(|&len| len > 0 && len <= room) else { return false };
        let (Ok(at), Ok(len)) = (u32::try_from(self.used), u16::try_from(len)) else {
            return false;
        };
        self.used += usize::from(len);
        self.chain(to, Datagram { at, len, next: 0 });
        true
    }

    /// Copies one ready datagram in.
    pub fn push(&mut self, to: Destination, datagram: &[u8]) -> bool {
        self.write(to, datagram.len(), |buffer| {
            buffer.copy_from_slice(datagram);
            Some(datagram.len())
        })
    }

    /// Forgets what is in it, keeps the memory.
    pub fn clear(&mut self) {
        self.used = 0;
        self.datagrams.clear();
        self.runs.clear();
        self.fill = self.fill.wrapping_add(1);
    }

    /// How many datagrams are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.datagrams.len()
    }

    /// Nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.datagrams.is_empty()
    }

    /// Bytes of all datagrams in it.
    #[must_use]
    pub fn bytes_used(&self) -> usize {
        self.used
    }

    /// The runs, in the order in which they were opened: within one destination the order of the
    /// datagrams is kept.
    pub fn runs(&self) -> impl ExactSizeIterator<Item = RunView<'_>> {
        self.runs.iter().map(|&run| RunView { batch: self, run })
    }

    /// Every datagram with its destination, run by run.
    pub fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.runs().flat_map(|run| run.datagrams().map(move |datagram| (run.to(), datagram)))
    }

    fn bytes(&self, datagram: &Datagram) -> Option<&[u8]> {
        let at = datagram.at as usize;
        self.arena.get(at..at + usize::from(datagram.len))
    }

    fn reserve(&mut self, room: usize) -> bool {
        let end = self.used + room;
        if end > Self::MAX_BYTES {
            return false;
        }
        if end > self.arena.len() {
            self.arena.resize((self.arena.len() * 2).clamp(end, Self::MAX_BYTES), 0);
        }
        true
    }

    /// Appends the datagram to the open run of its destination, or opens one.
    fn chain(&mut self, to: Destination, datagram: Datagram) {
        let index = u32::try_from(self.datagrams.len()).unwrap_or(u32::MAX);
        self.datagrams.push(datagram);
        if let Some(run) = self.open_run(to)
            && run.takes(to.address, datagram.len)
        {
            let last = run.last as usize;
            run.last = index;
            run.segments += 1;
            if let Some(last) = self.datagrams.get_mut(last) {
                last.next = index;
            }
            return;
        }
        self.start_run(to, index, datagram.len);
    }

    fn open_run(&mut self, to: Destination) -> Option<&mut Run> {
        let open = self.open.get(to.slot as usize)?;
        if open.fill != self.fill {
            return None;
        }
        let run = self.runs.get_mut(open.run as usize)?;
        let last = self.datagrams.get(run.last as usize)?;
        (last.len == run.size).then_some(run)
    }

    fn start_run(&mut self, to: Destination, index: u32, size: u16) {
        let run = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        self.runs.push(Run { to: to.address, first: index, last: index, segments: 1, size });
        if to.slot == Destination::NO_SLOT {
            return;
        }
        let slot = to.slot as usize;
        if slot >= self.open.len() {
            self.open.resize((slot + 1).next_power_of_two(), Open::default());
        }
        if let Some(open) = self.open.get_mut(slot) {
            *open = Open { fill: self.fill, run };
        }
    }
}

impl Run {
    fn takes(&self, to: SocketAddr, len: u16) -> bool {
        self.to == to
            && len <= self.size
            && self.segments < TxBatch::RUN_SEGMENTS
            && (usize::from(self.segments) + 1) * usize::from(self.size) <= TxBatch::RUN_BYTES
    }
}

impl Default for TxBatch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(slot: u32) -> Destination {
        Destination { slot, address: SocketAddr::from(([10, 0, 0, slot.to_be_bytes()[3]], 1000)) }
    }

    #[test]
    fn datagrams_of_one_size_for_one_peer_make_one_run_even_when_others_are_between() {
        let mut batch = TxBatch::new();
        for n in 0..3u8 {
            assert!(batch.push(to(1), &[n; 100]));
            assert!(batch.push(to(2), &[n; 50]));
        }
        let runs: Vec<_> = batch.runs().map(|run| (run.to(), run.segments())).collect();
        assert_eq!(runs, [(to(1).address, 3), (to(2).address, 3)]);
        let order: Vec<u8> = batch.iter().map(|(_, datagram)| datagram[0]).collect();
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_shorter_datagram_ends_a_run_and_a_longer_one_starts_the_next() {
        let mut batch = TxBatch::new();
        for len in [100, 100, 60, 60, 100] {
            batch.push(to(1), &vec![0; len]);
        }
        let runs: Vec<_> = batch.runs().map(|run| (run.segment_size(), run.segments())).collect();
        assert_eq!(runs, [(100, 3), (60, 1), (100, 1)]);
    }

    #[test]
    fn a_writer_that_gives_up_leaves_nothing() {
        let mut batch = TxBatch::new();
        assert!(!batch.write(to(1), 100, |_| None));
        assert!(batch.is_empty());
        assert_eq!(batch.bytes_used(), 0);
    }

    #[test]
    fn the_arena_stops_at_its_wall() {
        let mut batch = TxBatch::new();
        let big = vec![0; 60_000];
        while batch.push(to(1), &big) {}
        assert!(batch.bytes_used() <= TxBatch::MAX_BYTES);
        batch.clear();
        assert!(batch.push(to(1), &[1]));
        assert_eq!(batch.iter().count(), 1);
    }
}
