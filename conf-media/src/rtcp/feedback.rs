//! Feedback that asks for something: lost packets, a new picture, another bitrate.

use super::report::Sources;
use crate::rtp::read;

/// Iterates over the sequence numbers of a generic NACK (RFC 4585, section 6.2.1).
///
/// Each pair of the packet names one number and a mask of the 16 that follow it. They come in the
/// order of the packet, duplicates included.
#[derive(Clone, Copy, Debug)]
pub struct Lost<'a> {
    rest: &'a [u8],
    base: u16,
    /// What of the mask is still to come; bit 0 stands for `base`.
    mask: u32,
}

impl<'a> Lost<'a> {
    pub(super) fn new(pairs: &'a [u8]) -> Self {
        Self { rest: pairs, base: 0, mask: 0 }
    }
}

impl Iterator for Lost<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask == 0 {
            let (&[p0, p1, m0, m1], rest) = self.rest.split_first_chunk::<4>()?;
            self.rest = rest;
            self.base = u16::from_be_bytes([p0, p1]);
            self.mask = u32::from(u16::from_be_bytes([m0, m1])) << 1 | 1;
        }
        let offset = u16::try_from(self.mask.trailing_zeros()).unwrap_or_default();
        self.mask &= self.mask.wrapping_sub(1);
        Some(self.base.wrapping_add(offset))
    }
}

/// Iterates over the requests of a FIR: source and command number (RFC 5104, section 4.3.1).
///
/// A repeated command number is the same request sent again.
#[derive(Clone, Copy, Debug)]
pub struct FirEntries<'a> {
    rest: &'a [u8],
}

impl<'a> FirEntries<'a> {
    pub(super) fn new(entries: &'a [u8]) -> Self {
        Self { rest: entries }
    }
}

impl Iterator for FirEntries<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let (&[s0, s1, s2, s3, sequence, ..], rest) = self.rest.split_first_chunk::<8>()?;
        self.rest = rest;
        Some((u32::from_be_bytes([s0, s1, s2, s3]), sequence))
    }
}

/// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03, section 2.2).
#[derive(Clone, Copy, Debug)]
pub struct Remb<'a> {
    /// Who estimates.
    pub sender: u32,
    /// Bits per second for all `sources` together; at most `u64::MAX`.
    pub bitrate: u64,
    /// The sources that share it.
    pub sources: Sources<'a>,
}

impl<'a> Remb<'a> {
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let word = read::u24_at(body, 13)?;
        let mantissa = u64::from(word & 0x3_ffff);
        let exponent = word >> 18;
        let bitrate = if mantissa.leading_zeros() >= exponent {
            mantissa.checked_shl(exponent).unwrap_or(u64::MAX)
        } else {
            u64::MAX
        };
        let count = usize::from(*body.get(12)?);
        let all = body.get(16..)?;
        let sources = all.get(..count.saturating_mul(4)).unwrap_or(all);
        Some(Self { sender: read::u32_at(body, 0)?, bitrate, sources: Sources::all(sources) })
    }
}
