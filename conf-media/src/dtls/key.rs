//! Our private key, read once: all handshakes of the process sign with it.
//!
//! Left alone, the backend parses and checks the key again for every peer, and keeps a copy of it as
//! long as the peer is there.

use std::fmt;
use std::sync::Arc;

use ::dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, KeyProvider, SignatureAlgorithm, SigningKey,
};
use ::dimpl::{CryptoError, CryptoOperation};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

/// The backend's usual algorithms, with one key. The backend wants it for ever, so it stays in
/// memory: make one a process. `None` if `der` is no PKCS #8 of a key on P-256.
pub(super) fn provider(der: &[u8]) -> Option<CryptoProvider> {
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?;
    let usual = ::dimpl::crypto::aws_lc_rs::default_provider();
    let key_provider = Box::leak(Box::new(Shared(Arc::new(pair))));
    Some(CryptoProvider { key_provider, ..usual })
}

#[derive(Clone)]
struct Shared(Arc<EcdsaKeyPair>);

impl KeyProvider for Shared {
    fn load_private_key(&self, _der: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        Ok(Box::new(self.clone()))
    }
}

impl SigningKey for Shared {
    fn sign(&mut self, data: &[u8], hash: HashAlgorithm, out: &mut Buf) -> Result<(), CryptoError> {
        let key_hash = self.hash_algorithm();
        if hash != key_hash {
            return Err(CryptoError::SigningKeyHashMismatch { key_hash, requested: hash });
        }
        let signature = self
            .0
            .sign(&SystemRandom::new(), data)
            .map_err(|_| CryptoError::OperationFailed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signature.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared(…)")
    }
}
