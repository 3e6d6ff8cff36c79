//! What goes from one shard to another: a bounded ring for each ordered pair.
//!
//! One writer, one reader, no lock; all memory is there from the beginning. A ring that fills up
//! takes no new pictures first, then nothing of those that began, then no sound; a few places are
//! kept for what is neither. What goes across is written once, read where it lies, and overwritten.

use std::fmt;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use rtrb::{Consumer, Producer, RingBuffer};

use crate::command::{PeerId, TrackId};
use crate::director::{MAX_SHARDS, ShardIndex};
use crate::forward::rewrite::SenderClock;
use crate::track::ring::Entry;

/// The ends of the rings that one shard holds; without any, it is the only shard.
#[derive(Debug, Default)]
pub struct Links {
    out: Vec<Option<Outgoing>>,
    incoming: Vec<Option<Incoming>>,
}

/// Rings between this many shards, at most [`MAX_SHARDS`]: what each of them holds.
#[must_use]
pub fn mesh(shards: usize) -> Vec<Links> {
    mesh_of(shards, BYTES / shards.clamp(2, MAX_SHARDS).saturating_sub(1))
}

/// As [`mesh`], with rings of this many bytes.
#[must_use]
pub fn mesh_of(shards: usize, bytes: usize) -> Vec<Links> {
    let shards = shards.clamp(1, MAX_SHARDS);
    let mut all: Vec<Links> = (0..shards).map(|_| Links::default()).collect();
    for from in 0..shards {
        for to in 0..shards {
            let (out, incoming) = if from == to { (None, None) } else { ring(bytes) };
            if let Some(links) = all.get_mut(from) {
                links.out.push(out);
            }
            if let Some(links) = all.get_mut(to) {
                links.incoming.push(incoming);
            }
        }
    }
    all
}

/// The two ends of one ring of this many bytes.
pub(crate) fn pair(bytes: usize) -> (Outgoing, Incoming) {
    let (notes, noted) = RingBuffer::new((bytes / BYTES_A_NOTE).max(MIN_NOTES));
    let (bytes, written) = RingBuffer::new(bytes.max(MIN_BYTES));
    let out = Outgoing { notes, bytes, written: false };
    (out, Incoming { notes: noted, bytes: written, visible: 0 })
}

fn ring(bytes: usize) -> (Option<Outgoing>, Option<Incoming>) {
    let (out, incoming) = pair(bytes);
    (Some(out), Some(incoming))
}

/// What goes across, besides the bytes that belong to it.
#[derive(Clone, Copy)]
pub(crate) enum Note {
    /// A publisher's packet, opened.
    Packet(Relayed),
    /// Which time a publisher's timestamps stand for.
    Clock { track: TrackId, encoding: u8, clock: SenderClock, arrival: Instant },
    /// The publisher is to be asked for a keyframe.
    KeyframeWanted { track: TrackId, encoding: u8 },
    /// A datagram of a peer that lives there.
    Datagram { from: SocketAddr, arrival: Instant },
    /// A check that was handed over was valid: what comes from there is that peer's.
    Path { peer: PeerId, address: SocketAddr },
}

/// What a mirror must know of a packet.
#[derive(Clone, Copy)]
pub(crate) struct Relayed {
    pub(crate) track: TrackId,
    pub(crate) encoding: u8,
    /// Changes when the source begins anew.
    pub(crate) epoch: u16,
    /// Pictures before it were left out: streams begin anew with it.
    pub(crate) resumes: bool,
    /// Unwrapped.
    pub(crate) sequence: u64,
    pub(crate) entry: Entry,
}

/// What is given up first when a ring fills up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    /// The first packet of a picture.
    Picture,
    /// The rest of it; and datagrams, which are sent again.
    Rest,
    /// Sound.
    Sound,
    /// What holds the shards together.
    Control,
}

impl Matter {
    /// The part of a ring that must stay free.
    fn spare(self, capacity: usize) -> usize {
        match self {
            Self::Picture => capacity / 2,
            Self::Rest => capacity / 4,
            Self::Sound => capacity / 16,
            Self::Control => 0,
        }
    }
}

