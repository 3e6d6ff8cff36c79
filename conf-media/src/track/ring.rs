//! The most recent packets of one encoding, shared by all its subscribers.
//!
//! A publisher's packet is kept once, opened, however many subscribers may ask for it again or
//! begin with it. The memory comes with the first packet and goes when the source falls silent. Its
//! slots are as long as the longest packet needs: sound takes a sixth of what pictures take.

use crate::codec::Picture;
use crate::rtp::View;

/// A ring of slots, indexed by the unwrapped sequence number.
#[derive(Debug)]
pub(crate) struct Ring {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    /// Bytes of a slot, one of [`SIZES`].
    size: usize,
    capacity: u64,
    newest: Option<u64>,
    keyframe: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    /// `u64::MAX`: never used.
    sequence: u64,
    len: u16,
    entry: Option<Entry>,
}

/// What was read from a packet when it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// Offsets and header fields.
    pub view: View,
    /// What its payload is.
    pub picture: Picture,
    /// With one byte of padding it is as long as the others of its picture.
    pub uneven: bool,
}

/// A packet in the ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// Unwrapped.
    pub sequence: u64,
    /// The whole packet, opened.
    pub bytes: &'a [u8],
    /// What was read from it.
    pub entry: &'a Entry,
}

/// What became of a packet that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is the newest.
    Newest,
    /// It filled a gap.
    Older,
    /// It is there already.
    Duplicate,
    /// It is older than the ring reaches.
    Late,
    /// It is longer than a slot.
    Oversized,
}

impl Ring {
    /// Longest packet that is kept; what fits one Ethernet frame.
    pub(crate) const MAX_BYTES: usize = 1500;

    /// An empty ring of `capacity` packets (a power of two); no memory yet.
    #[must_use]
    pub(crate) fn new(capacity: usize) -> Self {
        let capacity = capacity.next_power_of_two() as u64;
        Self {
            bytes: Vec::new(),
            slots: Vec::new(),
            size: 0,
            capacity,
            newest: None,
            keyframe: None,
        }
    }

    /// Copies a packet in.
    pub(crate) fn insert(&mut self, sequence: u64, packet: &[u8], entry: Entry) -> Kept {
        if packet.len() > Self::MAX_BYTES {
            return Kept::Oversized;
        }
        self.make_room(packet.len());
        let newest = self.newest.is_none_or(|newest| sequence > newest);
        if !newest && self.is_late(sequence) {
            return Kept::Late;
        }
        if self.get(sequence).is_some() {
            return Kept::Duplicate;
        }
        let index = self.index(sequence);
        let Some(slot) = self.slots.get_mut(index) else { return Kept::Late };
        let at = index * self.size;
        let Some(room) = self.bytes.get_mut(at..at + packet.len()) else { return Kept::Oversized };
        room.copy_from_slice(packet);
        let len = u16::try_from(packet.len()).unwrap_or_default();
        *slot = Slot { sequence, len, entry: Some(entry) };
        if newest {
            self.newest = Some(sequence);
        }
        if entry.picture.keyframe && entry.picture.start {
            self.note_keyframe(sequence, &entry);
        }
        if newest { Kept::Newest } else { Kept::Older }
    }

    /// Forgets all packets, keeps the memory: the source began anew.
    pub(crate) fn clear(&mut self) {
        for slot in &mut self.slots {
            *slot = EMPTY;
        }
        self.newest = None;
        self.keyframe = None;
    }

    /// Overwrites all packets, gives the memory back, and still knows how far the source has come.
    pub(crate) fn wipe(&mut self) {
        self.bytes.fill(0);
        std::hint::black_box(&self.bytes); // or the compiler sees that nobody reads the zeros
        self.bytes = Vec::new();
        self.slots = Vec::new();
        self.size = 0;
        self.keyframe = None;
    }

