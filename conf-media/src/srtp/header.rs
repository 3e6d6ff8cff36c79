//! The little that protection must know of a packet: where encryption starts, and its index.

use super::SrtpError;

/// Of an RTP packet, still or already encrypted.
#[derive(Clone, Copy)]
pub(super) struct RtpHeader {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    /// With contributing sources and header extensions: these stay readable.
    pub(super) len: usize,
}

impl RtpHeader {
    /// `packet` ends before the tag. RFC 3550, section 5.1.
    pub(super) fn parse(packet: &[u8]) -> Result<Self, SrtpError> {
        let truncated = |needed| SrtpError::Truncated { len: packet.len(), needed };
        let fixed: &[u8; RTP_FIXED] = packet.first_chunk().ok_or(truncated(RTP_FIXED))?;
        let [first, _, high, low, _, _, _, _, ssrc @ ..] = *fixed;
        check_version(first)?;
        let mut len = RTP_FIXED + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let words = packet.get(len + 2..len + 4).ok_or(truncated(len + 4))?;
            len += 4 + 4 * words.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte));
        }
        if len > packet.len() {
            return Err(truncated(len));
        }
        let sequence = u16::from_be_bytes([high, low]);
        Ok(Self { ssrc: u32::from_be_bytes(ssrc), sequence, len })
    }
}

/// The sender's source of an RTCP compound; its first [`RTCP_HEADER`] bytes stay readable.
pub(super) fn rtcp_source(compound: &[u8]) -> Result<u32, SrtpError> {
    let truncated = SrtpError::Truncated { len: compound.len(), needed: RTCP_HEADER };
    let fixed: &[u8; RTCP_HEADER] = compound.first_chunk().ok_or(truncated)?;
    let [first, _, _, _, ssrc @ ..] = *fixed;
    check_version(first)?;
    Ok(u32::from_be_bytes(ssrc))
}

/// Header and source of the first packet of a compound.
pub(super) const RTCP_HEADER: usize = 8;
/// The flag "encrypted" and the index, in every SRTCP packet.
pub(super) const RTCP_WORD: usize = 4;
const RTP_FIXED: usize = 12;

fn check_version(first: u8) -> Result<(), SrtpError> {
    let version = first >> 6;
    if version == 2 { Ok(()) } else { Err(SrtpError::Version { version }) }
}
