//! Tokens of the cookie and of one-time links: 32 random bytes, of which only a digest is kept.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conf_privacy::Pii;
use conf_store::Digest;

use crate::random;

/// A new token: its text, for whoever it belongs to, and the digest, for the store.
pub(crate) fn fresh() -> (Pii<String>, Digest) {
    let bytes: [u8; BYTES] = random::bytes();
    (Pii::new(URL_SAFE_NO_PAD.encode(bytes)), hashed(&bytes))
}

/// The digest of a token's text; `None` where it cannot be one.
pub(super) fn read(text: &str) -> Option<Digest> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    (bytes.len() == BYTES).then(|| hashed(&bytes))
}

fn hashed(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(digest(&SHA256, bytes).as_ref()) {
        *to = *from;
    }
    out
}

const BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_to_its_digest_and_no_other() {
        let (text, digest) = fresh();
        assert_eq!(read(text.reveal()), Some(digest));
        assert_ne!(read(fresh().0.reveal()), Some(digest));
        assert_eq!(hashed(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let long = "A".repeat(44);
        for text in ["", "A", "ü", &long, &format!("{}=", "A".repeat(43)), &"+".repeat(43)] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
