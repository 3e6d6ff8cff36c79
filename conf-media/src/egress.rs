//! The send arena: datagrams between a shard and the sockets.
//!
//! It is filled and emptied again and again and keeps its memory. A packet is copied into the arena
//! once per subscriber and sealed there; the sockets send from it. Datagrams for one
//! destination are chained to runs of equal size, which the kernel can take in one call with UDP
//! segmentation offload (Linux `udp(7)`, `UDP_SEGMENT`): the pieces of a run need not be adjacent,
//! a scatter list does.
//!
//! A run may be left open for datagrams that follow in a moment ([`TxBatch::write_open`]): the
//! packets of a picture seldom come in one piece. Whoever hands the batch on looks at
//! [`TxBatch::is_open`] and has a deadline.

use std::net::SocketAddr;

/// Datagrams to send. Grows to what the busiest moment needs, up to a wall, and keeps the memory.
#[derive(Debug)]
pub struct TxBatch {
    arena: Vec<u8>,
    used: usize,
    datagrams: Vec<Datagram>,
    runs: Vec<Run>,
    /// Per destination slot: its newest run, and the fill of the batch it belongs to.
    lanes: Vec<Lane>,
    fill: u32,
    /// How many runs wait for more.
    open: usize,
    /// Most bytes that were in use since the memory was looked at, and how often it was emptied.
    peak: usize,
    clears: u32,
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
    /// The last datagram is shorter than the others: none may follow it.
    full: bool,
    /// It waits for more.
    open: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    fill: u32,
    run: u32,
}

/// Where a datagram goes: the address, and the dense slot whose datagrams make runs.
///
/// A slot belongs to one address. A peer may have several: what is sent under one number arrives in
/// the order in which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Small number, or [`Destination::NO_SLOT`].
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
    /// Memory that an idle arena keeps.
    const LEAST_BYTES: usize = 1 << 20;

    /// An empty batch with memory for a usual moment.
    #[must_use]
    pub fn new() -> Self {
        Self {
            arena: vec![0; Self::LEAST_BYTES],
            used: 0,
            datagrams: Vec::with_capacity(1024),
            runs: Vec::with_capacity(1024),
            lanes: vec![Lane::default(); 256],
            fill: 1,
            open: 0,
            peak: 0,
            clears: 0,
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
        self.write_open(to, room, false, write)
    }

    /// As [`TxBatch::write`]; if `more`, its run waits for datagrams of the same slot that follow
    /// soon.
    pub fn write_open(
        &mut self,
        to: Destination,
        room: usize,
        more: bool,
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
        self.chain(to, Datagram { at, len, next: 0 }, more);
        true
    }

    /// Some run waits for more.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open > 0
    }

    /// Copies all of another batch in, in front of what is in this one; nothing is chained to that
    /// any more. Returns how many datagrams did not fit.
    pub fn put_first(&mut self, other: &Self) -> usize {
        let (before, mut lost) = (self.runs.len(), 0);
        for (address, datagram) in other.iter() {
            let to = Destination { slot: Destination::NO_SLOT, address };
            lost += usize::from(!self.push(to, datagram));
        }
        self.runs.rotate_left(before);
        self.open = 0;
        self.fill = self.fill.wrapping_add(1); // the lanes name other runs now
        lost
    }

    /// Copies one ready datagram in.
    pub fn push(&mut self, to: Destination, datagram: &[u8]) -> bool {
        self.write(to, datagram.len(), |buffer| {
            buffer.copy_from_slice(datagram);
            Some(datagram.len())
        })
    }

    /// Forgets what is in it. Keeps the memory, unless a burst long ago was what took it.
    pub fn clear(&mut self) {
        self.shrink();
        self.used = 0;
        self.open = 0;
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

    /// Bytes that it holds, used or not.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.arena.len()
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
            // Memory that is zero already is the system's until it is written to.
            let mut grown = vec![0; (self.arena.len() * 2).clamp(end, Self::MAX_BYTES)];
            if let (Some(to), Some(from)) =
                (grown.get_mut(..self.used), self.arena.get(..self.used))
            {
                to.copy_from_slice(from);
            }
            self.arena = grown;
        }
        true
    }

    /// Gives back what a burst took, if not half of the arena was used for a while.
    fn shrink(&mut self) {
        self.peak = self.peak.max(self.used);
        self.clears += 1;
        if self.clears < LOOK_AFTER {
            return;
        }
        let enough = self.peak.next_power_of_two().max(Self::LEAST_BYTES);
        if enough < self.arena.len() {
            self.arena = vec![0; enough];
        }
        (self.peak, self.clears) = (0, 0);
    }

    /// Appends the datagram to the newest run of its slot, or begins one.
    fn chain(&mut self, to: Destination, datagram: Datagram, more: bool) {
        let index = u32::try_from(self.datagrams.len()).unwrap_or(u32::MAX);
        self.datagrams.push(datagram);
        let lane = self.lanes.get(to.slot as usize).filter(|lane| lane.fill == self.fill);
        if let Some(run) = lane.and_then(|lane| self.runs.get_mut(lane.run as usize)) {
            self.open -= usize::from(run.open);
            run.open = false;
            if run.takes(to.address, datagram.len) {
                if let Some(last) = self.datagrams.get_mut(run.last as usize) {
                    last.next = index;
                }
                run.last = index;
                run.segments += 1;
                run.full = datagram.len < run.size;
                run.open = more && run.has_room();
                self.open += usize::from(run.open);
                return;
            }
        }
        self.begin_run(to, index, datagram.len, more);
    }

    fn begin_run(&mut self, to: Destination, index: u32, size: u16, more: bool) {
        let number = u32::try_from(self.runs.len()).unwrap_or(u32::MAX);
        let open = more && to.slot != Destination::NO_SLOT;
        let (to, slot) = (to.address, to.slot);
        let (first, last, segments, full) = (index, index, 1, false);
        self.runs.push(Run { to, first, last, segments, size, full, open });
        self.open += usize::from(open);
        if slot == Destination::NO_SLOT {
            return;
        }
        let slot = slot as usize;
        if slot >= self.lanes.len() {
            self.lanes.resize((slot + 1).next_power_of_two(), Lane::default());
        }
        if let Some(lane) = self.lanes.get_mut(slot) {
            *lane = Lane { fill: self.fill, run: number };
        }
    }
}

impl Run {
    fn takes(&self, to: SocketAddr, len: u16) -> bool {
        len <= self.size && self.has_room() && self.to == to
    }

    fn has_room(&self) -> bool {
        !self.full
            && self.segments < TxBatch::RUN_SEGMENTS
            && (usize::from(self.segments) + 1) * usize::from(self.size) <= TxBatch::RUN_BYTES
    }
}

impl Default for TxBatch {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a batch is emptied before its memory is looked at: a second under load, a few when one
/// camera sends.
const LOOK_AFTER: u32 = 1_024;

#[cfg(test)]
mod tests;
