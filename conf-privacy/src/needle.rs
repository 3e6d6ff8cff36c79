//! Searches bytes for planted canaries that should be gone.
//!
//! A canary is a text that occurs nowhere else: planted before an erasure, searched for after it in
//! every file and log. It may have been written in many ways, so each needle is looked for as UTF-8
//! and UTF-16 in both byte orders, in hex, percent-encoded, with the escapes of JSON, and inside
//! base64 at each of the three alignments (RFC 4648, RFC 3986, RFC 8259, WHATWG URL). All are found
//! in one pass over the bytes. [`Needles::search_packed`] looks into compressed bytes too. Encrypted
//! ones are not looked into.

mod packed;

use std::borrow::Borrow;
use std::collections::BTreeMap;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

pub use packed::Packed;

/// A set of needles, ready to search with.
#[derive(Clone, Debug)]
pub struct Needles {
    automaton: AhoCorasick,
    /// What each pattern of the automaton stands for.
    meanings: Vec<(usize, Encoding)>,
    /// Bytes of the longest pattern.
    longest: usize,
}

/// A text to plant and to search for: 24 random characters that occur nowhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary(String);

impl Canary {
    /// Made of the caller's randomness.
    #[must_use]
    pub fn from_bytes(random: [u8; 18]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(random))
    }
}

impl Borrow<str> for Canary {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// How a needle was written where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// As it is.
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
    /// Two digits a byte, all lower-case or all upper-case.
    Hex,
    /// With `%` in a URL or a form.
    Percent,
    /// With `\` in a JSON text: what must be escaped, or all that is not ASCII, or everything.
    Json,
    /// Inside base64, either alphabet, after a multiple of three bytes and this many more.
    Base64 {
        /// 0, 1 or 2.
        alignment: u8,
    },
}

/// A needle that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hit {
    /// Which needle: its place in the list that [`Needles::new`] got.
    pub needle: usize,
    /// How it was written.
    pub encoding: Encoding,
    /// Where it starts, bytes from the beginning.
    pub offset: u64,
}

/// Why needles cannot be searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NeedleError {
    /// Too short: it would be found by chance.
    #[error("needle {index} has less than {SHORTEST} bytes")]
    TooShort {
        /// Which.
        index: usize,
    },
    /// Too long.
    #[error("needle {index} has more than {LONGEST} bytes")]
    TooLong {
        /// Which.
        index: usize,
    },
    /// Too many.
    #[error("more than {MOST} needles")]
    TooMany,
}

impl Needles {
    /// Prepares the search for texts of 8 to 1,024 bytes.
    ///
    /// # Errors
    /// [`NeedleError`] for a text outside of that, or more than 4,096 texts.
    pub fn new<T: Borrow<str>>(texts: &[T]) -> Result<Self, NeedleError> {
        if texts.len() > MOST {
            return Err(NeedleError::TooMany);
        }
        let mut patterns: BTreeMap<Vec<u8>, (usize, Encoding)> = BTreeMap::new();
        for (index, text) in texts.iter().enumerate() {
            let text: &str = text.borrow();
            if text.len() < SHORTEST {
                return Err(NeedleError::TooShort { index });
            }
            if text.len() > LONGEST {
                return Err(NeedleError::TooLong { index });
            }
            for (encoding, bytes) in spellings(text) {
                patterns.entry(bytes).or_insert((index, encoding));
            }
        }
        let longest = patterns.keys().map(Vec::len).max().unwrap_or(0);
        let (bytes, meanings): (Vec<_>, Vec<_>) = patterns.into_iter().unzip();
        let automaton = AhoCorasick::new(bytes).map_err(|_| NeedleError::TooMany)?;
        Ok(Self { automaton, meanings, longest })
    }

    /// All that is in these bytes.
    #[must_use]
    pub fn search(&self, bytes: &[u8]) -> Vec<Hit> {
        self.matches(bytes).map(|found| found.hit(0)).collect()
    }

    /// Begins a search through bytes that come in chunks.
    #[must_use]
    pub fn scanner(&self) -> Scanner<'_> {
        Scanner { needles: self, tail: Vec::new(), passed: 0 }
    }

    fn matches(&self, bytes: &[u8]) -> impl Iterator<Item = Found> {
        self.automaton.find_overlapping_iter(bytes).filter_map(|m| {
            let &(needle, encoding) = self.meanings.get(m.pattern().as_usize())?;
            Some(Found { needle, encoding, start: m.start(), end: m.end() })
        })
    }
}

/// A search through a file, a pipe or a log: chunks of any size, in order.
///
/// It keeps as many of the last bytes as a needle needs to be found across two chunks or more.
#[derive(Clone, Debug)]
pub struct Scanner<'a> {
    needles: &'a Needles,
    tail: Vec<u8>,
    /// Bytes before the tail.
    passed: u64,
}

