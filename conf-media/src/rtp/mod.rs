//! RTP packets, read in place: offsets into the datagram, no copy, no allocation.
//!
//! [`parse`] and [`parse_header`] return a [`View`]: plain numbers that stay valid wherever the
//! bytes are copied to. The caller keeps the datagram and hands it in again for the payload.
//! Sources: RFC 3550 section 5, RFC 8285 (header extensions), RFC 4588 (retransmission),
//! RFC 7983 and RFC 5761 (what shares the port).

#![warn(clippy::arithmetic_side_effects)]

mod class;
mod extension;
mod header;
pub(crate) mod read;
mod repair;

#[cfg(test)]
pub(crate) mod random;
#[cfg(test)]
mod tests;

pub use class::{Class, classify, is_rtcp};
pub use extension::{ExtensionIter, Form};
pub use header::Header;
pub use repair::restore;

/// Bytes of a header without contributing sources and extensions.
pub const FIXED_HEADER: usize = 12;

/// Why a datagram is not taken as RTP, or a packet cannot be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RtpError {
    /// Anything but RTP version 2.
    #[error("RTP version {version}, expected 2")]
    Version {
        /// The two bits that were found.
        version: u8,
    },
    /// The header, its sources or its extension block run past the end.
    #[error("RTP packet of {length} bytes, its header needs {needed}")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        length: usize,
    },
    /// Longer than an UDP payload can be.
    #[error("RTP packet of {length} bytes, the limit is {}", u16::MAX)]
    TooLong {
        /// Bytes there.
        length: usize,
    },
    /// The padding count is zero or larger than what follows the header.
    #[error("RTP padding of {padding} bytes in a body of {body}")]
    Padding {
        /// The last byte.
        padding: u8,
        /// Bytes after the header.
        body: usize,
    },
    /// The output buffer is too small.
    #[error("RTP header of {needed} bytes does not fit in {room}")]
    NoRoom {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        room: usize,
    },
    /// Extension ids are 1 to 255 and their values at most 255 bytes.
    #[error("header extension {id} of {length} bytes, the limits are 1 to 255 and 255")]
    Extension {
        /// The id.
        id: u8,
        /// Length of its value.
        length: usize,
    },
    /// A retransmission without the two bytes of the original sequence number.
    #[error("retransmission with a payload of {length} bytes, expected 2 or more")]
    Repair {
        /// Bytes of payload.
        length: usize,
    },
}

/// Where things are in one RTP packet, and the numbers of its fixed header.
///
/// Invariant: `header_len <= payload_end`, and `payload_end + padding` is the length of the
/// datagram that was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Last packet of a picture, first of a talk spurt.
    pub marker: bool,
    /// 0 to 127.
    pub payload_type: u8,
    /// Wraps at 65,536.
    pub sequence: u16,
    /// In units of the codec's clock.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Fixed header, contributing sources and extension block, in bytes.
    pub header_len: u16,
    /// Offset of the first byte after the payload.
    pub payload_end: u16,
    /// Bytes of padding after the payload, their count included; 0 if there is none.
    pub padding: u8,
    form: Form,
    extension_start: u16,
}

impl View {
    /// The payload, without padding. `datagram` is what was parsed, or a copy of it.
    #[must_use]
    pub fn payload<'a>(&self, datagram: &'a [u8]) -> &'a [u8] {
        datagram
            .get(usize::from(self.header_len)..usize::from(self.payload_end))
            .unwrap_or_default()
    }

    /// The payload as a range of offsets.
    #[must_use]
    pub fn payload_range(&self) -> std::ops::Range<usize> {
        usize::from(self.header_len)..usize::from(self.payload_end)
    }

    /// The value of the first header extension with this id.
    #[must_use]
    pub fn extension<'a>(&self, datagram: &'a [u8], id: u8) -> Option<&'a [u8]> {
        self.extensions(datagram).find(|(found, _)| *found == id).map(|(_, value)| value)
    }

    /// All header extensions as id and value, in the order of the packet.
    ///
    /// An element that runs past its block ends the iteration (RFC 8285, section 4.2); so does the
    /// reserved id 15 of the one-byte form. A block of an unknown profile has no elements.
    #[must_use]
    pub fn extensions<'a>(&self, datagram: &'a [u8]) -> ExtensionIter<'a> {
        let range = usize::from(self.extension_start)..usize::from(self.header_len);
        ExtensionIter::new(self.form, datagram.get(range).unwrap_or_default())
    }

    /// How the extension block is written; [`Form::None`] where there is none that we can read.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }
}

