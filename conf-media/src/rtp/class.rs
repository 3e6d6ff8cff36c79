//! What a datagram is, by its first bytes: five protocols share one port.

/// What a datagram claims to be. Nothing is checked beyond its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Connectivity checks: first byte 0 to 3.
    Stun,
    /// Handshake and data channels: first byte 20 to 63.
    Dtls,
    /// Media: first byte 128 to 191.
    Rtp,
    /// Reports and feedback: as RTP, with 192 to 223 in the second byte.
    Rtcp,
    /// None of these (ZRTP, TURN channels, empty datagrams): dropped.
    Unknown,
}

/// Tells the protocols of one port apart.
///
/// # Source
/// RFC 7983, section 7 (first byte); RFC 5761, section 4 (second byte).
#[must_use]
pub fn classify(datagram: &[u8]) -> Class {
    match datagram {
        [0..=3, ..] => Class::Stun,
        [20..=63, ..] => Class::Dtls,
        [128..=191, 192..=223, ..] => Class::Rtcp,
        [128..=191, ..] => Class::Rtp,
        _ => Class::Unknown,
    }
}

/// Whether a datagram of RTP version 2 is RTCP. Works on encrypted packets too.
///
/// # Source
/// RFC 5761, section 4: RTP payload types 64 to 95 are not used where the two share a port.
#[must_use]
pub fn is_rtcp(datagram: &[u8]) -> bool {
    classify(datagram) == Class::Rtcp
}
