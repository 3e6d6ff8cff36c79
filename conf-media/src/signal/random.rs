//! Unpredictable numbers from the seed that the caller gave: the machine reads no entropy itself.

use aws_lc_rs::hmac;

use crate::ice::Credentials;

/// HMAC-SHA-256 of a counter, keyed with the seed.
pub(super) struct Random {
    key: hmac::Key,
    counter: u64,
}

impl Random {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed), counter: 0 }
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        bytes.iter_mut().zip(self.block()).for_each(|(to, from)| *to = from);
        u64::from_le_bytes(bytes)
    }

    /// A synchronisation source: any number but zero.
    pub(super) fn ssrc(&mut self) -> u32 {
        let mut bytes = [0; 4];
        bytes.iter_mut().zip(self.block()).for_each(|(to, from)| *to = from);
        u32::from_le_bytes(bytes).max(1)
    }

    /// Characters of RFC 8839's `ice-char`, 6 bits each; 32 at most.
    pub(super) fn text(&mut self, len: usize) -> String {
        let block = self.block();
        block.into_iter().take(len).map(ice_char).collect()
    }

    /// 96 bits of name, by which checks find their peer, and 144 bits of password.
    pub(super) fn credentials(&mut self) -> Credentials {
        Credentials { ufrag: self.text(16), password: self.text(24) }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let tag = hmac::sign(&self.key, &self.counter.to_le_bytes());
        let mut block = [0; 32];
        block.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        block
    }
}

impl std::fmt::Debug for Random {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Random(…)")
    }
}

fn ice_char(byte: u8) -> char {
    let digit = match byte & 63 {
        letter @ 0..26 => b'A' + letter,
        letter @ 26..52 => b'a' + letter - 26,
        digit @ 52..62 => b'0' + digit - 52,
        62 => b'+',
        _ => b'/',
    };
    char::from(digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_without_repetition() {
        let (mut a, mut b) = (Random::new(&[7; 32]), Random::new(&[7; 32]));
        let first = a.credentials();
        assert_eq!(first, b.credentials());
        assert_ne!(first, a.credentials());
        assert_eq!((first.ufrag.len(), first.password.len()), (16, 24));
        assert_ne!(a.number(), a.number());
        assert_ne!(a.ssrc(), 0);
    }
}
