//! The payloads of one picture's packets, put together to what a decoder takes.
//!
//! Everything here meets bytes of participants: each is read with its bounds, and a frame has a
//! largest size.
//!
//! Sources: RFC 7741 (VP8), RFC 9628 (VP9), RFC 6184 (H.264), RTP payload specification for AV1
//! 1.0, section 4.

use crate::codec::Codec;

/// Puts one frame together.
#[derive(Clone, Debug)]
pub struct Unpacker {
    codec: Codec,
    frame: Vec<u8>,
    /// A unit of which only the beginning is there (H.264, AV1).
    unit: Option<Vec<u8>>,
}

/// A payload is not what its codec says, or the frame is too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a payload cannot be read")]
pub struct Torn;

impl Unpacker {
    /// For one frame.
    #[must_use]
    pub fn new(codec: Codec) -> Self {
        Self { codec, frame: Vec::new(), unit: None }
    }

    /// Takes the next packet's payload.
    ///
    /// # Errors
    /// [`Torn`]: the frame cannot be completed.
    pub fn push(&mut self, payload: &[u8]) -> Result<(), Torn> {
        let begun = self.unit.as_ref().map_or(0, Vec::len);
        if self.frame.len() + begun + payload.len() > MAX_FRAME {
            return Err(Torn);
        }
        let done = match self.codec {
            Codec::Opus => self.data(Some(payload)),
            Codec::Vp8 => self.data(vp8_data(payload)),
            Codec::Vp9 { .. } => self.data(vp9_data(payload)),
            Codec::H264 { .. } => self.h264(payload),
            Codec::Av1 { .. } => self.av1(payload),
        };
        done.ok_or(Torn)
    }

    /// The whole frame.
    ///
    /// # Errors
    /// [`Torn`] if a unit is not complete, or nothing is there.
    pub fn finish(self) -> Result<Vec<u8>, Torn> {
        if self.unit.is_some() || self.frame.is_empty() { Err(Torn) } else { Ok(self.frame) }
    }

    fn data(&mut self, data: Option<&[u8]>) -> Option<()> {
        self.frame.extend_from_slice(data?);
        Some(())
    }

    /// Units with start codes in front.
    fn h264(&mut self, payload: &[u8]) -> Option<()> {
        let (&indicator, rest) = payload.split_first()?;
        match indicator & 0x1F {
            STAP_A if self.unit.is_none() => {
                let mut rest = rest;
                while let Some((length, behind)) = rest.split_first_chunk::<2>() {
                    let length = usize::from(u16::from_be_bytes(*length));
                    let (unit, behind) = behind.split_at_checked(length)?;
                    self.nal(unit)?;
                    rest = behind;
                }
                rest.is_empty().then_some(())
            }
            FU_A => self.fragment(indicator, rest),
            _ if self.unit.is_none() => self.nal(payload),
            _ => None,
        }
    }

    fn fragment(&mut self, indicator: u8, rest: &[u8]) -> Option<()> {
        let (&header, data) = rest.split_first()?;
        if header & 0x80 != 0 {
            if self.unit.is_some() {
                return None;
            }
            self.unit = Some(vec![indicator & 0xE0 | header & 0x1F]);
        }
        self.unit.as_mut()?.extend_from_slice(data);
        if header & 0x40 != 0 {
            let unit = self.unit.take()?;
            self.nal(&unit)?;
        }
        Some(())
    }

    fn nal(&mut self, unit: &[u8]) -> Option<()> {
        if !is_unit(unit) {
            return None;
        }
        self.frame.extend_from_slice(&START_CODE);
        self.data(Some(unit))
    }

    /// Units with their sizes in them; the delimiter of a temporal unit is never sent.
    fn av1(&mut self, payload: &[u8]) -> Option<()> {
        let (&aggregation, mut rest) = payload.split_first()?;
        let (continues, goes_on) = (aggregation & 0x80 != 0, aggregation & 0x40 != 0);
        let count = usize::from(aggregation >> 4 & 3);
        let mut at = 0;
        while !rest.is_empty() {
            at += 1;
            let unit = if at == count {
                std::mem::take(&mut rest)
            } else {
                let (length, behind) = read_leb128(rest)?;
                let (unit, behind) = behind.split_at_checked(length)?;
                rest = behind;
                unit
            };
            let first = at == 1 && continues;
            if first != self.unit.is_some() && at == 1 {
                return None; // the rest of a unit that never began, or none where one goes on
            }
            let mut whole = self.unit.take().unwrap_or_default();
            whole.extend_from_slice(unit);
            if rest.is_empty() && goes_on {
                self.unit = Some(whole);
            } else {
                self.obu(&whole)?;
            }
        }
        (at > 0).then_some(())
    }

