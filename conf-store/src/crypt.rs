//! Encrypts streams that have to touch the disk, under a key that never does.
//!
//! ```text
//! head: salt, 32 bytes │ chunk 0 │ chunk 1 │ … │ last chunk
//! chunk: AES-256-GCM of up to 64 KiB, tag of 16 bytes
//! nonce: number of the chunk, 64 bit │ 0 0 0 │ 1 for the last, else 0
//! ```
//!
//! Each stream has a key of its own, derived from the [`Key`] and the random salt (HKDF-SHA-256,
//! RFC 5869), so no nonce comes twice under one key. The number in the nonce binds the order of
//! chunks, the mark of the last one the end: chunks that are changed, moved, left out, cut off or
//! of another stream do not open (STREAM; Hoang, Reyhanitabar, Rogaway, Vizár 2015).

use std::io::{self, Read, Write};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Prk, Salt};
use aws_lc_rs::rand;

/// A secret that exists in memory only, and is overwritten when it is dropped.
#[derive(Debug)]
pub struct Key(Prk);

impl Key {
    /// A new one, from the system's randomness.
    ///
    /// # Errors
    /// If the system gives none.
    pub fn random() -> io::Result<Self> {
        let secret: [u8; SALT] = random()?;
        Ok(Self(Salt::new(HKDF_SHA256, b"conf").extract(&secret)))
    }

    fn of_stream(&self, salt: &[u8; SALT]) -> io::Result<LessSafeKey> {
        let info = [PURPOSE, salt];
        let derived = self.0.expand(&info, &AES_256_GCM).map_err(refused)?;
        Ok(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

/// Encrypts what is written to it.
#[derive(Debug)]
pub struct Sealing<W> {
    into: W,
    key: LessSafeKey,
    number: u64,
    chunk: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    /// Begins a stream.
    ///
    /// # Errors
    /// Those of `into`, and a system without randomness.
    pub fn new(mut into: W, key: &Key) -> io::Result<Self> {
        let salt = random()?;
        into.write_all(&salt)?;
        let chunk = Vec::with_capacity(CHUNK + TAG);
        Ok(Self { into, key: key.of_stream(&salt)?, number: 0, chunk })
    }

    /// Writes the last chunk; without it the stream does not open.
    ///
    /// # Errors
    /// Those of `into`.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.into.flush()?;
        Ok(self.into)
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let nonce = nonce(self.number, last);
        self.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.chunk).map_err(refused)?;
        self.into.write_all(&self.chunk)?;
        self.chunk.clear();
        self.number += 1;
        Ok(())
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.chunk.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let length = bytes.len().min(CHUNK - self.chunk.len());
        self.chunk.extend(bytes.iter().take(length));
        Ok(length)
    }

    /// Whole chunks only: a half one waits for its rest.
    fn flush(&mut self) -> io::Result<()> {
        self.into.flush()
    }
}

/// Decrypts a stream; gives out no byte that is not proven whole and in its place.
#[derive(Debug)]
pub struct Opening<R> {
    from: R,
    key: LessSafeKey,
    number: u64,
    /// The sealed chunk that comes next.
    ahead: Vec<u8>,
    plain: Vec<u8>,
    given: usize,
    over: bool,
}

impl<R: Read> Opening<R> {
    /// Begins to read a stream.
    ///
    /// # Errors
    /// Those of `from`; `UnexpectedEof` without a head.
    pub fn new(mut from: R, key: &Key) -> io::Result<Self> {
        let mut salt = [0; SALT];
        from.read_exact(&mut salt)?;
        let key = key.of_stream(&salt)?;
        let ahead = sealed(&mut from)?;
        Ok(Self { from, key, number: 0, ahead, plain: Vec::new(), given: 0, over: false })
    }

