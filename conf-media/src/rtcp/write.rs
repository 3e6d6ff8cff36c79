//! Appends RTCP packets to a buffer. The caller reuses the buffer, so that nothing is allocated.
//!
//! A compound packet starts with a sender or receiver report and carries a source description
//! (RFC 3550, section 6.1), unless reduced size was negotiated (RFC 5506).

use super::report::ReportBlock;
use super::{kind, transport::symbol};

/// Most report blocks in one packet; the count has five bits.
pub const MAX_BLOCKS: usize = 31;

/// What a sender says of itself (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SenderInfo {
    /// The source.
    pub ssrc: u32,
    /// NTP time of the report, from [`super::ntp`].
    pub ntp: u64,
    /// The same moment in RTP time.
    pub rtp: u32,
    /// Packets sent since the start.
    pub packets: u32,
    /// Payload bytes sent since the start.
    pub octets: u32,
}

/// The fixed part of transport-wide feedback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransportInfo {
    /// Who reports.
    pub sender: u32,
    /// Any source of the transport.
    pub media: u32,
    /// First sequence number that is reported on.
    pub base: u16,
    /// Where the deltas start, in 64 ms; the lower 24 bits are written.
    pub reference: u32,
    /// Counts the feedback packets of the transport.
    pub number: u8,
}

/// Appends a sender report with at most [`MAX_BLOCKS`] blocks; further ones are left out.
pub fn sender_report(out: &mut Vec<u8>, info: &SenderInfo, blocks: &[ReportBlock]) {
    let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
    let packet = Packet::start(out, kind::SENDER_REPORT, count(blocks.len()));
    packet.out.extend_from_slice(&info.ssrc.to_be_bytes());
    packet.out.extend_from_slice(&info.ntp.to_be_bytes());
    packet.out.extend_from_slice(&info.rtp.to_be_bytes());
    packet.out.extend_from_slice(&info.packets.to_be_bytes());
    packet.out.extend_from_slice(&info.octets.to_be_bytes());
    append_blocks(packet.out, blocks);
    packet.finish();
}

/// Appends a receiver report with at most [`MAX_BLOCKS`] blocks; further ones are left out.
pub fn receiver_report(out: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) {
    let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
    let packet = Packet::start(out, kind::RECEIVER_REPORT, count(blocks.len()));
    packet.out.extend_from_slice(&ssrc.to_be_bytes());
    append_blocks(packet.out, blocks);
    packet.finish();
}

/// Appends a source description with one canonical name, cut off at 255 bytes.
pub fn sdes_cname(out: &mut Vec<u8>, ssrc: u32, cname: &[u8]) {
    let cname = cname.get(..255).unwrap_or(cname);
    let packet = Packet::start(out, kind::SOURCE_DESCRIPTION, 1);
    packet.out.extend_from_slice(&ssrc.to_be_bytes());
    packet.out.extend_from_slice(&[1, u8::try_from(cname.len()).unwrap_or(u8::MAX)]);
    packet.out.extend_from_slice(cname);
    // At least one zero byte ends the items; `finish` adds up to three more.
    packet.out.push(0);
    packet.finish();
}

/// Appends a BYE for at most 31 sources; further ones are left out.
pub fn bye(out: &mut Vec<u8>, sources: &[u32]) {
    let sources = sources.get(..MAX_BLOCKS).unwrap_or(sources);
    let packet = Packet::start(out, kind::BYE, count(sources.len()));
    for source in sources {
        packet.out.extend_from_slice(&source.to_be_bytes());
    }
    packet.finish();
}

/// Appends a generic NACK for `lost`, in ascending order (with wrap). Writes nothing for an empty
/// list.
pub fn nack(out: &mut Vec<u8>, sender: u32, media: u32, lost: &[u16]) {
    let Some((&first, others)) = lost.split_first() else { return };
    let packet = Packet::start(out, kind::TRANSPORT_FEEDBACK, 1);
    packet.out.extend_from_slice(&sender.to_be_bytes());
    packet.out.extend_from_slice(&media.to_be_bytes());
    let (mut base, mut mask) = (first, 0u16);
    for &sequence in others {
        match sequence.wrapping_sub(base) {
            0 => {}
            offset @ 1..=16 => mask |= 1 << offset.saturating_sub(1),
            _ => {
                packet.out.extend_from_slice(&base.to_be_bytes());
                packet.out.extend_from_slice(&mask.to_be_bytes());
                (base, mask) = (sequence, 0);
            }
        }
    }
    packet.out.extend_from_slice(&base.to_be_bytes());
    packet.out.extend_from_slice(&mask.to_be_bytes());
    packet.finish();
}

/// Appends a picture loss indication.
pub fn pli(out: &mut Vec<u8>, sender: u32, media: u32) {
    let packet = Packet::start(out, kind::PAYLOAD_FEEDBACK, 1);
    packet.out.extend_from_slice(&sender.to_be_bytes());
    packet.out.extend_from_slice(&media.to_be_bytes());
    packet.finish();
}

