//! Takes a compound packet apart.

use super::feedback::{FirEntries, Lost, Remb};
use super::report::{Blocks, Chunks, Sources};
use super::transport::TransportFeedback;
use super::{RtcpError, kind};
use crate::rtp::read;

/// One packet of a compound.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Packet<'a> {
    /// RFC 3550, section 6.4.1.
    SenderReport {
        /// Who sends.
        ssrc: u32,
        /// NTP time, 32.32 bits.
        ntp: u64,
        /// The same moment in RTP time.
        rtp: u32,
        /// Packets sent since the start.
        packets: u32,
        /// Payload bytes sent since the start.
        octets: u32,
        /// What it received itself.
        blocks: Blocks<'a>,
    },
    /// RFC 3550, section 6.4.2.
    ReceiverReport {
        /// Who reports.
        ssrc: u32,
        /// What it received.
        blocks: Blocks<'a>,
    },
    /// RFC 3550, section 6.5.
    SourceDescription(Chunks<'a>),
    /// RFC 3550, section 6.6: these sources are gone.
    Bye(Sources<'a>),
    /// Generic NACK (RFC 4585, section 6.2.1).
    Nack {
        /// Who asks.
        sender: u32,
        /// Of which source.
        media: u32,
        /// The lost sequence numbers.
        lost: Lost<'a>,
    },
    /// Picture loss indication (RFC 4585, section 6.3.1).
    Pli {
        /// Who asks.
        sender: u32,
        /// Of which source.
        media: u32,
    },
    /// Full intra request (RFC 5104, section 4.3.1).
    Fir {
        /// Who asks.
        sender: u32,
        /// Source and command number of each request.
        entries: FirEntries<'a>,
    },
    /// Receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03).
    Remb(Remb<'a>),
    /// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportFeedback(TransportFeedback<'a>),
    /// Extended reports (RFC 3611), application packets and everything else: skipped.
    Other {
        /// Packet type.
        kind: u8,
        /// The five bits of count or format.
        format: u8,
        /// Everything after the four-byte header, without padding.
        body: &'a [u8],
    },
}

/// Iterates over the packets of a compound. Made by [`walk`].
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    rest: &'a [u8],
}

/// Walks over the packets of one decrypted RTCP datagram.
///
/// Reduced-size packets are taken too (RFC 5506), so the first need not be a report. A packet with
/// a body too short for its type is reported as an error and the walk goes on behind it; an error
/// of version, length or padding ends the walk, as nothing behind it can be trusted.
#[must_use]
pub fn walk(compound: &[u8]) -> Walk<'_> {
    Walk { rest: compound }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Result<Packet<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match frame(self.rest) {
            Ok(frame) => {
                self.rest = frame.rest;
                Some(read_body(&frame))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

/// One packet of the compound, its body not yet looked at.
struct Frame<'a> {
    kind: u8,
    format: u8,
    body: &'a [u8],
    rest: &'a [u8],
}

fn frame(bytes: &[u8]) -> Result<Frame<'_>, RtcpError> {
    let length = bytes.len();
    let Some((&[first, kind, l0, l1], behind)) = bytes.split_first_chunk::<4>() else {
        return Err(RtcpError::Truncated { needed: 4, length });
    };
    if first >> 6 != 2 {
        return Err(RtcpError::Version { version: first >> 6 });
    }
    let size = usize::from(u16::from_be_bytes([l0, l1])).saturating_mul(4);
    let Some((mut body, rest)) = behind.split_at_checked(size) else {
        return Err(RtcpError::Truncated { needed: size.saturating_add(4), length });
    };
    if first & 0x20 != 0 {
        let padding = body.last().copied().unwrap_or_default();
        let error = RtcpError::Padding { padding, body: body.len() };
        // No multiple of four is asked for: browsers pad transport-wide feedback by 1 to 3 bytes.
        if padding == 0 {
            return Err(error);
        }
        let kept = body.len().checked_sub(usize::from(padding)).ok_or(error)?;
        body = body.get(..kept).unwrap_or_default();
    }
    Ok(Frame { kind, format: first & 0x1f, body, rest })
}

fn read_body<'a>(frame: &Frame<'a>) -> Result<Packet<'a>, RtcpError> {
    let &Frame { kind, format, body, .. } = frame;
    let needed = match (kind, format) {
        (kind::SENDER_REPORT, count) => {
            24usize.saturating_add(usize::from(count).saturating_mul(24))
        }
        (kind::RECEIVER_REPORT, count) => {
            4usize.saturating_add(usize::from(count).saturating_mul(24))
        }
        (kind::BYE, count) => usize::from(count).saturating_mul(4),
        (kind::TRANSPORT_FEEDBACK, 15) => 16,
        (kind::PAYLOAD_FEEDBACK, 15) if body.get(8..12) == Some(b"REMB") => 16,
        (kind::TRANSPORT_FEEDBACK, 1) | (kind::PAYLOAD_FEEDBACK, 1 | 4) => 8,
        _ => 0,
    };
    let short = RtcpError::Body { kind, needed, body: body.len() };
    if body.len() < needed {
        return Err(short);
    }
    decode(frame).ok_or(short)
}

fn decode<'a>(frame: &Frame<'a>) -> Option<Packet<'a>> {
    let &Frame { kind, format, body, .. } = frame;
    let number = |at| read::u32_at(body, at);
    Some(match (kind, format) {
        (kind::SENDER_REPORT, count) => Packet::SenderReport {
            ssrc: number(0)?,
            ntp: read::u64_at(body, 4)?,
            rtp: number(12)?,
            packets: number(16)?,
            octets: number(20)?,
            blocks: Blocks::new(body.get(24..)?, count),
        },
        (kind::RECEIVER_REPORT, count) => {
            Packet::ReceiverReport { ssrc: number(0)?, blocks: Blocks::new(body.get(4..)?, count) }
        }
        (kind::SOURCE_DESCRIPTION, count) => Packet::SourceDescription(Chunks::new(body, count)),
        (kind::BYE, count) => Packet::Bye(Sources::new(body, count)),
        (kind::TRANSPORT_FEEDBACK, 1) => {
            Packet::Nack { sender: number(0)?, media: number(4)?, lost: Lost::new(body.get(8..)?) }
        }
        (kind::TRANSPORT_FEEDBACK, 15) => Packet::TransportFeedback(TransportFeedback::read(body)?),
        (kind::PAYLOAD_FEEDBACK, 1) => Packet::Pli { sender: number(0)?, media: number(4)? },
        (kind::PAYLOAD_FEEDBACK, 4) => {
            Packet::Fir { sender: number(0)?, entries: FirEntries::new(body.get(8..)?) }
        }
        (kind::PAYLOAD_FEEDBACK, 15) if body.get(8..12) == Some(b"REMB") => {
            Packet::Remb(Remb::read(body)?)
        }
        _ => Packet::Other { kind, format, body },
    })
}
