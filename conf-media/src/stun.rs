//! STUN messages as ICE uses them: Binding requests, their answers, and nothing else.
//!
//! This is the first parser that a stranger's bytes meet, before any authentication: it borrows,
//! never allocates, and checks every length against the datagram. [`parse`] reads the attributes
//! once; [`Message::verify`] compares MESSAGE-INTEGRITY in constant time; [`Writer`] builds answers
//! in a reused buffer.
//!
//! Sources: RFC 8489 (STUN), RFC 8445, section 16.1 (the attributes of ICE). Test vectors:
//! RFC 5769.

use std::fmt;
use std::net::SocketAddr;

use aws_lc_rs::{constant_time, hmac};

mod attribute;
mod fingerprint;
mod write;

use attribute::{Attribute, Attributes, UnknownAttributes, kind, read_address, read_error};
use attribute::{exact, u32_at};
use fingerprint::fingerprint;
pub use write::Writer;

/// Reads a whole datagram as a STUN message of the Binding method.
///
/// A FINGERPRINT is checked here, MESSAGE-INTEGRITY is not (see [`Message::verify`]). Attributes
/// that follow MESSAGE-INTEGRITY are not read, except for the FINGERPRINT; of repeated attributes
/// the first counts.
///
/// # Errors
/// Every [`StunError`]: the message is then no message for us and deserves no answer.
///
/// # Source
/// RFC 8489, sections 5, 14 and 6.3.
pub fn parse(datagram: &[u8]) -> Result<Message<'_>, StunError> {
    let (class, transaction) = parse_header(datagram)?;
    let mut message = Message::new(datagram, class, transaction);
    let mut rest = Attributes::new(datagram, HEADER);
    while let Some(attribute) = rest.next_attribute()? {
        if message.fingerprint {
            return Err(StunError::AfterFingerprint);
        }
        message.read(&attribute)?;
    }
    Ok(message)
}

/// Whether a datagram's first byte and magic cookie say STUN (RFC 7983, section 7).
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| *first < 4) && u32_at(datagram, 4) == Some(COOKIE)
}

/// A parsed message, borrowed from its datagram.
#[derive(Clone)]
pub struct Message<'a> {
    datagram: &'a [u8],
    class: Class,
    transaction: TransactionId,
    username: Option<&'a str>,
    priority: Option<u32>,
    role: Option<Role>,
    mapped: Option<SocketAddr>,
    error: Option<u16>,
    unknown: UnknownAttributes,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: Option<usize>,
    use_candidate: bool,
    fingerprint: bool,
}

impl<'a> Message<'a> {
    /// Request, indication, success or error.
    #[must_use]
    pub fn class(&self) -> Class {
        self.class
    }

    /// Copied from a request into its answer.
    #[must_use]
    pub fn transaction(&self) -> TransactionId {
        self.transaction
    }

