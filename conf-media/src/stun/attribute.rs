//! The attributes of a STUN message: walking over them, and the values that are not plain numbers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{COOKIE, StunError, TransactionId};

/// Types of unknown attributes that must be understood; an answer names at most eight.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnknownAttributes {
    kinds: [u16; 8],
    len: usize,
}

impl UnknownAttributes {
    pub(super) fn note(&mut self, kind: u16) {
        if kind >= 0x8000 || kind::UNDERSTOOD.contains(&kind) || self.as_slice().contains(&kind) {
            return;
        }
        if let Some(slot) = self.kinds.get_mut(self.len) {
            *slot = kind;
            self.len += 1;
        }
    }

    pub(super) fn as_slice(&self) -> &[u16] {
        self.kinds.get(..self.len).unwrap_or_default()
    }
}

pub(super) struct Attribute<'a> {
    pub(super) kind: u16,
    pub(super) value: &'a [u8],
    pub(super) at: usize,
}

pub(super) struct Attributes<'a> {
    datagram: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Attributes<'a> {
    pub(super) fn new(datagram: &'a [u8], at: usize) -> Self {
        Self { datagram, at }
    }

    pub(super) fn next_attribute(&mut self) -> Result<Option<Attribute<'a>>, StunError> {
        let at = self.at;
        let Some(kind) = u16_at(self.datagram, at) else { return Ok(None) };
        let truncated = StunError::Truncated { kind };
        let len = usize::from(u16_at(self.datagram, at + 2).ok_or(truncated)?);
        let value = self.datagram.get(at + 4..at + 4 + len).ok_or(truncated)?;
        self.at = at + 4 + len.next_multiple_of(4);
        if self.at > self.datagram.len() {
            return Err(truncated);
        }
        Ok(Some(Attribute { kind, value, at }))
    }
}

/// RFC 8489, section 14.2.
pub(super) fn read_address(value: &[u8], transaction: &TransactionId) -> Option<SocketAddr> {
    let ([_, family, port_high, port_low], address) = value.split_first_chunk()?;
    let port = u16::from_be_bytes([*port_high, *port_low]) ^ PORT_MASK;
    let ip = match family {
        0x01 => IpAddr::V4(Ipv4Addr::from_bits(exact(address).map(u32::from_be_bytes)? ^ COOKIE)),
        0x02 => {
            let bits = exact(address).map(u128::from_be_bytes)?;
            IpAddr::V6(Ipv6Addr::from_bits(bits ^ address_mask(transaction)))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// RFC 8489, section 14.8.
pub(super) fn read_error(value: &[u8]) -> Option<u16> {
    let ([_, _, class, number], _) = value.split_first_chunk()?;
    let class = class & 0x07;
    ((3..=6).contains(&class) && *number < 100).then(|| u16::from(class) * 100 + u16::from(*number))
}

/// Magic cookie and transaction id, which hide an IPv6 address from meddling NATs.
pub(super) fn address_mask(transaction: &TransactionId) -> u128 {
    let low = transaction.0.iter().fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
    (u128::from(COOKIE) << 96) | low
}

pub(super) fn exact<const N: usize>(value: &[u8]) -> Option<[u8; N]> {
    value.try_into().ok()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2).and_then(exact).map(u16::from_be_bytes)
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(exact).map(u32::from_be_bytes)
}

/// The upper half of the magic cookie hides a port.
pub(super) const PORT_MASK: u16 = 0x2112;

/// Attribute types (IANA, STUN Attributes).
pub(super) mod kind {
    pub(in crate::stun) const USERNAME: u16 = 0x0006;
    pub(in crate::stun) const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub(in crate::stun) const ERROR_CODE: u16 = 0x0009;
    pub(in crate::stun) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    pub(in crate::stun) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub(in crate::stun) const PRIORITY: u16 = 0x0024;
    pub(in crate::stun) const USE_CANDIDATE: u16 = 0x0025;
    pub(in crate::stun) const FINGERPRINT: u16 = 0x8028;
    pub(in crate::stun) const ICE_CONTROLLED: u16 = 0x8029;
    pub(in crate::stun) const ICE_CONTROLLING: u16 = 0x802a;
    /// Known, and of no use to ICE: MAPPED-ADDRESS, UNKNOWN-ATTRIBUTES, REALM, NONCE.
    pub(in crate::stun) const UNDERSTOOD: [u16; 4] = [0x0001, UNKNOWN_ATTRIBUTES, 0x0014, 0x0015];
}
