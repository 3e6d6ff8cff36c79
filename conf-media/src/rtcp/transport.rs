//! Transport-wide feedback: which packets of a transport arrived, and when.
//!
//! Source: draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1.

use crate::rtp::read;

/// Status symbols (section 3.1.1).
pub(super) mod symbol {
    /// Not received, no delta.
    pub(crate) const LOST: u8 = 0;
    /// Received, delta of one byte: 0 to 63.75 ms.
    pub(crate) const SMALL: u8 = 1;
    /// Received, delta of two bytes with sign: -8,192 to 8,191.75 ms.
    pub(crate) const LARGE: u8 = 2;
}

/// One feedback packet. The statuses are read by [`TransportFeedback::statuses`].
#[derive(Clone, Copy, Debug)]
pub struct TransportFeedback<'a> {
    /// Who reports.
    pub sender: u32,
    /// A source of the transport; of no meaning, as the numbers span all of them.
    pub media: u32,
    /// The first transport-wide sequence number that is reported on.
    pub base: u16,
    /// How many numbers are reported on, from `base` on.
    pub count: u16,
    /// Where the deltas start, in 64 ms since a moment the receiver chose; 24 bits with sign.
    pub reference: i32,
    /// Counts feedback packets; wraps at 256.
    pub number: u8,
    items: &'a [u8],
}

/// Most statuses that are read of one packet. A run of 8,191 lost packets takes two bytes, so
/// without a limit a few kilobytes would keep us walking for milliseconds.
pub const MOST_STATUSES: u16 = 2_048;

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransportStatus {
    /// Transport-wide sequence number.
    pub sequence: u16,
    /// Arrival in 250 µs since the same moment as [`TransportFeedback::reference`]; `None`: lost.
    pub arrival: Option<i64>,
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        Some(Self {
            sender: read::u32_at(body, 0)?,
            media: read::u32_at(body, 4)?,
            base: read::u16_at(body, 8)?,
            count: read::u16_at(body, 10)?,
            reference: (read::u24_at(body, 12)? << 8).cast_signed() >> 8,
            number: *body.get(15)?,
            items: body.get(16..)?,
        })
    }

    /// The status of each packet, from `base` on.
    ///
    /// Ends early, after fewer than `count` items, where chunks or deltas are cut off, and after
    /// [`MOST_STATUSES`]. The chunks are walked twice, once to find where the deltas start.
    #[must_use]
    pub fn statuses(&self) -> Statuses<'a> {
        let mut chunks = Symbols { rest: self.items, left: self.count, chunk: Chunk::default() };
        chunks.skip_all();
        Statuses {
            symbols: Symbols {
                rest: self.items,
                left: self.count.min(MOST_STATUSES),
                chunk: Chunk::default(),
            },
            deltas: chunks.rest,
            sequence: self.base,
            arrival: i64::from(self.reference).saturating_mul(256),
        }
    }
}

/// Iterates over the statuses of a feedback packet.
#[derive(Clone, Debug)]
pub struct Statuses<'a> {
    symbols: Symbols<'a>,
    deltas: &'a [u8],
    sequence: u16,
    arrival: i64,
}

impl Statuses<'_> {
    fn delta(&mut self, symbol: u8) -> Option<i64> {
        if symbol == symbol::SMALL {
            let (&[delta], rest) = self.deltas.split_first_chunk::<1>()?;
            self.deltas = rest;
            return Some(i64::from(delta));
        }
        let (delta, rest) = self.deltas.split_first_chunk::<2>()?;
        self.deltas = rest;
        Some(i64::from(i16::from_be_bytes(*delta)))
    }
}

impl Iterator for Statuses<'_> {
    type Item = TransportStatus;

    fn next(&mut self) -> Option<TransportStatus> {
        let symbol = self.symbols.next()?;
        let sequence = self.sequence;
        self.sequence = sequence.wrapping_add(1);
        if symbol != symbol::SMALL && symbol != symbol::LARGE {
            return Some(TransportStatus { sequence, arrival: None });
        }
        let Some(delta) = self.delta(symbol) else {
            self.symbols.left = 0;
            return None;
        };
        self.arrival = self.arrival.saturating_add(delta);
        Some(TransportStatus { sequence, arrival: Some(self.arrival) })
    }
}

/// What is left of one chunk.
#[derive(Clone, Copy, Debug, Default)]
struct Chunk {
    /// Symbols left.
    left: u16,
    /// Bits of one symbol; 0: all symbols are `bits`.
    width: u32,
    /// The symbols, the next one in the uppermost bits of 14.
    bits: u16,
}

impl Chunk {
    fn read(word: u16) -> Self {
        match word >> 14 {
            0b10 => Self { left: 14, width: 1, bits: word & 0x3fff },
            0b11 => Self { left: 7, width: 2, bits: word & 0x3fff },
            _ => Self { left: word & 0x1fff, width: 0, bits: word >> 13 },
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        let symbol = match self.width {
            0 => return u8::try_from(self.bits).ok(),
            1 => self.bits >> 13,
            _ => self.bits >> 12,
        };
        self.bits = (self.bits << self.width) & 0x3fff;
        u8::try_from(symbol).ok()
    }
}

/// Iterates over the status symbols of the chunks.
#[derive(Clone, Debug)]
struct Symbols<'a> {
    rest: &'a [u8],
    left: u16,
    chunk: Chunk,
}

impl Symbols<'_> {
    fn load(&mut self) -> Option<()> {
        let (word, rest) = self.rest.split_first_chunk::<2>()?;
        self.rest = rest;
        self.chunk = Chunk::read(u16::from_be_bytes(*word));
        Some(())
    }

    /// Moves `rest` behind the last chunk, without looking at single symbols.
    fn skip_all(&mut self) {
        while self.left > 0 && self.load().is_some() {
            self.left = self.left.saturating_sub(self.chunk.left);
        }
    }
}

impl Iterator for Symbols<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        // A run of length zero is legal and empty; each costs two bytes, so this ends.
        while self.chunk.left == 0 {
            if self.load().is_none() {
                self.left = 0;
                return None;
            }
        }
        self.chunk.next()
    }
}