/// Splits one decrypted datagram into RTP header, payload and padding, without copying.
///
/// `datagram` is a whole UDP payload in network byte order.
///
/// # Errors
/// - [`RtpError::Version`] for anything but RTP version 2 (STUN and DTLS share the port).
/// - [`RtpError::Truncated`] if the header runs past the end.
/// - [`RtpError::Padding`] if the padding count is zero or reaches into the header.
/// - [`RtpError::TooLong`] above 65,535 bytes.
///
/// # Source
/// RFC 3550, section 5.1.
pub fn parse(datagram: &[u8]) -> Result<View, RtpError> {
    let mut view = parse_header(datagram)?;
    if datagram.first().is_some_and(|first| first & 0x20 != 0) {
        let body = datagram.len().saturating_sub(usize::from(view.header_len));
        let padding = if body == 0 { 0 } else { datagram.last().copied().unwrap_or_default() };
        if padding == 0 || usize::from(padding) > body {
            return Err(RtpError::Padding { padding, body });
        }
        view.padding = padding;
        view.payload_end = view.payload_end.saturating_sub(u16::from(padding));
    }
    Ok(view)
}

/// Reads the header of a datagram that is still encrypted: the payload is all that follows.
///
/// SRTP encrypts payload and padding and leaves the header readable (RFC 3711, section 3.1), so
/// the padding is unknown here and the authentication tag counts as payload.
///
/// # Errors
/// As [`parse`], without [`RtpError::Padding`].
pub fn parse_header(datagram: &[u8]) -> Result<View, RtpError> {
    let length = datagram.len();
    let Some(fixed) = datagram.first_chunk::<FIXED_HEADER>() else {
        return Err(RtpError::Truncated { needed: FIXED_HEADER, length });
    };
    let &[first, second, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3] = fixed;
    if first >> 6 != 2 {
        return Err(RtpError::Version { version: first >> 6 });
    }
    let Ok(payload_end) = u16::try_from(length) else {
        return Err(RtpError::TooLong { length });
    };
    // 12 + 15 * 4 = 72 at most: no overflow.
    let sources_end = u16::from(first & 0x0f).saturating_mul(4).saturating_add(12);
    let (form, extension_start, header_len) = if first & 0x10 == 0 {
        (Form::None, sources_end, usize::from(sources_end))
    } else {
        extension_block(datagram, sources_end)?
    };
    let header_len = match u16::try_from(header_len) {
        Ok(fits) if fits <= payload_end => fits,
        _ => return Err(RtpError::Truncated { needed: header_len, length }),
    };
    Ok(View {
        marker: second & 0x80 != 0,
        payload_type: second & 0x7f,
        sequence: u16::from_be_bytes([q0, q1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
        header_len,
        payload_end,
        padding: 0,
        form,
        extension_start,
    })
}

/// Form, first byte of the elements, and end of the extension block that starts at `at`.
fn extension_block(datagram: &[u8], at: u16) -> Result<(Form, u16, usize), RtpError> {
    let elements = at.saturating_add(4);
    let Some(head) = read::array::<4>(datagram, usize::from(at)) else {
        return Err(RtpError::Truncated { needed: usize::from(elements), length: datagram.len() });
    };
    let [p0, p1, l0, l1] = head;
    let words = usize::from(u16::from_be_bytes([l0, l1]));
    let end = words.saturating_mul(4).saturating_add(usize::from(elements));
    Ok((Form::of_profile(u16::from_be_bytes([p0, p1])), elements, end))
}