    /// USERNAME: of ICE, `<receiver's ufrag>:<sender's ufrag>`.
    #[must_use]
    pub fn username(&self) -> Option<&'a str> {
        self.username
    }

    /// The receiver's half of USERNAME: which of our peers is addressed.
    #[must_use]
    pub fn local_ufrag(&self) -> Option<&'a str> {
        self.username?.split_once(':').map(|(local, _)| local)
    }

    /// PRIORITY of a check.
    #[must_use]
    pub fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// USE-CANDIDATE: the controlling side nominates this pair.
    #[must_use]
    pub fn use_candidate(&self) -> bool {
        self.use_candidate
    }

    /// The role the sender believes to have.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        self.role
    }

    /// XOR-MAPPED-ADDRESS of an answer.
    #[must_use]
    pub fn mapped_address(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// ERROR-CODE, 300 to 699, of an error answer.
    #[must_use]
    pub fn error_code(&self) -> Option<u16> {
        self.error
    }

    /// Attributes that must be understood and are not (the first few of them).
    #[must_use]
    pub fn unknown_attributes(&self) -> &[u16] {
        self.unknown.as_slice()
    }

    /// Whether a FINGERPRINT was there (a wrong one fails [`parse`]).
    #[must_use]
    pub fn has_fingerprint(&self) -> bool {
        self.fingerprint
    }

    /// Whether MESSAGE-INTEGRITY is there, right or wrong.
    #[must_use]
    pub fn has_integrity(&self) -> bool {
        self.integrity.is_some()
    }

    /// Checks MESSAGE-INTEGRITY, in constant time.
    ///
    /// # Errors
    /// [`StunError::NoIntegrity`] and [`StunError::WrongIntegrity`].
    ///
    /// # Source
    /// RFC 8489, section 14.5.
    pub fn verify(&self, key: &IntegrityKey) -> Result<(), StunError> {
        let at = self.integrity.ok_or(StunError::NoIntegrity)?;
        let (covered, rest) = self.datagram.split_at_checked(at).ok_or(StunError::NoIntegrity)?;
        let sent = rest.get(4..4 + INTEGRITY).ok_or(StunError::NoIntegrity)?;
        // The length of the header covers this attribute as its last, whatever follows.
        let tag = key.tag(covered, at + 4 + INTEGRITY - HEADER);
        constant_time::verify_slices_are_equal(tag.as_ref(), sent)
            .map_err(|_| StunError::WrongIntegrity)
    }

    fn new(datagram: &'a [u8], class: Class, transaction: TransactionId) -> Self {
        Self {
            datagram,
            class,
            transaction,
            username: None,
            priority: None,
            role: None,
            mapped: None,
            error: None,
            unknown: UnknownAttributes::default(),
            integrity: None,
            use_candidate: false,
            fingerprint: false,
        }
    }

    fn read(&mut self, attribute: &Attribute<'a>) -> Result<(), StunError> {
        let malformed = StunError::Malformed { kind: attribute.kind };
        if attribute.kind == kind::FINGERPRINT {
            return self.read_fingerprint(attribute);
        }
        if self.integrity.is_some() {
            return Ok(()); // not covered by it, so not to be believed
        }
        let value = attribute.value;
        match attribute.kind {
            kind::USERNAME if value.len() > MAX_USERNAME => return Err(malformed),
            kind::USERNAME => {
                let text = std::str::from_utf8(value).map_err(|_| malformed)?;
                self.username.get_or_insert(text);
            }
            kind::PRIORITY => {
                self.priority.get_or_insert(exact(value).map(u32::from_be_bytes).ok_or(malformed)?);
            }
            kind::USE_CANDIDATE => self.use_candidate = true,
            kind::ICE_CONTROLLING => {
                let tie_breaker = exact(value).map(u64::from_be_bytes).ok_or(malformed)?;
                self.role.get_or_insert(Role::Controlling { tie_breaker });
            }
            kind::ICE_CONTROLLED => {
                let tie_breaker = exact(value).map(u64::from_be_bytes).ok_or(malformed)?;
                self.role.get_or_insert(Role::Controlled { tie_breaker });
            }
            kind::XOR_MAPPED_ADDRESS => {
                let address = read_address(value, &self.transaction).ok_or(malformed)?;
                self.mapped.get_or_insert(address);
            }
            kind::ERROR_CODE => {
                self.error.get_or_insert(read_error(value).ok_or(malformed)?);
            }
            kind::MESSAGE_INTEGRITY if value.len() != INTEGRITY => return Err(malformed),
            kind::MESSAGE_INTEGRITY => self.integrity = Some(attribute.at),
            other => self.unknown.note(other),
        }
        Ok(())
    }

    fn read_fingerprint(&mut self, attribute: &Attribute<'_>) -> Result<(), StunError> {
        let kind = attribute.kind;
        let sent =
            exact(attribute.value).map(u32::from_be_bytes).ok_or(StunError::Malformed { kind })?;
        let covered = self.datagram.get(..attribute.at).ok_or(StunError::WrongFingerprint)?;
        if fingerprint(covered) != sent {
            return Err(StunError::WrongFingerprint);
        }
        self.fingerprint = true;
        Ok(())
    }
}

impl fmt::Debug for Message<'_> {
    /// Neither the user name nor an address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("class", &self.class).finish_non_exhaustive()
    }
}

