//! Session keys out of master keys.
//!
//! Sources: RFC 3711, section 4.3 (key derivation rate 0); RFC 7714, section 11, and RFC 6188 for
//! AES-256.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;

use super::{MasterKey, Profile, SrtpError};

/// What one kind of packets is protected with.
pub(super) struct Session {
    /// [`Profile::key_len`] bytes.
    pub(super) key: Vec<u8>,
    /// Of HMAC-SHA1; unused with GCM.
    pub(super) authentication: [u8; AUTHENTICATION_KEY],
    /// Right-aligned: 96 (GCM) or 112 (CM) bits.
    pub(super) salt: u128,
}

/// Session keys of RTP and of RTCP.
pub(super) struct Sessions {
    pub(super) rtp: Session,
    pub(super) rtcp: Session,
}

impl Sessions {
    pub(super) fn derive(profile: Profile, master: &MasterKey) -> Result<Self, SrtpError> {
        let (key_len, salt_len) = (profile.key_len(), profile.salt_len());
        if master.key.len() != key_len {
            return Err(SrtpError::KeyMaterial { len: master.key.len(), needed: key_len });
        }
        if master.salt.len() != salt_len {
            return Err(SrtpError::KeyMaterial { len: master.salt.len(), needed: salt_len });
        }
        let function = Function::new(master)?;
        Ok(Self { rtp: function.session(profile, 0)?, rtcp: function.session(profile, 3)? })
    }
}

/// The pseudo-random function: AES in counter mode under the master key.
struct Function {
    key: EncryptingKey,
    /// 112 bits: a shorter salt is filled up with zeros on its right.
    salt: u128,
}

impl Function {
    fn new(master: &MasterKey) -> Result<Self, SrtpError> {
        let missing = MASTER_SALT.saturating_sub(master.salt.len());
        Ok(Self { key: counter_mode(&master.key)?, salt: bits(&master.salt) << (8 * missing) })
    }

    /// `label` is that of the encryption key; authentication key and salt follow it.
    fn session(&self, profile: Profile, label: u8) -> Result<Session, SrtpError> {
        let mut session = Session {
            key: vec![0; profile.key_len()],
            authentication: [0; AUTHENTICATION_KEY],
            salt: 0,
        };
        self.fill(label, &mut session.key)?;
        self.fill(label + 1, &mut session.authentication)?;
        let mut salt = vec![0; profile.salt_len()];
        self.fill(label + 2, &mut salt)?;
        session.salt = bits(&salt);
        Ok(session)
    }

    fn fill(&self, label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
        let block = (self.salt ^ (u128::from(label) << 48)) << 16;
        out.fill(0);
        apply_counter_mode(&self.key, block, out)
    }
}

/// Sets an AES key of 16 or 32 bytes up.
pub(super) fn counter_mode(key: &[u8]) -> Result<EncryptingKey, SrtpError> {
    let algorithm = if key.len() == AES_256_KEY { &AES_256 } else { &AES_128 };
    UnboundCipherKey::new(algorithm, key)
        .and_then(EncryptingKey::ctr)
        .map_err(|_| SrtpError::Library)
}

/// Adds the key stream that starts with the counter block; twice is not at all.
pub(super) fn apply_counter_mode(
    key: &EncryptingKey,
    block: u128,
    in_out: &mut [u8],
) -> Result<(), SrtpError> {
    let context = EncryptionContext::Iv128(FixedLength::from(block.to_be_bytes()));
    key.less_safe_encrypt(in_out, context).map(|_| ()).map_err(|_| SrtpError::Library)
}

fn bits(bytes: &[u8]) -> u128 {
    bytes.iter().fold(0, |bits, byte| (bits << 8) | u128::from(*byte))
}

const AES_256_KEY: usize = 32;
const AUTHENTICATION_KEY: usize = 20;
const MASTER_SALT: usize = 14;
