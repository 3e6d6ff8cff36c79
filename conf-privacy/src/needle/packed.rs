//! Looks into compressed bytes: gzip (RFC 1952), zlib (RFC 1950), deflate (RFC 1951) as in ZIP
//! files or as a whole, and zstd (RFC 8878).
//!
//! Wherever bytes look like the beginning of one of these, they are unpacked and searched, and
//! what comes out is looked into again. How much is unpacked is bounded, so that a bomb costs
//! little; what was not looked into is counted.

use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use ruzstd::decoding::StreamingDecoder;

use super::{Hit, Needles, offset};

/// What a search in compressed bytes found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Packed {
    /// Needles found; the offset is that of the outermost compressed part.
    pub hits: Vec<Hit>,
    /// Compressed parts that were not looked into to their end, because of the bounds.
    pub unread: u64,
}

impl Needles {
    /// All that is in the compressed parts of these bytes, three levels deep.
    ///
    /// Unpacks 64 MiB of one part and 256 MiB altogether, and tries 100,000 beginnings.
    pub fn search_packed(&self, bytes: &[u8]) -> Packed {
        let mut search =
            Search { needles: self, found: Packed::default(), left: MOST, tries: TRIES };
        search.look_into(bytes, None, 0);
        search.found.hits.sort();
        search.found.hits.dedup();
        search.found
    }
}

struct Search<'a> {
    needles: &'a Needles,
    found: Packed,
    /// Bytes that may still be unpacked.
    left: usize,
    /// Beginnings that may still be tried.
    tries: usize,
}

impl Search<'_> {
    /// `outermost` is where the part of the first level begins that these bytes are from.
    fn look_into(&mut self, bytes: &[u8], outermost: Option<usize>, depth: usize) {
        if depth == DEEPEST {
            self.found.unread += 1;
            return;
        }
        self.part(Kind::Deflate, bytes, outermost.unwrap_or(0), depth);
        for (at, pair) in bytes.windows(2).enumerate() {
            let Some(kind) = kind(pair, bytes, at) else { continue };
            if self.tries == 0 {
                self.found.unread += 1;
                return;
            }
            self.tries -= 1;
            let Some(part) = body(kind, bytes, at) else { continue };
            self.part(kind, part, outermost.unwrap_or(at), depth);
        }
    }

    fn part(&mut self, kind: Kind, part: &[u8], outermost: usize, depth: usize) {
        let limit = LARGEST.min(self.left);
        let out = unpacked(kind, part, limit);
        if out.len() > limit {
            self.found.unread += 1;
        }
        self.left = self.left.saturating_sub(out.len());
        let hits = self.needles.search(&out).into_iter();
        self.found.hits.extend(hits.map(|hit| Hit { offset: offset(outermost), ..hit }));
        // What does not even hold one needle's worth holds no compressed needle either.
        if out.len() > SMALLEST {
            self.look_into(&out, Some(outermost), depth + 1);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gzip,
    Zlib,
    Zstd,
    /// Without a beginning of its own.
    Deflate,
    /// A file in a ZIP archive.
    Zip,
}

/// What begins here, by its first bytes.
fn kind(pair: &[u8], bytes: &[u8], at: usize) -> Option<Kind> {
    let begins = |with: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(with));
    match pair {
        [0x1f, 0x8b] if begins(&[0x1f, 0x8b, 8]) => Some(Kind::Gzip),
        [0x28, 0xb5] if begins(&[0x28, 0xb5, 0x2f, 0xfd]) => Some(Kind::Zstd),
        [b'P', b'K'] if begins(b"PK\x03\x04") => Some(Kind::Zip),
        // Deflate with a window of up to 32 KiB, and a check that the two bytes fit.
        [0x08 | 0x18 | 0x28 | 0x38 | 0x48 | 0x58 | 0x68 | 0x78, flags] => {
            let header = u16::from_be_bytes([*pair.first()?, *flags]);
            (header % 31 == 0 && flags & 0x20 == 0).then_some(Kind::Zlib)
        }
        _ => None,
    }
}

/// The compressed bytes of a part that begins at `at`.
fn body(kind: Kind, bytes: &[u8], at: usize) -> Option<&[u8]> {
    let part = bytes.get(at..)?;
    if kind != Kind::Zip {
        return Some(part);
    }
    let number = |at: usize| Some(usize::from(u16::from_le_bytes(*part.get(at..)?.first_chunk()?)));
    // APPNOTE 4.3.7: method, lengths of name and extra field, then the data.
    (number(8)? == 8).then_some(())?;
    part.get(30 + number(26)? + number(28)?..)
}

/// What can be unpacked, up to a byte more than the limit. A broken end is no reason to forget
/// what came before.
fn unpacked(kind: Kind, part: &[u8], limit: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let most = offset(limit).saturating_add(1);
    let _broken = match kind {
        Kind::Gzip => GzDecoder::new(part).take(most).read_to_end(&mut out),
        Kind::Zlib => ZlibDecoder::new(part).take(most).read_to_end(&mut out),
        Kind::Deflate | Kind::Zip => DeflateDecoder::new(part).take(most).read_to_end(&mut out),
        Kind::Zstd => match StreamingDecoder::new(part) {
            Ok(decoder) => decoder.take(most).read_to_end(&mut out),
            Err(_) => Ok(0),
        },
    };
    out
}

const LARGEST: usize = 64 * 1024 * 1024;
const MOST: usize = 256 * 1024 * 1024;
const TRIES: usize = 100_000;
const DEEPEST: usize = 3;
const SMALLEST: usize = 16;

#[cfg(test)]
mod tests;