/// Why bytes are not a message for us, or not one of the sender it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StunError {
    /// Shorter than a header.
    #[error("{len} bytes are no STUN message (at least {HEADER})")]
    Short {
        /// What came.
        len: usize,
    },
    /// The first bits or the magic cookie say that this is something else.
    #[error("no STUN message: wrong first bits or magic cookie")]
    NotStun,
    /// The length in the header is not that of the datagram, or no multiple of four.
    #[error("STUN length {claimed} in a datagram with {present} bytes after the header")]
    Length {
        /// From the header.
        claimed: usize,
        /// What is there.
        present: usize,
    },
    /// Another method than Binding.
    #[error("STUN method {method:#05x} is not Binding")]
    Method {
        /// 12 bits.
        method: u16,
    },
    /// An attribute runs past the end of the message.
    #[error("STUN attribute {kind:#06x} runs past the end of the message")]
    Truncated {
        /// Its type.
        kind: u16,
    },
    /// An attribute has a length or value that its type forbids.
    #[error("STUN attribute {kind:#06x} is malformed")]
    Malformed {
        /// Its type.
        kind: u16,
    },
    /// FINGERPRINT must be the last attribute.
    #[error("STUN attribute after FINGERPRINT")]
    AfterFingerprint,
    /// FINGERPRINT does not fit the message.
    #[error("wrong STUN FINGERPRINT")]
    WrongFingerprint,
    /// No MESSAGE-INTEGRITY where one is needed.
    #[error("STUN message without MESSAGE-INTEGRITY")]
    NoIntegrity,
    /// MESSAGE-INTEGRITY made with another password, or the message was changed.
    #[error("wrong STUN MESSAGE-INTEGRITY")]
    WrongIntegrity,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Wants an answer.
    Request,
    /// Wants none.
    Indication,
    /// The request was granted.
    Success,
    /// The request was refused.
    Error,
}

/// The role of a message's sender (RFC 8445, section 6.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nominates.
    Controlling {
        /// Decides conflicts.
        tie_breaker: u64,
    },
    /// Waits for nominations.
    Controlled {
        /// Decides conflicts.
        tie_breaker: u64,
    },
}

/// 96 random bits that tie an answer to its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId(pub [u8; 12]);

/// A password, set up once as key of MESSAGE-INTEGRITY (short-term credentials).
#[derive(Clone)]
pub struct IntegrityKey(hmac::Key);

impl IntegrityKey {
    /// From the password in ASCII, as ICE makes it.
    #[must_use]
    pub fn new(password: &str) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes()))
    }

    /// Over `covered`, a message up to the attribute, with `length` in its header.
    fn tag(&self, covered: &[u8], length: usize) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        let length = u16::try_from(length).unwrap_or(u16::MAX);
        context.update(covered.get(..2).unwrap_or_default());
        context.update(&length.to_be_bytes());
        context.update(covered.get(4..).unwrap_or_default());
        context.sign()
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(…)")
    }
}

fn parse_header(datagram: &[u8]) -> Result<(Class, TransactionId), StunError> {
    let header: &[u8; HEADER] =
        datagram.first_chunk().ok_or(StunError::Short { len: datagram.len() })?;
    if !is_stun(datagram) {
        return Err(StunError::NotStun);
    }
    let [first, second, length_high, length_low, ..] = *header;
    let claimed = usize::from(u16::from_be_bytes([length_high, length_low]));
    let present = datagram.len() - HEADER;
    if claimed != present || claimed % 4 != 0 {
        return Err(StunError::Length { claimed, present });
    }
    let kind = u16::from_be_bytes([first, second]);
    // The two class bits sit between the method's (RFC 8489, figure 3).
    let method = (kind & 0x000f) | ((kind & 0x00e0) >> 1) | ((kind & 0x3e00) >> 2);
    if method != BINDING {
        return Err(StunError::Method { method });
    }
    let class = match (kind & 0x0100 != 0, kind & 0x0010 != 0) {
        (false, false) => Class::Request,
        (false, true) => Class::Indication,
        (true, false) => Class::Success,
        (true, true) => Class::Error,
    };
    let transaction = header.last_chunk().copied().unwrap_or_default();
    Ok((class, TransactionId(transaction)))
}

const HEADER: usize = 20;
const BINDING: u16 = 0x001;
const COOKIE: u32 = 0x2112_a442;
const INTEGRITY: usize = 20;
/// RFC 8489, section 14.3: fewer than 509 bytes.
const MAX_USERNAME: usize = 508;

#[cfg(test)]
mod tests;
