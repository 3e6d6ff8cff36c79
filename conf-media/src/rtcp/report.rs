//! Report blocks, source descriptions and lists of sources (RFC 3550, section 6).

use crate::rtp::read;

/// What one receiver saw of one source (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReportBlock {
    /// The source that is reported on.
    pub ssrc: u32,
    /// Loss since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the start; 24 bits with sign, negative where duplicates came.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with the number of wraps in the upper 16 bits.
    pub highest: u32,
    /// Inter-arrival jitter in units of the codec's clock.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 if none came.
    pub last_sr: u32,
    /// Time since that report, in 1/65,536 s.
    pub delay: u32,
}

impl ReportBlock {
    /// Length of one block.
    pub const LEN: usize = 24;

    fn read(bytes: &[u8]) -> Option<Self> {
        let lost = read::u24_at(bytes, 5)?;
        Some(Self {
            ssrc: read::u32_at(bytes, 0)?,
            fraction_lost: *bytes.get(4)?,
            // Shifting up and down again spreads the sign bit.
            cumulative_lost: (lost << 8).cast_signed() >> 8,
            highest: read::u32_at(bytes, 8)?,
            jitter: read::u32_at(bytes, 12)?,
            last_sr: read::u32_at(bytes, 16)?,
            delay: read::u32_at(bytes, 20)?,
        })
    }

    /// Round trip from our sender report and back, in 1/65,536 s, without the time the other side
    /// held it; `now` is the middle of the NTP time at arrival. `None` before the first report, and
    /// for answers from the future.
    #[must_use]
    pub fn round_trip(&self, now: u32) -> Option<u32> {
        let trip = now.wrapping_sub(self.last_sr).wrapping_sub(self.delay);
        (self.last_sr != 0 && trip < 1 << 31).then_some(trip)
    }
}

/// Iterates over report blocks.
#[derive(Clone, Copy, Debug)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl<'a> Blocks<'a> {
    pub(super) fn new(bytes: &'a [u8], count: u8) -> Self {
        let length = usize::from(count).saturating_mul(ReportBlock::LEN);
        Self { rest: bytes.get(..length).unwrap_or_default() }
    }
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.rest.split_at_checked(ReportBlock::LEN)?;
        self.rest = rest;
        ReportBlock::read(block)
    }
}

/// Iterates over a list of synchronisation sources.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    rest: &'a [u8],
}

impl<'a> Sources<'a> {
    pub(super) fn new(bytes: &'a [u8], count: u8) -> Self {
        let length = usize::from(count).saturating_mul(4);
        Self { rest: bytes.get(..length).unwrap_or_default() }
    }

    /// As many as whole numbers fit.
    pub(super) fn all(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Iterator for Sources<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (number, rest) = self.rest.split_first_chunk::<4>()?;
        self.rest = rest;
        Some(u32::from_be_bytes(*number))
    }
}

/// One source of a source description.
#[derive(Clone, Copy)]
pub struct SdesChunk<'a> {
    /// The source.
    pub ssrc: u32,
    /// Its canonical name, if that is among the items. Names a person in some programs.
    pub cname: Option<&'a [u8]>,
}

impl std::fmt::Debug for SdesChunk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SdesChunk").field("ssrc", &self.ssrc).finish_non_exhaustive()
    }
}

/// Iterates over the sources of a source description; ends early where an item is cut off.
#[derive(Clone, Copy)]
pub struct Chunks<'a> {
    rest: &'a [u8],
    left: u8,
}

impl std::fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("left", &self.left).finish_non_exhaustive()
    }
}

impl<'a> Chunks<'a> {
    pub(super) fn new(bytes: &'a [u8], count: u8) -> Self {
        Self { rest: bytes, left: count }
    }

    fn take(&mut self) -> Option<SdesChunk<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (ssrc, items) = self.rest.split_first_chunk::<4>()?;
        let mut chunk = SdesChunk { ssrc: u32::from_be_bytes(*ssrc), cname: None };
        let mut at = 0usize;
        loop {
            match *items.get(at)? {
                // The list ends with one to four zero bytes, up to a multiple of four.
                0 => break,
                item => {
                    let length = usize::from(*items.get(at.checked_add(1)?)?);
                    let start = at.checked_add(2)?;
                    let end = start.checked_add(length)?;
                    let value = items.get(start..end)?;
                    if item == 1 && chunk.cname.is_none() {
                        chunk.cname = Some(value);
                    }
                    at = end;
                }
            }
        }
        self.rest = items.get(at.checked_add(1)?.checked_next_multiple_of(4)?..)?;
        Some(chunk)
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = SdesChunk<'a>;

    fn next(&mut self) -> Option<SdesChunk<'a>> {
        let found = self.take();
        if found.is_none() {
            self.left = 0;
        }
        found
    }
}