    /// The packet with this number, if it is still there.
    #[inline]
    #[must_use]
    pub(crate) fn get(&self, sequence: u64) -> Option<Stored<'_>> {
        let index = self.index(sequence);
        let slot = self.slots.get(index)?;
        if slot.sequence != sequence {
            return None;
        }
        let at = index * self.size;
        let bytes = self.bytes.get(at..at + usize::from(slot.len))?;
        Some(Stored { sequence, bytes, entry: slot.entry.as_ref()? })
    }

    /// The packet with these low 32 bits of its number, counted back from the newest.
    #[must_use]
    pub(crate) fn get_recent(&self, low: u32) -> Option<Stored<'_>> {
        let newest = self.newest?;
        let back = crate::forward::resend::low(newest).wrapping_sub(low);
        self.get(newest.checked_sub(u64::from(back))?)
    }

    /// The newest packet's number.
    #[must_use]
    pub(crate) fn newest(&self) -> Option<u64> {
        self.newest
    }

    /// Where the latest keyframe begins, if it and what follows it are there, at most `most` packets.
    /// One in [`GAPS`] may be missing behind the first: it was asked for and is passed on when it
    /// comes.
    #[must_use]
    pub(crate) fn keyframe(&self, most: u64) -> Option<u64> {
        let (keyframe, newest) = (self.keyframe?, self.newest?);
        if newest - keyframe >= self.capacity.min(most) {
            return None;
        }
        self.get(keyframe)?;
        let missing = (keyframe..=newest).filter(|&sequence| self.get(sequence).is_none()).count();
        let few = (newest - keyframe) / GAPS;
        (missing as u64 <= few).then_some(keyframe)
    }

    /// The newest keyframe counts, from its first packet on: in H.264 its parameter sets and its
    /// slices both begin one.
    fn note_keyframe(&mut self, sequence: u64, entry: &Entry) {
        let known = self.keyframe.and_then(|known| Some((known, self.get(known)?)));
        self.keyframe = Some(match known {
            Some((known, first)) if first.entry.view.timestamp == entry.view.timestamp => {
                known.min(sequence)
            }
            Some((known, _)) => known.max(sequence),
            None => sequence,
        });
    }

    fn is_late(&self, sequence: u64) -> bool {
        let newest = self.newest.unwrap_or_default();
        newest - sequence >= self.capacity
    }

    fn index(&self, sequence: u64) -> usize {
        usize::try_from(sequence & (self.capacity - 1)).unwrap_or_default()
    }

    /// Longer slots for a packet that needs them: a few times in the life of a source.
    fn make_room(&mut self, len: usize) {
        if len <= self.size {
            return;
        }
        let size = SIZES.into_iter().find(|&size| len <= size).unwrap_or(Self::MAX_BYTES);
        let capacity = usize::try_from(self.capacity).unwrap_or_default();
        self.slots.resize(capacity, EMPTY);
        let mut bytes = vec![0; capacity * size];
        if self.size > 0 {
            for (to, from) in bytes.chunks_mut(size).zip(self.bytes.chunks(self.size)) {
                if let Some(to) = to.get_mut(..from.len()) {
                    to.copy_from_slice(from);
                }
            }
        }
        self.bytes = bytes;
        self.size = size;
    }
}

