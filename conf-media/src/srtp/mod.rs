//! SRTP and SRTCP, opened and sealed in place (being written).

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

/// Master key and salt of one direction; never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey {
    /// 16 or 32 bytes.
    pub key: Vec<u8>,
    /// 12 (GCM) or 14 (CM) bytes.
    pub salt: Vec<u8>,
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
