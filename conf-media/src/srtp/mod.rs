//! SRTP and SRTCP, opened and sealed in place, without allocation per packet.
//!
//! [`Sealer`] protects what we send, [`Opener`] admits what a peer sends: one of each a peer. Both
//! set their keys up once and keep, per synchronisation source, the packet index and which indices
//! were used. Nothing of that changes before a packet is authenticated, so forged packets leave no
//! trace, and the number of sources is capped.
//!
//! Sources: RFC 3711 (SRTP), RFC 7714 (AES-GCM), RFC 5764, section 4.2 (keys out of DTLS).

use std::fmt;

mod derive;
mod header;
mod open;
mod protection;
mod seal;
mod sources;

pub use open::Opener;
pub use seal::Sealer;
pub use sources::{MAX_SOURCES, RTCP_WINDOW, RTP_WINDOW};

/// Protection profiles (RFC 5764, section 4.1.2; RFC 7714, section 14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// AEAD_AES_128_GCM, DTLS number 0x0007.
    AeadAes128Gcm,
    /// AEAD_AES_256_GCM, DTLS number 0x0008.
    AeadAes256Gcm,
    /// AES_CM_128_HMAC_SHA1_80, DTLS number 0x0001: only where the peer offers no GCM.
    AesCm128HmacSha1_80,
}

impl Profile {
    /// From the number in the DTLS extension `use_srtp`; `None` for profiles we do not speak.
    #[must_use]
    pub fn from_dtls(number: u16) -> Option<Self> {
        match number {
            0x0001 => Some(Self::AesCm128HmacSha1_80),
            0x0007 => Some(Self::AeadAes128Gcm),
            0x0008 => Some(Self::AeadAes256Gcm),
            _ => None,
        }
    }

    /// The number in the DTLS extension `use_srtp`.
    #[must_use]
    pub fn to_dtls(self) -> u16 {
        match self {
            Self::AesCm128HmacSha1_80 => 0x0001,
            Self::AeadAes128Gcm => 0x0007,
            Self::AeadAes256Gcm => 0x0008,
        }
    }

    /// Bytes of a master key, and of a session key.
    #[must_use]
    pub fn key_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AesCm128HmacSha1_80 => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of a master salt, and of a session salt.
    #[must_use]
    pub fn salt_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
            Self::AesCm128HmacSha1_80 => 14,
        }
    }

    /// Bytes to ask of the DTLS exporter: keys and salts of both directions.
    #[must_use]
    pub fn exporter_len(self) -> usize {
        2 * (self.key_len() + self.salt_len())
    }

    /// By how much a packet grows when it is sealed.
    #[must_use]
    pub fn rtp_tag_len(self) -> usize {
        match self {
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
            Self::AesCm128HmacSha1_80 => 10,
        }
    }

    /// By how much a compound of RTCP grows when it is sealed: tag and index.
    #[must_use]
    pub fn rtcp_overhead(self) -> usize {
        self.rtp_tag_len() + header::RTCP_WORD
    }
}

/// Master key and salt of one direction; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    /// 16 or 32 bytes.
    pub key: Vec<u8>,
    /// 12 (GCM) or 14 (CM) bytes.
    pub salt: Vec<u8>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

/// The keys of both directions, as a handshake leaves them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// What was negotiated.
    pub profile: Profile,
    /// We seal with it.
    pub local: MasterKey,
    /// We open with it.
    pub remote: MasterKey,
}

impl Keys {
    /// Splits what the DTLS exporter gave for `EXTRACTOR-dtls_srtp`.
    ///
    /// `material` holds client key, server key, client salt and server salt, one after the other.
    ///
    /// # Errors
    /// [`SrtpError::KeyMaterial`] unless it has [`Profile::exporter_len`] bytes.
    ///
    /// # Source
    /// RFC 5764, section 4.2.
    pub fn from_exporter(
        profile: Profile,
        material: &[u8],
        we_are_server: bool,
    ) -> Result<Self, SrtpError> {
        let needed = profile.exporter_len();
        let wrong = SrtpError::KeyMaterial { len: material.len(), needed };
        if material.len() != needed {
            return Err(wrong);
        }
        let (keys, salts) = material.split_at_checked(2 * profile.key_len()).ok_or(wrong)?;
        let (client_key, server_key) = keys.split_at_checked(profile.key_len()).ok_or(wrong)?;
        let (client_salt, server_salt) = salts.split_at_checked(profile.salt_len()).ok_or(wrong)?;
        let client = MasterKey { key: client_key.to_vec(), salt: client_salt.to_vec() };
        let server = MasterKey { key: server_key.to_vec(), salt: server_salt.to_vec() };
        Ok(if we_are_server {
            Self { profile, local: server, remote: client }
        } else {
            Self { profile, local: client, remote: server }
        })
    }
}

/// Why a packet was not opened or sealed, or keys were not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// Keys or salts of another length than the profile's.
    #[error("{len} bytes of key material where the profile needs {needed}")]
    KeyMaterial {
        /// What was given.
        len: usize,
        /// What it takes.
        needed: usize,
    },
    /// Shorter than its header and its tag.
    #[error("a packet of {len} bytes that needs {needed}")]
    Truncated {
        /// What is there.
        len: usize,
        /// What its header asks for.
        needed: usize,
    },
    /// Neither RTP nor RTCP.
    #[error("RTP version {version} is not 2")]
    Version {
        /// Two bits.
        version: u8,
    },
    /// The buffer ends before the tag would.
    #[error("a buffer of {room} bytes for a sealed packet of {needed}")]
    NoRoom {
        /// The buffer's length.
        room: usize,
        /// The sealed packet's.
        needed: usize,
    },
    /// As many sources as are kept in one direction.
    #[error("more than {limit} synchronisation sources")]
    TooManySources {
        /// How many there may be.
        limit: usize,
    },
    /// This packet index was used before. Sealing it again would give the key away (RFC 3711, 9.1).
    #[error("a packet index that was used before")]
    Repeated,
    /// Behind the window in which repetitions are noticed, or before the first packet.
    #[error("a packet older than the last {window} packets")]
    TooOld {
        /// How far back repetitions are noticed.
        window: u64,
    },
    /// The tag does not fit: forged, damaged, or sealed with another key.
    #[error("a packet that does not authenticate")]
    Unauthentic,
    /// SRTCP without encryption, which we never negotiate.
    #[error("SRTCP that is not encrypted")]
    Unencrypted,
    /// Every packet index of these keys is used up: 2^48 packets of RTP, 2^31 of RTCP.
    #[error("no packet index is left with these keys")]
    Exhausted,
    /// The cryptographic library refused; not expected with lengths that were checked.
    #[error("the cryptographic library refused")]
    Library,
}

#[cfg(test)]
mod tests;