    fn obu(&mut self, unit: &[u8]) -> Option<()> {
        let (&header, rest) = unit.split_first()?;
        let extended = header & 0x04 != 0;
        let (extension, rest) = if extended { rest.split_at_checked(1)? } else { (&[][..], rest) };
        let data = if header & HAS_SIZE != 0 {
            let (length, rest) = read_leb128(rest)?;
            rest.get(..length)?
        } else {
            rest
        };
        if header >> 3 & 0x0F == TEMPORAL_DELIMITER {
            return Some(());
        }
        self.frame.push(header | HAS_SIZE);
        self.frame.extend_from_slice(extension);
        write_leb128(&mut self.frame, data.len());
        self.data(Some(data))
    }
}

/// A unit of the codec itself: the other types are those of payloads (RFC 6184, section 5.2).
pub(super) fn is_unit(unit: &[u8]) -> bool {
    unit.first().is_some_and(|header| (1..=23).contains(&(header & 0x1F)))
}

/// What follows the payload descriptor (RFC 7741, section 4.2).
fn vp8_data(payload: &[u8]) -> Option<&[u8]> {
    let (&first, mut rest) = payload.split_first()?;
    if first & 0x80 != 0 {
        let (&flags, behind) = rest.split_first()?;
        let wide = flags & 0x80 != 0 && behind.first()? & 0x80 != 0;
        let id = usize::from(flags & 0x80 != 0) + usize::from(wide);
        let len = id + usize::from(flags & 0x40 != 0) + usize::from(flags & 0x30 != 0);
        rest = behind.get(len..)?;
    }
    (!rest.is_empty()).then_some(rest)
}

/// What follows the payload descriptor (RFC 9628, section 4.2).
fn vp9_data(payload: &[u8]) -> Option<&[u8]> {
    let (&first, mut rest) = payload.split_first()?;
    let mut skip = |count: usize| {
        let (skipped, behind) = rest.split_at_checked(count)?;
        rest = behind;
        Some(skipped)
    };
    let flexible = first & 0x10 != 0;
    if first & 0x80 != 0 && skip(1)?.first()? & 0x80 != 0 {
        skip(1)?;
    }
    if first & 0x20 != 0 {
        skip(if flexible { 1 } else { 2 })?;
    }
    if flexible && first & 0x40 != 0 {
        let mut references = 0;
        while skip(1)?.first()? & 1 != 0 {
            references += 1;
            if references == 3 {
                return None;
            }
        }
    }
    if first & 0x02 != 0 {
        vp9_structure(&mut skip)?;
    }
    (!rest.is_empty()).then_some(rest)
}

/// The scalability structure (section 4.2.1).
fn vp9_structure<'a>(skip: &mut impl FnMut(usize) -> Option<&'a [u8]>) -> Option<()> {
    let head = *skip(1)?.first()?;
    if head & 0x10 != 0 {
        skip((usize::from(head >> 5) + 1) * 4)?;
    }
    if head & 0x08 != 0 {
        let pictures = *skip(1)?.first()?;
        for _ in 0..pictures {
            let picture = *skip(1)?.first()?;
            skip(usize::from(picture >> 2 & 3))?;
        }
    }
    Some(())
}

/// A length, and what follows it (AV1 specification, section 4.10.5).
pub(super) fn read_leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0usize;
    let mut rest = bytes;
    for shift in [0u32, 7, 14, 21] {
        let (&byte, behind) = rest.split_first()?;
        rest = behind;
        value |= usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Some((value, rest));
        }
    }
    None
}

/// A length of less than 2²⁸.
pub(super) fn write_leb128(out: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = u8::try_from(value & 0x7F).unwrap_or_default();
        value >>= 7;
        out.push(if value == 0 { low } else { low | 0x80 });
        if value == 0 {
            return;
        }
    }
}

/// Largest frame that is put together: a keyframe of a 4K screen has less.
pub(super) const MAX_FRAME: usize = 4 * 1024 * 1024;
pub(super) const START_CODE: [u8; 4] = [0, 0, 0, 1];
pub(super) const STAP_A: u8 = 24;
pub(super) const FU_A: u8 = 28;
pub(super) const HAS_SIZE: u8 = 0x02;
pub(super) const TEMPORAL_DELIMITER: u8 = 2;