/// Appends transport-wide feedback.
///
/// `deltas` has one item for each sequence number from `info.base` on: `None` for a lost packet,
/// or how long after the received packet before it (the first: after `info.reference`) it came, in
/// 250 µs. At most 65,535 items are written.
pub fn transport_feedback(out: &mut Vec<u8>, info: &TransportInfo, deltas: &[Option<i16>]) {
    let deltas = deltas.get(..usize::from(u16::MAX)).unwrap_or(deltas);
    let length = u16::try_from(deltas.len()).unwrap_or(u16::MAX);
    let start = out.len();
    let packet = Packet::start(out, kind::TRANSPORT_FEEDBACK, 15);
    packet.out.extend_from_slice(&info.sender.to_be_bytes());
    packet.out.extend_from_slice(&info.media.to_be_bytes());
    packet.out.extend_from_slice(&info.base.to_be_bytes());
    packet.out.extend_from_slice(&length.to_be_bytes());
    let [_, r0, r1, r2] = info.reference.to_be_bytes();
    packet.out.extend_from_slice(&[r0, r1, r2, info.number]);
    let mut rest = deltas;
    while !rest.is_empty() {
        let (chunk, taken) = next_chunk(rest);
        packet.out.extend_from_slice(&chunk.to_be_bytes());
        rest = rest.get(taken..).unwrap_or_default();
    }
    for delta in deltas.iter().flatten() {
        match u8::try_from(*delta) {
            Ok(small) => packet.out.push(small),
            Err(_) => packet.out.extend_from_slice(&delta.to_be_bytes()),
        }
    }
    let unpadded = packet.out.len().saturating_sub(start);
    let padding = unpadded.next_multiple_of(4).saturating_sub(unpadded);
    packet.finish();
    // This type is a stream of bytes, so its end is marked by RTCP padding, which counts itself.
    if padding > 0
        && let Some([first, .., last]) = out.get_mut(start..)
    {
        *first |= 0x20;
        *last = u8::try_from(padding).unwrap_or_default();
    }
}

/// The chunk for the first of `deltas`, and how many it stands for.
fn next_chunk(deltas: &[Option<i16>]) -> (u16, usize) {
    let first = symbol_of(deltas.first().copied().flatten());
    let run = deltas.iter().take(0x1fff).take_while(|d| symbol_of(**d) == first).count();
    let vector = |symbols: usize, width: u32| {
        let mut bits = 0u16;
        for at in 0..symbols {
            let symbol = deltas.get(at).copied().flatten();
            bits = bits << width | u16::from(symbol_of(symbol));
        }
        (bits, symbols.min(deltas.len()))
    };
    let one_bit = deltas.iter().take(14).all(|d| symbol_of(*d) != symbol::LARGE);
    let beats_vector = run >= if one_bit { 14 } else { 7 } || run == deltas.len();
    if beats_vector {
        return (u16::from(first) << 13 | u16::try_from(run).unwrap_or_default(), run);
    }
    if one_bit {
        let (bits, taken) = vector(14, 1);
        (0x8000 | bits, taken)
    } else {
        let (bits, taken) = vector(7, 2);
        (0xc000 | bits, taken)
    }
}

fn symbol_of(delta: Option<i16>) -> u8 {
    match delta {
        None => symbol::LOST,
        Some(0..=255) => symbol::SMALL,
        Some(_) => symbol::LARGE,
    }
}

fn count(length: usize) -> u8 {
    u8::try_from(length).unwrap_or_default()
}

fn append_blocks(out: &mut Vec<u8>, blocks: &[ReportBlock]) {
    for block in blocks {
        out.extend_from_slice(&block.ssrc.to_be_bytes());
        // 24 bits with sign: values beyond them stick to the ends (RFC 3550, appendix A.3).
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff);
        let [_, c0, c1, c2] = lost.to_be_bytes();
        out.extend_from_slice(&[block.fraction_lost, c0, c1, c2]);
        out.extend_from_slice(&block.highest.to_be_bytes());
        out.extend_from_slice(&block.jitter.to_be_bytes());
        out.extend_from_slice(&block.last_sr.to_be_bytes());
        out.extend_from_slice(&block.delay.to_be_bytes());
    }
}

/// A packet whose length is not known yet.
struct Packet<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
}

impl<'a> Packet<'a> {
    fn start(out: &'a mut Vec<u8>, kind: u8, format: u8) -> Self {
        let start = out.len();
        out.extend_from_slice(&[0x80 | format & 0x1f, kind, 0, 0]);
        Self { out, start }
    }

    /// Fills up to a multiple of four with zeros and writes the length.
    fn finish(self) {
        let length = self.out.len().saturating_sub(self.start);
        let padded = length.next_multiple_of(4);
        self.out.resize(self.start.saturating_add(padded), 0);
        let words = u16::try_from((padded / 4).saturating_sub(1)).unwrap_or(u16::MAX);
        if let Some([_, _, l0, l1, ..]) = self.out.get_mut(self.start..) {
            [*l0, *l1] = words.to_be_bytes();
        }
    }
}
