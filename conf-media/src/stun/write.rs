//! Builds STUN messages in a reused buffer.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::attribute::{PORT_MASK, address_mask, kind};
use super::fingerprint::fingerprint;
use super::{COOKIE, Class, HEADER, INTEGRITY, IntegrityKey, Role, TransactionId};

/// Writes one message of the Binding method, attribute by attribute, in the order of the calls.
///
/// [`Writer::integrity`] and then [`Writer::fingerprint`] come last.
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    transaction: TransactionId,
}

impl<'a> Writer<'a> {
    /// Clears `out` and writes the header.
    #[must_use]
    pub fn new(out: &'a mut Vec<u8>, class: Class, transaction: TransactionId) -> Self {
        let kind: u16 = match class {
            Class::Request => 0x0001,
            Class::Indication => 0x0011,
            Class::Success => 0x0101,
            Class::Error => 0x0111,
        };
        out.clear();
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&COOKIE.to_be_bytes());
        out.extend_from_slice(&transaction.0);
        Self { out, transaction }
    }

    /// Goes on with a message that was begun; for messages that no agent of ours would send.
    #[cfg(test)]
    pub(crate) fn resume(out: &'a mut Vec<u8>, transaction: TransactionId) -> Self {
        Self { out, transaction }
    }

    /// USERNAME, at most 508 bytes.
    #[must_use]
    pub fn username(self, username: &str) -> Self {
        self.attribute(kind::USERNAME, username.as_bytes())
    }

    /// PRIORITY.
    #[must_use]
    pub fn priority(self, priority: u32) -> Self {
        self.attribute(kind::PRIORITY, &priority.to_be_bytes())
    }

    /// USE-CANDIDATE.
    #[must_use]
    pub fn use_candidate(self) -> Self {
        self.attribute(kind::USE_CANDIDATE, &[])
    }

    /// ICE-CONTROLLING or ICE-CONTROLLED.
    #[must_use]
    pub fn role(self, role: Role) -> Self {
        match role {
            Role::Controlling { tie_breaker } => {
                self.attribute(kind::ICE_CONTROLLING, &tie_breaker.to_be_bytes())
            }
            Role::Controlled { tie_breaker } => {
                self.attribute(kind::ICE_CONTROLLED, &tie_breaker.to_be_bytes())
            }
        }
    }

    /// XOR-MAPPED-ADDRESS; an IPv4 address that came through an IPv6 socket is written as IPv4.
    #[must_use]
    pub fn xor_mapped_address(self, address: SocketAddr) -> Self {
        let [port_high, port_low] = (address.port() ^ PORT_MASK).to_be_bytes();
        match address.ip().to_canonical() {
            IpAddr::V4(ip) => {
                let mut value = [0, 0x01, port_high, port_low, 0, 0, 0, 0];
                if let Some(tail) = value.last_chunk_mut() {
                    *tail = (ip.to_bits() ^ COOKIE).to_be_bytes();
                }
                self.attribute(kind::XOR_MAPPED_ADDRESS, &value)
            }
            IpAddr::V6(ip) => {
                let mut value = [0; 20];
                if let Some(head) = value.first_chunk_mut() {
                    *head = [0, 0x02, port_high, port_low];
                }
                if let Some(tail) = value.last_chunk_mut() {
                    *tail = (ip.to_bits() ^ address_mask(&self.transaction)).to_be_bytes();
                }
                self.attribute(kind::XOR_MAPPED_ADDRESS, &value)
            }
        }
    }

    /// ERROR-CODE, 300 to 699, without a phrase: an answer to a stranger must not be longer than
    /// what it answers.
    #[must_use]
    pub fn error_code(self, code: u16) -> Self {
        let class = u8::try_from(code / 100).unwrap_or_default();
        let number = u8::try_from(code % 100).unwrap_or_default();
        self.attribute(kind::ERROR_CODE, &[0, 0, class, number])
    }

    /// UNKNOWN-ATTRIBUTES.
    #[must_use]
    pub fn unknown_attributes(mut self, kinds: &[u16]) -> Self {
        let kinds = kinds.get(..kinds.len().min(8)).unwrap_or_default();
        self.start(kind::UNKNOWN_ATTRIBUTES, kinds.len() * 2);
        for kind in kinds {
            self.out.extend_from_slice(&kind.to_be_bytes());
        }
        self.pad();
        self
    }

    /// MESSAGE-INTEGRITY over all that is written so far.
    #[must_use]
    pub fn integrity(self, key: &IntegrityKey) -> Self {
        let tag = key.tag(self.out, self.out.len() - HEADER + 4 + INTEGRITY);
        self.attribute(kind::MESSAGE_INTEGRITY, tag.as_ref())
    }

    /// FINGERPRINT over all that is written so far; ends the message.
    pub fn fingerprint(mut self) {
        self.set_length(self.out.len() - HEADER + 8);
        let crc = fingerprint(self.out);
        let _complete = self.attribute(kind::FINGERPRINT, &crc.to_be_bytes());
    }

    /// Ends the message without a FINGERPRINT.
    pub fn finish(self) {}

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        self.start(kind, value.len());
        self.out.extend_from_slice(value);
        self.pad();
        self
    }

    fn start(&mut self, kind: u16, len: usize) {
        self.out.extend_from_slice(&kind.to_be_bytes());
        self.out.extend_from_slice(&u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes());
    }

    fn pad(&mut self) {
        self.out.resize(self.out.len().next_multiple_of(4), 0);
        self.set_length(self.out.len() - HEADER);
    }

    fn set_length(&mut self, length: usize) {
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        if let Some(field) = self.out.get_mut(2..4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }
}

impl fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("len", &self.out.len()).finish_non_exhaustive()
    }
}