pub(crate) struct Outgoing {
    notes: Producer<Note>,
    bytes: Producer<u8>,
    /// Something was written that the reader has not been woken for.
    written: bool,
}

impl Outgoing {
    /// Nobody will read it.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.notes.is_abandoned()
    }

    fn has_room(&self, len: usize, matter: Matter) -> bool {
        has(&self.bytes, len, matter) && has(&self.notes, 1, matter)
    }

    pub(crate) fn push(&mut self, note: Note, bytes: &[u8], matter: Matter) -> Option<()> {
        if bytes.len() > LONGEST || !self.has_room(bytes.len() + LENGTH, matter) {
            return None;
        }
        let len = u16::try_from(bytes.len()).ok()?;
        self.bytes.push_entire_slice(&len.to_be_bytes()).ok()?;
        self.bytes.push_entire_slice(bytes).ok()?;
        self.notes.push(note).ok()?; // last: what the reader sees is whole
        self.written = true;
        Some(())
    }
}

/// The place of the reader is looked up only if what is known of it does not suffice.
fn has<T>(ring: &Producer<T>, count: usize, matter: Matter) -> bool {
    let needed = count + matter.spare(ring.buffer().capacity());
    ring.cached_slots() >= needed || ring.slots() >= needed
}

/// A note met a bug of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panicked;

/// The reading end of a ring.
pub(crate) struct Incoming {
    notes: Consumer<Note>,
    bytes: Consumer<u8>,
    /// Notes that were there when it was last looked.
    visible: usize,
}

impl Incoming {
    /// Looks at what has arrived: [`Incoming::next`] hands out that and no more.
    pub(crate) fn look(&mut self) {
        self.visible = self.notes.slots();
    }

    /// Nobody will write to it any more, and everything is read.
    pub(crate) fn is_over(&self) -> bool {
        self.notes.is_abandoned() && self.notes.is_empty()
    }

    /// Hands the next note that was seen to `take`, with its bytes, where they lie if they lie
    /// together. `None`: no more.
    pub(crate) fn next(
        &mut self,
        scratch: &mut [u8; LONGEST],
        take: impl FnOnce(Note, &mut [u8]),
    ) -> Option<Result<(), Panicked>> {
        self.visible = self.visible.checked_sub(1)?;
        let note = self.notes.pop().ok()?;
        let mut len = [0; LENGTH];
        self.bytes.pop_entire_slice(&mut len).ok()?;
        let len = usize::from(u16::from_be_bytes(len));
        let mut chunk = self.bytes.read_chunk(len).ok()?;
        let (first, second) = chunk.as_mut_slices();
        let bytes = if second.is_empty() {
            first
        } else {
            let whole = scratch.get_mut(..len)?;
            let (start, end) = whole.split_at_mut(first.len());
            start.copy_from_slice(first);
            end.copy_from_slice(second);
            first.fill(0);
            second.fill(0);
            whole
        };
        // Whatever happens, the ring goes on behind this note, and nobody reads it again.
        let taken = catch_unwind(AssertUnwindSafe(|| take(note, bytes)));
        bytes.fill(0);
        chunk.commit_all();
        Some(taken.map_err(|_| Panicked))
    }
}

impl Links {
    /// Something has arrived that was not looked at.
    pub(super) fn has_mail(&self) -> bool {
        self.incoming.iter().flatten().any(|incoming| !incoming.notes.is_empty())
    }

    /// Looks at what has arrived. What came with it in other ways is looked at afterwards, so that
    /// an order is always there before what rests on it.
    pub(super) fn look(&mut self) {
        for incoming in self.incoming.iter_mut().flatten() {
            incoming.look();
        }
    }

    /// Takes a reading end out, to read it; see [`Links::put_back`].
    pub(super) fn take(&mut self, shard: ShardIndex) -> Option<Incoming> {
        self.incoming
            .get_mut(shard.at())
            .filter(|it| it.as_ref().is_some_and(|it| it.visible > 0))?
            .take()
    }

    /// Puts a reading end back.
    pub(super) fn put_back(&mut self, shard: ShardIndex, incoming: Incoming) {
        if let Some(place) = self.incoming.get_mut(shard.at()) {
            *place = Some(incoming);
        }
    }

