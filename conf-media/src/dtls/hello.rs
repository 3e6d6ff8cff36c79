//! Reads a ClientHello before any handshake state exists.
//!
//! Browsers with post-quantum key shares need two datagrams for it, which may arrive in any order
//! and more than once. A [`Reader`] puts the fragments together within fixed bounds, checks every
//! length, and refuses an offer that cannot lead to media. What it hands on is the message as one
//! record, so that a backend sees exactly the bytes that were checked.
//!
//! Source: RFC 6347, sections 4.1 and 4.2 (records, fragments); RFC 5246, section 7.4.1.2
//! (ClientHello); RFC 5764, section 4.1.1 (`use_srtp`); RFC 8446, section 4.2.1 (versions).

use super::wire::{
    Assembler, Bytes, CLIENT_HELLO, DTLS_1_2, Fragment, HANDSHAKE, MAX_FRAGMENTS, MAX_RECORDS,
    Record, Unfit, record,
};
use crate::srtp::Profile;

/// Why an offer was refused. Names what, never the peer's bytes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelloError {
    /// A length in it does not fit.
    #[error("the ClientHello is malformed: {what}")]
    Malformed {
        /// The field.
        what: &'static str,
    },
    /// Claims to be larger than any honest one.
    #[error("the ClientHello has {len} bytes (limit {limit})")]
    TooLarge {
        /// What its header claims.
        len: usize,
        /// What is accepted.
        limit: usize,
    },
    /// Comes in too many pieces.
    #[error("the ClientHello comes in more than {limit} fragments")]
    TooManyFragments {
        /// What is accepted.
        limit: usize,
    },
    /// Does not offer DTLS 1.2.
    #[error("the ClientHello does not offer DTLS 1.2")]
    NoVersion,
    /// Does not protect against triple handshakes (RFC 7627); every browser does.
    #[error("the ClientHello does not offer the extended master secret")]
    NoExtendedMasterSecret,
    /// Is not for media.
    #[error("the ClientHello does not offer use_srtp")]
    NoUseSrtp,
    /// Offers only profiles that we do not have.
    #[error("the ClientHello offers no SRTP profile that we have")]
    NoCommonProfile,
}

/// A complete, checked offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The profile we will choose: AES-256-GCM, AES-128-GCM, and only then AES-CM.
    pub profile: Profile,
    /// Profile numbers of `use_srtp` in the peer's order, unknown ones too.
    pub profiles: Vec<u16>,
    /// `supported_versions`, or the one version of an older peer.
    pub versions: Vec<u16>,
    /// Names an earlier session, in the hope to resume it.
    pub resumes: bool,
    /// The message as one unfragmented record.
    pub record: Vec<u8>,
}

/// Puts one ClientHello together.
#[derive(Debug)]
pub struct Reader {
    fragments: Assembler,
}

impl Default for Reader {
    fn default() -> Self {
        Self { fragments: Assembler::new(1) }
    }
}

impl Reader {
    /// Takes a datagram; the offer once all its fragments are there.
    ///
    /// Whatever is not part of a ClientHello is dropped, as RFC 6347, section 4.1.2.7 wants it.
    ///
    /// # Errors
    /// [`HelloError`] if the offer is malformed or cannot lead to media.
    pub fn push(&mut self, datagram: &[u8]) -> Result<Option<Hello>, HelloError> {
        let mut rest = Bytes(datagram);
        for _ in 0..MAX_RECORDS {
            let Some(record) = Record::read(&mut rest) else { return Ok(None) };
            if record.content_type != HANDSHAKE || record.epoch != 0 {
                continue;
            }
            let mut body = Bytes(record.body);
            while let Some(fragment) = Fragment::read(&mut body) {
                if fragment.message != CLIENT_HELLO {
                    continue;
                }
                if let Some(hello) = self.add(&fragment, record.sequence)? {
                    return Ok(Some(hello));
                }
            }
        }
        Ok(None)
    }

    /// True until the first fragment of an offer has come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fragments.is_empty()
    }

    /// Takes one fragment of a ClientHello; `sequence` is the number of the record made of it.
    pub(super) fn add(
        &mut self,
        fragment: &Fragment<'_>,
        sequence: &[u8],
    ) -> Result<Option<Hello>, HelloError> {
        if fragment.length > MAX_HELLO {
            return Err(HelloError::TooLarge { len: fragment.length, limit: MAX_HELLO });
        }
        let Some(message) = self.fragments.add(fragment)? else { return Ok(None) };
        Hello::read(&message, fragment.message_seq, sequence).map(Some)
    }
}

