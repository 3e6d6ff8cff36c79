//! Datagrams in a stream of bytes: two bytes of length, then the datagram (RFC 4571, section 2).
//!
//! A stream may be torn anywhere, so what is not whole is kept until the rest comes: never more than
//! one frame.

use super::MAX_DATAGRAM;

/// Why a stream is no sequence of frames that we take; there is no way to find the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A frame is longer than any datagram; most likely the stream is something else.
    #[error("a frame of {len} bytes, at most {MAX_DATAGRAM} are taken")]
    TooLong {
        /// As its header says.
        len: usize,
    },
}

/// Cuts a stream into datagrams.
#[derive(Debug, Default)]
pub struct Deframer {
    /// Header and bytes of a frame that is not whole.
    partial: Vec<u8>,
}

impl Deframer {
    /// Hands each datagram that is whole to `take`, in order; empty frames are skipped.
    ///
    /// # Errors
    /// [`FrameError`]: close the connection. Datagrams before the error were handed out.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), FrameError> {
        while !bytes.is_empty() {
            if self.partial.is_empty()
                && let Some((datagram, rest)) = whole(bytes)?
            {
                if !datagram.is_empty() {
                    take(datagram);
                }
                bytes = rest;
                continue;
            }
            let wanted = self.wanted()?.min(bytes.len());
            let (part, rest) = bytes.split_at(wanted);
            self.partial.extend_from_slice(part);
            bytes = rest;
            if self.partial.len() >= HEADER && self.wanted()? == 0 {
                match self.partial.get(HEADER..) {
                    Some(datagram) if !datagram.is_empty() => take(datagram),
                    _ => {}
                }
                self.partial.clear();
            }
        }
        Ok(())
    }

    /// Bytes that wait for the rest of their frame.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.partial.len()
    }

    /// How many bytes the header lacks, or the frame behind it.
    fn wanted(&self) -> Result<usize, FrameError> {
        match self.partial.first_chunk() {
            None => Ok(HEADER - self.partial.len()),
            Some(&header) => Ok((HEADER + length(header)?).saturating_sub(self.partial.len())),
        }
    }
}

/// A datagram and the bytes behind it.
type Split<'a> = (&'a [u8], &'a [u8]);

/// The first datagram of `bytes` and what follows; `None` if it is not whole.
fn whole(bytes: &[u8]) -> Result<Option<Split<'_>>, FrameError> {
    let Some((&header, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    Ok(rest.split_at_checked(length(header)?))
}

fn length(header: [u8; HEADER]) -> Result<usize, FrameError> {
    let len = usize::from(u16::from_be_bytes(header));
    if len > MAX_DATAGRAM { Err(FrameError::TooLong { len }) } else { Ok(len) }
}

/// A datagram as a frame; `None` for one that is too long.
#[must_use]
pub fn frame(datagram: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(datagram.len()).ok()?;
    if datagram.len() > MAX_DATAGRAM {
        return None;
    }
    let mut framed = Vec::with_capacity(HEADER + datagram.len());
    framed.extend_from_slice(&len.to_be_bytes());
    framed.extend_from_slice(datagram);
    Some(framed)
}

/// Bytes of a frame's length.
pub const HEADER: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that follow from a seed (splitmix64).
    fn random(mut seed: u64) -> impl FnMut() -> usize {
        move || {
            seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            usize::try_from(mixed >> 33).unwrap()
        }
    }

    fn taken(stream: &[u8], cuts: impl Iterator<Item = usize>) -> Vec<Vec<u8>> {
        let (mut deframer, mut all, mut rest) = (Deframer::default(), Vec::new(), stream);
        for cut in cuts {
            let (part, behind) = rest.split_at(cut.min(rest.len()));
            deframer.feed(part, |datagram| all.push(datagram.to_vec())).unwrap();
            assert!(deframer.kept() < HEADER + MAX_DATAGRAM);
            rest = behind;
        }
        deframer.feed(rest, |datagram| all.push(datagram.to_vec())).unwrap();
        assert_eq!(deframer.kept(), 0, "all of the stream is whole frames");
        all
    }

    #[test]
    fn a_stream_torn_anywhere_gives_the_same_datagrams() {
        for seed in 0..200u64 {
            let mut next = random(seed);
            let mut lengths: Vec<usize> = (0..20).map(|_| next() % 60).collect();
            lengths.push(MAX_DATAGRAM);
            let datagrams: Vec<Vec<u8>> =
                lengths.iter().zip(0u8..).map(|(&len, byte)| vec![byte; len]).collect();
            let stream: Vec<u8> = datagrams.iter().flat_map(|it| frame(it).unwrap()).collect();
            let whole: Vec<_> = datagrams.into_iter().filter(|it| !it.is_empty()).collect();
            let longest = 1 + next() % 90;
            let cuts: Vec<usize> = (0..stream.len()).map(|_| next() % (longest + 1)).collect();
            assert_eq!(taken(&stream, cuts.into_iter()), whole, "seed {seed}");
            assert_eq!(taken(&stream, std::iter::repeat_n(1, stream.len())), whole);
        }
    }

    #[test]
    fn a_frame_that_is_too_long_ends_the_stream_wherever_its_header_is_torn() {
        let mut stream = frame(b"whole").unwrap();
        stream.extend_from_slice(b"GET / HTTP/1.1");
        for at in 0..=stream.len() {
            let (mut deframer, mut count) = (Deframer::default(), 0);
            let (first, second) = stream.split_at(at);
            let fed = [first, second].into_iter().try_for_each(|part| {
                deframer.feed(part, |_| count += 1) //
            });
            assert_eq!(fed, Err(FrameError::TooLong { len: 0x4745 }));
            assert_eq!(count, 1);
        }
        assert!(frame(&[0; MAX_DATAGRAM + 1]).is_none());
    }
}
