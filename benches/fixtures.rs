//! Inputs shared by the benches.

/// An RTP packet of `len` bytes (at least 20) with a one-byte header extension, as a browser's.
#[must_use]
pub fn rtp_packet(ssrc: u32, sequence: u16, len: usize) -> Vec<u8> {
    let mut packet = vec![0x90, 0x60];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&90_000u32.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 0x31, 0x00, 0x07, 0x00]);
    packet.extend((0u8..=255).cycle().take(len.saturating_sub(packet.len())));
    packet
}

/// A reading of the clocks for machines whose time does not pass.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "benches own their clock")]
pub fn now() -> conf_media::time::Now {
    conf_media::time::Now { mono: std::time::Instant::now(), wall: Default::default() }
}
