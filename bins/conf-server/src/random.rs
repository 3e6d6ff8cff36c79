//! Randomness from the operating system.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Random bytes. A system without randomness cannot run this program safely, so it stops.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// 64 random bits, for ids.
pub(crate) fn id() -> u64 {
    u64::from_ne_bytes(bytes())
}

/// `N` random bytes as base64url without padding (RFC 4648, section 5).
pub(crate) fn text<const N: usize>() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<N>())
}
