//! The few TURN messages of the check.
//!
//! Source: RFC 8656, section 7 (Allocate), RFC 8489, sections 5, 9.2 and 14.

use std::net::IpAddr;

use aws_lc_rs::hmac;
use conf_media::signal::turn::Relay;

/// Bytes before the attributes.
pub(super) const HEADER: usize = 20;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const ALLOCATE: u16 = 0x0003;
const REFRESH: u16 = 0x0004;
const USERNAME: u16 = 0x0006;
const INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const LIFETIME: u16 = 0x000d;
const REALM: u16 = 0x0014;
const NONCE: u16 = 0x0015;
const RELAYED: u16 = 0x0016;
const TRANSPORT: u16 = 0x0019;
/// No message that a TURN server sends here is longer.
const LONGEST: usize = 2_000;

/// Who asks, under which realm.
pub(super) struct Login<'a> {
    pub(super) relay: &'a Relay,
    pub(super) realm: &'a [u8],
    pub(super) nonce: &'a [u8],
}

/// A request in the making.
pub(super) struct Request(Vec<u8>);

impl Request {
    /// For an address that relays UDP.
    pub(super) fn allocate(transaction: [u8; 12]) -> Self {
        Self::new(ALLOCATE, transaction).attribute(TRANSPORT, &[17, 0, 0, 0])
    }

    /// Ends the allocation.
    pub(super) fn give_back(transaction: [u8; 12]) -> Self {
        Self::new(REFRESH, transaction).attribute(LIFETIME, &[0; 4])
    }

    fn new(method: u16, transaction: [u8; 12]) -> Self {
        let mut bytes = method.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&COOKIE);
        bytes.extend_from_slice(&transaction);
        Self(bytes)
    }

    fn attribute(mut self, kind: u16, value: &[u8]) -> Self {
        let len = u16::try_from(value.len()).unwrap_or_default();
        self.0.extend_from_slice(&kind.to_be_bytes());
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        let body = u16::try_from(self.0.len() - HEADER).unwrap_or_default();
        self.0.splice(2..4, body.to_be_bytes());
        self
    }

    /// As it is: the server says its realm.
    pub(super) fn unsigned(self) -> Vec<u8> {
        self.0
    }

    /// With user name and tag.
    pub(super) fn signed(self, login: &Login<'_>) -> Vec<u8> {
        let Login { relay: Relay { username, credential, .. }, realm, nonce } = login;
        let key = [username.as_bytes(), b":", realm, b":", credential.as_bytes()].concat();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &*md5::compute(key));
        let this = self.attribute(USERNAME, username.as_bytes());
        let this = this.attribute(REALM, realm).attribute(NONCE, nonce);
        // The tag is over the length with the tag (RFC 8489, section 14.5).
        let with_tag = this.0.len() - HEADER + 24;
        let mut signed = this.0.clone();
        signed.splice(2..4, u16::try_from(with_tag).unwrap_or_default().to_be_bytes());
        let tag = hmac::sign(&key, &signed);
        this.attribute(INTEGRITY, tag.as_ref()).0
    }
}

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It relays, at this address if it says one.
    Done { relayed: Option<IpAddr> },
    /// It does not.
    Refused { code: u16, realm: Option<Vec<u8>>, nonce: Option<Vec<u8>> },
}

impl Answer {
    /// Reads the answer to `request`; `None` for anything else.
    pub(super) fn read(bytes: &[u8], request: &[u8]) -> Option<Self> {
        let kind = u16::from_be_bytes(*bytes.first_chunk()?);
        let method = u16::from_be_bytes(*request.first_chunk()?);
        if bytes.len() > LONGEST || bytes.get(4..HEADER)? != request.get(4..HEADER)? {
            return None;
        }
        let body = bytes.get(HEADER..)?;
        if kind == method | 0x0100 {
            let mask = request.get(4..HEADER)?;
            let relayed = find(body, RELAYED).and_then(|value| address(value, mask));
            return Some(Self::Done { relayed });
        }
        if kind != method | 0x0110 {
            return None;
        }
        let error = find(body, ERROR_CODE)?;
        let code = u16::from(error.get(2)? & 7) * 100 + u16::from(*error.get(3)?);
        let text = |kind| find(body, kind).map(<[u8]>::to_vec);
        Some(Self::Refused { code, realm: text(REALM), nonce: text(NONCE) })
    }
}

/// Bytes behind a header; `None` for no STUN message of a usual length.
pub(super) fn length(header: &[u8; HEADER]) -> Option<usize> {
    let len = usize::from(u16::from_be_bytes(*header.get(2..)?.first_chunk()?));
    (header.get(4..8)? == COOKIE && len <= LONGEST - HEADER).then_some(len)
}

fn find(mut body: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let (kind, rest) = body.split_first_chunk()?;
        let (len, rest) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes(*len));
        let value = rest.get(..len)?;
        if u16::from_be_bytes(*kind) == wanted {
            return Some(value);
        }
        body = rest.get(len.next_multiple_of(4)..)?;
    }
}

/// XOR-RELAYED-ADDRESS; `mask` is cookie and transaction.
fn address(value: &[u8], mask: &[u8]) -> Option<IpAddr> {
    let plain: Vec<u8> = value.get(4..)?.iter().zip(mask).map(|(a, b)| a ^ b).collect();
    let v4 = <[u8; 4]>::try_from(plain.as_slice()).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(plain.as_slice()).map(IpAddr::from)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_anything_else_is_none() {
        let request = Request::allocate([7; 12]).unsigned();
        let mut refused = Request::new(ALLOCATE | 0x0110, [7; 12])
            .attribute(ERROR_CODE, &[0, 0, 4, 1])
            .attribute(REALM, b"here")
            .attribute(NONCE, b"once")
            .0;
        let (realm, nonce) = (Some(b"here".to_vec()), Some(b"once".to_vec()));
        let answer = Some(Answer::Refused { code: 401, realm, nonce });
        assert_eq!(Answer::read(&refused, &request), answer);
        for len in 0..refused.len() {
            Answer::read(&refused[..len], &request);
            refused[len] ^= 0xff;
            Answer::read(&refused, &request);
            refused[len] ^= 0xff;
        }
        let masked = [0, 1, 0, 0, 192 ^ 0x21, 0x12, 2 ^ 0xa4, 1 ^ 0x42];
        let done = Request::new(ALLOCATE | 0x0100, [7; 12]).attribute(RELAYED, &masked).0;
        let relayed = Some(IpAddr::from([192, 0, 2, 1]));
        assert_eq!(Answer::read(&done, &request), Some(Answer::Done { relayed }));
        assert_eq!(Answer::read(&done, &Request::allocate([8; 12]).unsigned()), None);
    }
}