/// Opus in every usual setting; what browsers make of pictures; anything.
const SIZES: [usize; 3] = [256, 1280, Ring::MAX_BYTES];
const GAPS: u64 = 16;
const EMPTY: Slot = Slot { sequence: u64::MAX, len: 0, entry: None };

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use crate::rtp::{self, Header};
    use crate::test_util::vp8;

    fn put(ring: &mut Ring, sequence: u64, keyframe: bool) -> Kept {
        let payload = vp8(1, keyframe, true, 20);
        let header = Header { marker: true, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3 };
        let mut packet = vec![0; 12];
        header.write(&[], &mut packet).unwrap();
        packet.extend(payload);
        let view = rtp::parse(&packet).unwrap();
        let picture = Codec::Vp8.describe(view.payload(&packet));
        ring.insert(sequence, &packet, Entry { view, picture, uneven: false })
    }

    #[test]
    fn a_packet_is_kept_until_the_ring_has_turned_once() {
        let mut ring = Ring::new(8);
        assert_eq!(put(&mut ring, 100, false), Kept::Newest);
        assert_eq!(put(&mut ring, 100, false), Kept::Duplicate, "it came twice");
        assert_eq!(put(&mut ring, 107, false), Kept::Newest);
        assert!(ring.get(100).is_some());
        assert_eq!(put(&mut ring, 103, false), Kept::Older);
        assert_eq!(put(&mut ring, 108, false), Kept::Newest);
        assert!(ring.get(100).is_none());
        assert_eq!(put(&mut ring, 100, false), Kept::Late);
        assert_eq!(ring.get_recent(103).map(|packet| packet.sequence), Some(103));
        assert!(ring.get_recent(104).is_none());
    }

    #[test]
    fn a_wiped_ring_has_no_memory_and_takes_the_next_packet() {
        let mut ring = Ring::new(8);
        put(&mut ring, 100, true);
        ring.wipe();
        assert_eq!((ring.bytes.capacity(), ring.slots.capacity()), (0, 0));
        assert!(ring.get(100).is_none() && ring.keyframe(8).is_none());
        assert_eq!(put(&mut ring, 92, false), Kept::Late);
        assert_eq!(put(&mut ring, 101, false), Kept::Newest);
    }

    #[test]
    fn a_longer_packet_makes_the_slots_longer_and_keeps_the_others() {
        let mut ring = Ring::new(8);
        let header = Header { marker: true, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3 };
        let lengths = [40, 200, 257, 100, 1281, 1500, 30];
        for (sequence, len) in (100..).zip(lengths) {
            let fill = u8::try_from(sequence).unwrap();
            let mut packet = vec![fill; len];
            header.write(&[], &mut packet).unwrap();
            let view = rtp::parse(&packet).unwrap();
            let entry = Entry { view, picture: Picture::default(), uneven: false };
            assert_eq!(ring.insert(sequence, &packet, entry), Kept::Newest);
        }
        for (sequence, len) in (100..).zip(lengths) {
            let stored = ring.get(sequence).unwrap();
            assert_eq!(stored.bytes.len(), len);
            let fill = u8::try_from(sequence).unwrap();
            assert!(stored.bytes[12..].iter().all(|&byte| byte == fill));
        }
        assert_eq!(ring.size, Ring::MAX_BYTES);
    }

    #[test]
    fn a_keyframe_serves_only_with_all_that_follows_it() {
        let mut ring = Ring::new(8);
        put(&mut ring, 100, true);
        put(&mut ring, 101, false);
        assert_eq!(ring.keyframe(8), Some(100));
        assert_eq!(ring.keyframe(1), None, "too many packets");
        put(&mut ring, 103, false);
        assert_eq!(ring.keyframe(8), None, "one is missing");
        put(&mut ring, 102, false);
        assert_eq!(ring.keyframe(8), Some(100));
        (104..110).for_each(|sequence| {
            put(&mut ring, sequence, false);
        });
        assert_eq!(ring.keyframe(8), None, "the ring has turned");
    }

    #[test]
    fn a_keyframe_begins_with_its_parameter_sets() {
        let mut ring = Ring::new(8);
        let mut h264 = |sequence: u64, timestamp: u32, payload: &[u8]| {
            let header =
                Header { marker: false, payload_type: 96, sequence: 1, timestamp, ssrc: 3 };
            let mut packet = vec![0; 12];
            header.write(&[], &mut packet).unwrap();
            packet.extend(payload);
            let view = rtp::parse(&packet).unwrap();
            let picture = Codec::H264 { profile: 0x42e0, mode: 1 }.describe(payload);
            ring.insert(sequence, &packet, Entry { view, picture, uneven: false });
            ring.keyframe(8)
        };
        let (sets, slice) = ([0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 1], [0x7c, 0x85, 0x80]);
        assert_eq!(h264(100, 7, &sets), Some(100));
        assert_eq!(h264(101, 7, &slice), Some(100), "an IDR slice alone decodes nowhere");
        assert_eq!(h264(103, 9, &slice), Some(103));
        assert_eq!(h264(102, 9, &sets), Some(102), "came late");
    }

    #[test]
    fn an_oversized_packet_is_refused() {
        let mut ring = Ring::new(8);
        let header = Header { marker: true, payload_type: 96, sequence: 1, timestamp: 2, ssrc: 3 };
        let mut packet = vec![0; Ring::MAX_BYTES + 1];
        header.write(&[], &mut packet).unwrap();
        let view = rtp::parse(&packet).unwrap();
        assert_eq!(
            ring.insert(1, &packet, Entry { view, picture: Picture::default(), uneven: false }),
            Kept::Oversized
        );
    }
}