    fn open(&mut self) -> io::Result<()> {
        let next = sealed(&mut self.from)?;
        let mut chunk = std::mem::replace(&mut self.ahead, next);
        let last = self.ahead.is_empty();
        let nonce = nonce(self.number, last);
        let length =
            self.key.open_in_place(nonce, Aad::empty(), &mut chunk).map_err(|_| broken())?.len();
        chunk.truncate(length);
        (self.plain, self.given, self.over) = (chunk, 0, last);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.given == self.plain.len() && !self.over && !into.is_empty() {
            self.open()?;
        }
        let mut rest = self.plain.get(self.given..).unwrap_or_default();
        let length = rest.read(into)?;
        self.given += length;
        Ok(length)
    }
}

/// The next sealed chunk; empty at the end.
fn sealed(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = Vec::new();
    from.take(SEALED).read_to_end(&mut chunk)?;
    Ok(chunk)
}

fn nonce(number: u64, last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    let all = number.to_be_bytes().into_iter().chain([0, 0, 0, u8::from(last)]);
    bytes.iter_mut().zip(all).for_each(|(byte, value)| *byte = value);
    Nonce::assume_unique_for_key(bytes)
}

fn random() -> io::Result<[u8; SALT]> {
    let mut bytes = [0; SALT];
    rand::fill(&mut bytes).map_err(refused)?;
    Ok(bytes)
}

fn refused(_: Unspecified) -> io::Error {
    io::Error::other("the cryptographic library refused")
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stream was changed, or is under another key")
}

const PURPOSE: &[u8] = b"stream";
const SALT: usize = 32;
const TAG: usize = 16;
const CHUNK: usize = 64 * 1024;
const SEALED: u64 = 64 * 1024 + 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(key: &Key, plain: &[u8]) -> Vec<u8> {
        let mut sealing = Sealing::new(Vec::new(), key).unwrap();
        sealing.write_all(plain).unwrap();
        sealing.finish().unwrap()
    }

    fn open(key: &Key, sealed: &[u8]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        Opening::new(sealed, key)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    fn text(length: usize) -> Vec<u8> {
        (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect()
    }

    #[test]
    fn a_stream_of_any_length_opens_as_it_was() {
        let key = Key::random().unwrap();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 5] {
            let sealed = seal(&key, &text(length));
            let chunks = length.div_ceil(CHUNK).max(1);
            assert_eq!(sealed.len(), SALT + length + chunks * TAG, "{length}");
            assert_eq!(open(&key, &sealed).unwrap(), text(length), "{length}");
        }
    }

    #[test]
    fn nothing_of_the_text_and_no_two_streams_are_alike() {
        let key = Key::random().unwrap();
        let plain = b"the canary sings at dawn".repeat(100);
        let (one, two) = (seal(&key, &plain), seal(&key, &plain));
        assert!(!one.windows(10).any(|window| window == b"the canary"));
        assert!(one.iter().zip(&two).filter(|(a, b)| a == b).count() < one.len() / 10);
    }

    #[test]
    fn a_changed_byte_anywhere_does_not_open() {
        let key = Key::random().unwrap();
        let sealed = seal(&key, &text(CHUNK + 10));
        for at in [0, SALT - 1, SALT, SALT + CHUNK, SALT + CHUNK + TAG, sealed.len() - 1] {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&key, &changed).is_err(), "{at}");
        }
    }

    #[test]
    fn a_stream_that_was_cut_does_not_open() {
        let key = Key::random().unwrap();
        let sealed = seal(&key, &text(3 * CHUNK));
        let chunk = CHUNK + TAG;
        for length in
            [0, SALT - 1, SALT, SALT + 5, SALT + chunk, SALT + 2 * chunk, sealed.len() - 1]
        {
            assert!(open(&key, &sealed[..length]).is_err(), "{length}");
        }
        let mut longer = sealed;
        longer.push(0);
        assert!(open(&key, &longer).is_err());
    }

    #[test]
    fn chunks_in_another_order_do_not_open() {
        let key = Key::random().unwrap();
        let sealed = seal(&key, &text(3 * CHUNK));
        let (head, chunks) = sealed.split_at(SALT);
        let chunks: Vec<_> = chunks.chunks(CHUNK + TAG).collect();
        for order in [[1, 0, 2], [0, 2, 1], [0, 0, 2], [2, 1, 0]] {
            let moved: Vec<u8> =
                head.iter().chain(order.iter().flat_map(|&i| chunks[i])).copied().collect();
            assert!(open(&key, &moved).is_err(), "{order:?}");
        }
        let without: Vec<u8> = head.iter().chain(chunks[0]).chain(chunks[2]).copied().collect();
        assert!(open(&key, &without).is_err());
    }

    #[test]
    fn another_key_or_the_head_of_another_stream_opens_nothing() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let (one, two) = (seal(&key, &text(100)), seal(&key, &text(100)));
        assert!(open(&other, &one).is_err());
        let mixed = [&one[..SALT], &two[SALT..]].concat();
        assert!(open(&key, &mixed).is_err());
    }
}