impl Scanner<'_> {
    /// Searches the next chunk; each needle is reported with the chunk that completes it.
    #[must_use]
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Hit> {
        let overlap = self.needles.longest.saturating_sub(1);
        let known = self.tail.len();
        let head = chunk.get(..overlap.min(chunk.len())).unwrap_or_default();
        self.tail.extend_from_slice(head);
        let across = |found: &Found| found.start < known && found.end > known;
        let mut hits: Vec<Hit> = self
            .needles
            .matches(&self.tail)
            .filter(across)
            .map(|found| found.hit(self.passed))
            .collect();
        let chunk_at = self.passed.saturating_add(offset(known));
        hits.extend(self.needles.matches(chunk).map(|found| found.hit(chunk_at)));
        self.keep(overlap, known, chunk);
        hits
    }

    /// Leaves the last `overlap` bytes of the old tail and the chunk in the tail.
    fn keep(&mut self, overlap: usize, known: usize, chunk: &[u8]) {
        let total = known.saturating_add(chunk.len());
        let dropped = total.saturating_sub(overlap);
        if let Some(later) = chunk.get(dropped.saturating_sub(known)..).filter(|_| dropped > known)
        {
            self.tail.clear();
            self.tail.extend_from_slice(later);
        } else {
            self.tail.truncate(known);
            self.tail.extend_from_slice(chunk);
            self.tail.drain(..dropped);
        }
        self.passed = self.passed.saturating_add(offset(dropped));
    }
}

struct Found {
    needle: usize,
    encoding: Encoding,
    start: usize,
    end: usize,
}

impl Found {
    fn hit(&self, base: u64) -> Hit {
        let offset = base.saturating_add(offset(self.start));
        Hit { needle: self.needle, encoding: self.encoding, offset }
    }
}

fn offset(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Every way to write a text, most telling first.
fn spellings(text: &str) -> Vec<(Encoding, Vec<u8>)> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        (Encoding::Utf8, bytes.to_vec()),
        (Encoding::Utf16Le, text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        (Encoding::Utf16Be, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        (Encoding::Hex, hex.to_uppercase().into_bytes()),
        (Encoding::Hex, hex.into_bytes()),
    ];
    for (plain, space) in [(RFC_3986, None), (COMPONENT, None), (FORM, Some(b'+'))] {
        for digits in [UPPER, LOWER] {
            all.push((Encoding::Percent, percent(bytes, plain, space, digits)));
        }
    }
    for escaped in [must_be_escaped, |c: char| must_be_escaped(c) || !c.is_ascii(), |_| true] {
        for digits in [UPPER, LOWER] {
            all.push((Encoding::Json, json(text, escaped, digits)));
        }
    }
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for alignment in 0..3 {
            all.push((Encoding::Base64 { alignment }, base64_inside(&engine, bytes, alignment)));
        }
    }
    all
}

fn percent(bytes: &[u8], plain: &[u8], space: Option<u8>, digits: &[u8; 16]) -> Vec<u8> {
    let digit = |value: u8| digits.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    let mut out = Vec::with_capacity(bytes.len() * 3);
    for &byte in bytes {
        match (byte, space) {
            (b' ', Some(space)) => out.push(space),
            _ if byte.is_ascii_alphanumeric() || plain.contains(&byte) => out.push(byte),
            _ => out.extend([b'%', digit(byte >> 4), digit(byte)]),
        }
    }
    out
}

/// RFC 8259, section 7: short escapes where there are some, else UTF-16 in hex.
fn json(text: &str, escaped: fn(char) -> bool, digits: &[u8; 16]) -> Vec<u8> {
    let digit = |value: u16| digits.get(usize::from(value & 15)).copied().unwrap_or(b'0');
    let mut out = Vec::with_capacity(text.len() * 6);
    for c in text.chars() {
        let mut units = [0; 2];
        match c {
            _ if !escaped(c) => out.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            '"' => out.extend(b"\\\""),
            '\\' => out.extend(b"\\\\"),
            '\n' => out.extend(b"\\n"),
            '\r' => out.extend(b"\\r"),
            '\t' => out.extend(b"\\t"),
            _ => {
                for unit in c.encode_utf16(&mut units) {
                    out.extend(b"\\u");
                    out.extend([12, 8, 4, 0].map(|shift| digit(*unit >> shift)));
                }
            }
        }
    }
    out
}

fn must_be_escaped(c: char) -> bool {
    c.is_ascii_control() || matches!(c, '"' | '\\')
}

/// The characters of base64 that depend on these bytes only, when `alignment` unknown bytes stand
/// before them in their group of three and any may follow.
fn base64_inside(engine: &GeneralPurpose, bytes: &[u8], alignment: u8) -> Vec<u8> {
    let before = usize::from(alignment);
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    let text = engine.encode(&padded).into_bytes();
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    text.get(first..end).unwrap_or_default().to_vec()
}

/// Characters that stay beside letters and digits: RFC 3986 (unreserved), `encodeURIComponent`,
/// and forms.
const RFC_3986: &[u8] = b"-._~";
const COMPONENT: &[u8] = b"-._~!*'()";
const FORM: &[u8] = b"*-._";
const UPPER: &[u8; 16] = b"0123456789ABCDEF";
const LOWER: &[u8; 16] = b"0123456789abcdef";

const SHORTEST: usize = 8;
const LONGEST: usize = 1_024;
const MOST: usize = 4_096;

#[cfg(test)]
mod tests;