    /// Writes to another shard; `false` if there is no room for it.
    pub(super) fn push(
        &mut self,
        to: ShardIndex,
        note: Note,
        bytes: &[u8],
        matter: Matter,
    ) -> bool {
        let Some(Some(out)) = self.out.get_mut(to.at()) else { return false };
        out.push(note, bytes, matter).is_some()
    }

    /// There would be room.
    pub(super) fn has_room(&self, to: ShardIndex, len: usize, matter: Matter) -> bool {
        let out = self.out.get(to.at()).and_then(Option::as_ref);
        out.is_some_and(|out| out.has_room(len + LENGTH, matter))
    }

    /// The next shard that was written to since it was last asked.
    pub(super) fn poll_written(&mut self) -> Option<ShardIndex> {
        let written = |out: &mut Option<Outgoing>| {
            out.as_mut().is_some_and(|out| std::mem::take(&mut out.written))
        };
        let at = self.out.iter_mut().position(written)?;
        u8::try_from(at).ok().map(ShardIndex)
    }

    /// How many shards there are.
    pub(super) fn shards(&self) -> u8 {
        u8::try_from(self.incoming.len()).unwrap_or_default()
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("free", &self.bytes.slots()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("visible", &self.visible).finish_non_exhaustive()
    }
}

/// Bytes of what waits on its way to one shard, over all others: 3,000 packets of video.
const BYTES: usize = 4 << 20;
/// Packets are longer on the whole; sound alone is shorter, and then the notes run out first.
const BYTES_A_NOTE: usize = 256;
const MIN_NOTES: usize = 64;
const MIN_BYTES: usize = 16 << 10;
/// Longest datagram that goes across; no path that peers have takes longer ones.
pub(crate) const LONGEST: usize = 2_048;
/// In front of what belongs to a note.
const LENGTH: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(track: u64) -> Note {
        Note::KeyframeWanted { track: TrackId(track), encoding: 0 }
    }

    #[test]
    fn what_is_written_is_read_in_order_and_whole_also_around_the_end_of_the_ring() {
        let mut all = mesh_of(2, MIN_BYTES);
        let (mut second, mut first) = (all.pop().unwrap(), all.pop().unwrap());
        let mut scratch = [0; LONGEST];
        for round in 0..100u64 {
            let bytes = vec![round.to_be_bytes()[7]; 1_000 + usize::try_from(round).unwrap()];
            assert!(first.push(ShardIndex(1), wanted(round), &bytes, Matter::Rest));
            assert_eq!(first.poll_written(), Some(ShardIndex(1)));
            assert!(first.poll_written().is_none());
            assert!(second.take(ShardIndex(0)).is_none(), "not looked yet");
            second.look();
            let mut incoming = second.take(ShardIndex(0)).unwrap();
            let taken = incoming.next(&mut scratch, |note, read| {
                assert!(
                    matches!(note, Note::KeyframeWanted { track: TrackId(it), .. } if it == round)
                );
                assert_eq!(read, bytes);
            });
            assert!(matches!(taken, Some(Ok(()))));
            assert!(scratch.iter().all(|&byte| byte == 0), "what was read is overwritten");
            assert!(incoming.next(&mut scratch, |_, _| unreachable!("only one")).is_none());
            second.put_back(ShardIndex(0), incoming);
        }
    }

    #[test]
    fn a_ring_that_fills_up_gives_up_pictures_first_then_sound_and_control_last() {
        let mut first = mesh_of(2, MIN_BYTES).remove(0);
        let to = ShardIndex(1);
        let mut fill = |matter| {
            let mut count = 0;
            while first.push(to, wanted(1), &[0; 254], matter) {
                count += 1;
            }
            count
        };
        assert_eq!(fill(Matter::Picture), 32);
        assert_eq!(fill(Matter::Rest), 16);
        assert_eq!(fill(Matter::Sound), 12);
        assert_eq!(fill(Matter::Control), 4);
    }

    #[test]
    fn a_note_is_small() {
        assert!(size_of::<Note>() <= 128, "{}", size_of::<Note>());
    }
}
