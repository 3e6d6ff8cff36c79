//! Encryption and tag of one packet, with keys that are set up.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::EncryptingKey;
use aws_lc_rs::{constant_time, hmac};

use super::derive::{Session, apply_counter_mode, counter_mode};
use super::header::{RTCP_HEADER, RTCP_WORD};
use super::{Profile, SrtpError};

/// The keys of RTP or of RTCP, in one direction.
pub(super) enum Protection {
    /// RFC 7714.
    Gcm { key: LessSafeKey, salt: u128 },
    /// RFC 3711, section 4. On the heap: it takes 2 KiB, which peers with GCM do without.
    Cm(Box<CounterMode>),
}

/// AES in counter mode beside HMAC-SHA1.
pub(super) struct CounterMode {
    key: EncryptingKey,
    authentication: hmac::Key,
    salt: u128,
}

/// Which packet this is: makes its initialisation vector, hence never twice with one key.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    pub(super) ssrc: u32,
    /// 48 bits (RTP: rollover counter and sequence number) or 31 (RTCP).
    pub(super) index: u64,
}

/// What is authenticated beside the packet.
#[derive(Clone, Copy)]
pub(super) enum Beside {
    /// The rollover counter: not sent, and part of GCM's initialisation vector anyway.
    Rollover([u8; 4]),
    /// The word with SRTCP's index.
    Word([u8; RTCP_WORD]),
}

impl Protection {
    pub(super) fn new(profile: Profile, session: &Session) -> Result<Self, SrtpError> {
        let salt = session.salt;
        let algorithm = match profile {
            Profile::AeadAes128Gcm => &AES_128_GCM,
            Profile::AeadAes256Gcm => &AES_256_GCM,
            Profile::AesCm128HmacSha1_80 => {
                let authentication =
                    hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &session.authentication);
                let key = counter_mode(&session.key)?;
                return Ok(Self::Cm(Box::new(CounterMode { key, authentication, salt })));
            }
        };
        let key = UnboundKey::new(algorithm, &session.key).map_err(|_| SrtpError::Library)?;
        Ok(Self::Gcm { key: LessSafeKey::new(key), salt })
    }

    /// Encrypts `packet` behind its first `clear` bytes and writes the tag.
    pub(super) fn seal(
        &self,
        identity: Identity,
        beside: Beside,
        (packet, clear): (&mut [u8], usize),
        tag: &mut [u8],
    ) -> Result<(), SrtpError> {
        let (head, body) = packet.split_at_mut_checked(clear).ok_or(SrtpError::Library)?;
        match self {
            Self::Gcm { key, salt } => {
                let nonce = identity.nonce(*salt);
                let made = match associated(head, beside)? {
                    Associated::Head(head) => {
                        key.seal_in_place_separate_tag(nonce, Aad::from(head), body)
                    }
                    Associated::WithWord(both) => {
                        key.seal_in_place_separate_tag(nonce, Aad::from(both), body)
                    }
                };
                write(tag, made.map_err(|_| SrtpError::Library)?.as_ref())
            }
            Self::Cm(keys) => {
                let CounterMode { key, authentication, salt } = &**keys;
                apply_counter_mode(key, identity.block(*salt), body)?;
                write(tag, authenticate(authentication, packet, beside).as_ref())
            }
        }
    }

    /// Checks the tag of `packet` and decrypts behind its first `clear` bytes.
    ///
    /// `tag_len` bytes of tag end the packet. What the packet holds after an error is not defined.
    pub(super) fn open(
        &self,
        identity: Identity,
        beside: Beside,
        (packet, clear): (&mut [u8], usize),
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        match self {
            Self::Gcm { key, salt } => {
                let nonce = identity.nonce(*salt);
                let (head, body) = packet.split_at_mut_checked(clear).ok_or(SrtpError::Library)?;
                let opened = match associated(head, beside)? {
                    Associated::Head(head) => {
                        key.open_in_place_separate_tag(nonce, Aad::from(head), tag, body)
                    }
                    Associated::WithWord(both) => {
                        key.open_in_place_separate_tag(nonce, Aad::from(both), tag, body)
                    }
                };
                opened.map(|_| ()).map_err(|_| SrtpError::Unauthentic)
            }
            Self::Cm(keys) => {
                let CounterMode { key, authentication, salt } = &**keys;
                let made = authenticate(authentication, packet, beside);
                let made = made.as_ref().get(..tag.len()).ok_or(SrtpError::Library)?;
                constant_time::verify_slices_are_equal(made, tag)
                    .map_err(|_| SrtpError::Unauthentic)?;
                let body = packet.get_mut(clear..).ok_or(SrtpError::Library)?;
                apply_counter_mode(key, identity.block(*salt), body)
            }
        }
    }
}

impl Identity {
    /// RFC 7714, sections 8.1 and 9.1: the 96-bit salt and what identifies the packet.
    fn nonce(self, salt: u128) -> Nonce {
        let bits = salt ^ (u128::from(self.ssrc) << 48) ^ u128::from(self.index);
        let [_, _, _, _, nonce @ ..] = bits.to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }

    /// RFC 3711, section 4.1.1: the first counter block, its lowest 16 bits free for counting.
    pub(super) fn block(self, salt: u128) -> u128 {
        (salt << 16) ^ (u128::from(self.ssrc) << 64) ^ (u128::from(self.index) << 16)
    }
}

/// What GCM authenticates without encrypting it.
enum Associated<'a> {
    Head(&'a [u8]),
    WithWord([u8; RTCP_HEADER + RTCP_WORD]),
}

fn associated(head: &[u8], beside: Beside) -> Result<Associated<'_>, SrtpError> {
    let Beside::Word(word) = beside else { return Ok(Associated::Head(head)) };
    let mut both = [0; RTCP_HEADER + RTCP_WORD];
    let (start, end) = both.split_at_mut(RTCP_HEADER);
    write(start, head)?;
    write(end, &word)?;
    Ok(Associated::WithWord(both))
}

/// RFC 3711, section 4.2: over the packet and what is beside it.
fn authenticate(key: &hmac::Key, packet: &[u8], beside: Beside) -> hmac::Tag {
    let (Beside::Rollover(word) | Beside::Word(word)) = beside;
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(&word);
    context.sign()
}

/// Copies as much as `to` takes.
fn write(to: &mut [u8], from: &[u8]) -> Result<(), SrtpError> {
    to.copy_from_slice(from.get(..to.len()).ok_or(SrtpError::Library)?);
    Ok(())
}
