//! Writes the header of an outgoing packet.

use super::{FIXED_HEADER, RtpError};

/// The fields that a forwarded packet gets. No contributing sources, no padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Last packet of a picture, first of a talk spurt.
    pub marker: bool,
    /// 0 to 127; the high bit is ignored.
    pub payload_type: u8,
    /// Wraps at 65,536.
    pub sequence: u16,
    /// In units of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl Header {
    /// Writes 12 bytes and, if there are any, one block of extensions; returns how many bytes.
    ///
    /// The block has the one-byte form, or the two-byte form when an id is above 14 or a value is
    /// empty or longer than 16 bytes.
    ///
    /// # Errors
    /// - [`RtpError::Extension`] for id 0 and for values above 255 bytes.
    /// - [`RtpError::NoRoom`] if `out` is too small; its contents are then unspecified.
    ///
    /// # Source
    /// RFC 3550, section 5.1; RFC 8285, sections 4.2 and 4.3.
    pub fn write(&self, extensions: &[(u8, &[u8])], out: &mut [u8]) -> Result<usize, RtpError> {
        let room = out.len();
        let Some((fixed, rest)) = out.split_first_chunk_mut::<FIXED_HEADER>() else {
            return Err(RtpError::NoRoom { needed: FIXED_HEADER, room });
        };
        *fixed = self.fixed(!extensions.is_empty());
        if extensions.is_empty() {
            return Ok(FIXED_HEADER);
        }
        write_block(extensions, rest, room)
    }

    /// The first 12 bytes, of a packet with or without a block of extensions.
    pub(crate) fn fixed(&self, has_block: bool) -> [u8; FIXED_HEADER] {
        let [q0, q1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [s0, s1, s2, s3] = self.ssrc.to_be_bytes();
        let second = self.payload_type & 0x7f | u8::from(self.marker) << 7;
        [0x80 | u8::from(has_block) << 4, second, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3]
    }
}

/// Writes the block to `rest`, what follows the fixed header; returns the whole header's length.
fn write_block(
    extensions: &[(u8, &[u8])],
    rest: &mut [u8],
    room: usize,
) -> Result<usize, RtpError> {
    let mut two_byte = false;
    let mut values = 0usize;
    for &(id, value) in extensions {
        let length = value.len();
        if id == 0 || length > 255 {
            return Err(RtpError::Extension { id, length });
        }
        two_byte |= id > 14 || length == 0 || length > 16;
        values = values.saturating_add(length);
    }
    let head = if two_byte { 2 } else { 1 };
    let elements = values.saturating_add(extensions.len().saturating_mul(head));
    let padded = elements.next_multiple_of(4);
    let needed = padded.saturating_add(FIXED_HEADER).saturating_add(4);
    let words = u16::try_from(padded / 4).map_err(|_| RtpError::NoRoom { needed, room })?;
    let Some((block, mut rest)) = rest.split_first_chunk_mut::<4>() else {
        return Err(RtpError::NoRoom { needed, room });
    };
    let [p0, p1]: [u8; 2] = if two_byte { [0x10, 0x00] } else { [0xbe, 0xde] };
    let [l0, l1] = words.to_be_bytes();
    *block = [p0, p1, l0, l1];
    for &(id, value) in extensions {
        let length = u8::try_from(value.len()).unwrap_or_default();
        let short = [id << 4 | (length.wrapping_sub(1) & 0x0f)];
        let long = [id, length];
        rest = put(rest, if two_byte { &long } else { &short })
            .and_then(|rest| put(rest, value))
            .ok_or(RtpError::NoRoom { needed, room })?;
    }
    let padding = padded.saturating_sub(elements);
    put(rest, [0; 3].get(..padding).unwrap_or_default())
        .ok_or(RtpError::NoRoom { needed, room })?;
    Ok(needed)
}

/// Copies `bytes` to the front of `out` and returns what is behind them.
fn put<'a>(out: &'a mut [u8], bytes: &[u8]) -> Option<&'a mut [u8]> {
    let (front, rest) = out.split_at_mut_checked(bytes.len())?;
    front.copy_from_slice(bytes);
    Some(rest)
}