impl From<Unfit> for HelloError {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Overrun => malformed("fragment length"),
            Unfit::TooMany => Self::TooManyFragments { limit: MAX_FRAGMENTS },
        }
    }
}

impl Hello {
    fn read(message: &[u8], message_seq: u16, sequence: &[u8]) -> Result<Self, HelloError> {
        let mut body = Bytes(message);
        let version = body.u16().ok_or(malformed("version"))?;
        body.take(32).ok_or(malformed("random"))?;
        let session = body.vector8().ok_or(malformed("session id"))?;
        let _cookie = body.vector8().ok_or(malformed("cookie"))?;
        let suites = body.vector16().ok_or(malformed("cipher suites"))?;
        let compression = body.vector8().ok_or(malformed("compression methods"))?;
        if session.len() > 32 {
            return Err(malformed("session id"));
        }
        if suites.is_empty() || !suites.len().is_multiple_of(2) {
            return Err(malformed("cipher suites"));
        }
        if !compression.contains(&0) {
            return Err(malformed("compression methods"));
        }
        let offered = Offered::read(body)?;
        let versions = offered.versions.unwrap_or_else(|| vec![version]);
        if version != DTLS_1_2 || !versions.contains(&DTLS_1_2) {
            return Err(HelloError::NoVersion);
        }
        if !offered.extended_master_secret {
            return Err(HelloError::NoExtendedMasterSecret);
        }
        let profiles = offered.profiles.ok_or(HelloError::NoUseSrtp)?;
        let profile = best(&profiles).ok_or(HelloError::NoCommonProfile)?;
        let resumes = !session.is_empty();
        let record = record(CLIENT_HELLO, message_seq, message, sequence);
        Ok(Self { profile, profiles, versions, resumes, record })
    }
}

/// The extensions that matter.
#[derive(Default)]
struct Offered {
    profiles: Option<Vec<u16>>,
    versions: Option<Vec<u16>>,
    extended_master_secret: bool,
}

impl Offered {
    fn read(mut rest: Bytes<'_>) -> Result<Self, HelloError> {
        let mut offered = Self::default();
        if rest.is_empty() {
            return Ok(offered);
        }
        let mut block = Bytes(rest.vector16().ok_or(malformed("extensions"))?);
        if !rest.is_empty() {
            return Err(malformed("bytes after the extensions"));
        }
        while !block.is_empty() {
            let kind = block.u16().ok_or(malformed("extension type"))?;
            let content = Bytes(block.vector16().ok_or(malformed("extension length"))?);
            match kind {
                USE_SRTP => once(&mut offered.profiles, profiles(content), "use_srtp")?,
                SUPPORTED_VERSIONS => {
                    once(&mut offered.versions, versions(content), "supported_versions")?;
                }
                EXTENDED_MASTER_SECRET => offered.extended_master_secret = true,
                _ => {}
            }
        }
        Ok(offered)
    }
}

fn once(
    slot: &mut Option<Vec<u16>>,
    value: Option<Vec<u16>>,
    what: &'static str,
) -> Result<(), HelloError> {
    if slot.is_some() {
        return Err(malformed(what));
    }
    *slot = Some(value.ok_or(malformed(what))?);
    Ok(())
}

fn profiles(mut content: Bytes<'_>) -> Option<Vec<u16>> {
    let list = numbers(content.vector16()?)?;
    content.vector8()?; // master key identifier: read over, never used
    content.is_empty().then_some(list)
}

fn versions(mut content: Bytes<'_>) -> Option<Vec<u16>> {
    let list = numbers(content.vector8()?)?;
    content.is_empty().then_some(list)
}

fn numbers(bytes: &[u8]) -> Option<Vec<u16>> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let bounded = rest.is_empty() && (1..=MAX_NUMBERS).contains(&pairs.len());
    bounded.then(|| pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
}

/// GCM wherever it is offered, whatever the peer's order.
fn best(offered: &[u16]) -> Option<Profile> {
    [Profile::AeadAes256Gcm, Profile::AeadAes128Gcm, Profile::AesCm128HmacSha1_80]
        .into_iter()
        .find(|profile| offered.contains(&profile.to_dtls()))
}

fn malformed(what: &'static str) -> HelloError {
    HelloError::Malformed { what }
}

/// Chromium's has 1,413 bytes with an ML-KEM key share.
const MAX_HELLO: usize = 8_192;
/// Profiles or versions; nine profiles are registered.
const MAX_NUMBERS: usize = 32;
const USE_SRTP: u16 = 14;
const EXTENDED_MASTER_SECRET: u16 = 23;
const SUPPORTED_VERSIONS: u16 = 43;
