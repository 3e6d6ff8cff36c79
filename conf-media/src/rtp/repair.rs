//! Retransmissions: turns what came over a repair stream into the packet that was lost.

use super::{RtpError, View, read};

/// Restores the original packet in place and returns its length.
///
/// `packet` starts with a decrypted retransmission that `view` describes. Sequence number, payload
/// type and SSRC become those of the original; the two bytes of the original sequence number and
/// the padding are cut out. Header extensions stay as they came. The view no longer fits after
/// that: parse again.
///
/// # Errors
/// - [`RtpError::Repair`] if the payload has no original sequence number (padding that probes for
///   bandwidth looks like that).
/// - [`RtpError::Truncated`] if `view` is not of this packet.
///
/// # Source
/// RFC 4588, section 4.
pub fn restore(
    packet: &mut [u8],
    view: &View,
    original_payload_type: u8,
    original_ssrc: u32,
) -> Result<usize, RtpError> {
    let range = view.payload_range();
    let length = range.len();
    let truncated = RtpError::Truncated { needed: range.end, length: packet.len() };
    if range.end > packet.len() || range.start < super::FIXED_HEADER {
        return Err(truncated);
    }
    if length < 2 {
        return Err(RtpError::Repair { length });
    }
    let [q0, q1] = read::array::<2>(packet, range.start).ok_or(truncated)?;
    packet.copy_within(range.start.saturating_add(2)..range.end, range.start);
    let [s0, s1, s2, s3] = original_ssrc.to_be_bytes();
    let Some(fixed) = packet.first_chunk_mut::<12>() else { return Err(truncated) };
    let [first, second, _, _, t0, t1, t2, t3, ..] = *fixed;
    let second = second & 0x80 | original_payload_type & 0x7f;
    *fixed = [first & !0x20, second, q0, q1, t0, t1, t2, t3, s0, s1, s2, s3];
    Ok(range.end.saturating_sub(2))
}
