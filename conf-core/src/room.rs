//! Rooms: lasting places where meetings happen, opened by a link.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conf_privacy::Pii;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::RoomId;

/// A lasting place with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// What its link carries.
    pub code: RoomCode,
    /// What people call it.
    pub title: Option<Pii<String>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// 96 random bits in a link, written as 16 characters of base64url (RFC 4648, section 5).
///
/// Whoever knows it may knock, so `Debug` does not print it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoomCode([u8; Self::BYTES]);

/// Why a text is not a room's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a room's code has 16 letters, digits, - or _")]
pub struct RoomCodeError;

impl RoomCode {
    /// Random bytes in a code.
    pub const BYTES: usize = 12;

    /// Takes random bytes of the caller.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

impl FromStr for RoomCode {
    type Err = RoomCodeError;

    fn from_str(text: &str) -> Result<Self, RoomCodeError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| RoomCodeError)?;
        bytes.try_into().map(Self).map_err(|_| RoomCodeError)
    }
}

impl TryFrom<String> for RoomCode {
    type Error = RoomCodeError;

    fn try_from(text: String) -> Result<Self, RoomCodeError> {
        text.parse()
    }
}

impl From<RoomCode> for String {
    fn from(code: RoomCode) -> Self {
        code.to_string()
    }
}

impl fmt::Display for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for RoomCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RoomCode(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_reads_back_as_written() {
        let code = RoomCode::from_bytes([0xfb, 0xff, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(code.to_string(), "-_8AAQIDBAUGBwgJ");
        assert_eq!("-_8AAQIDBAUGBwgJ".parse(), Ok(code));
        assert_eq!(format!("{code:?}"), "RoomCode(…)");
    }

    #[test]
    fn other_lengths_and_alphabets_are_no_code() {
        let long = "A".repeat(100_000);
        for text in [
            "",
            "-_8AAQIDBAUGBwg",
            "-_8AAQIDBAUGBwgJA",
            "+/8AAQIDBAUGBwgJ",
            "-_8AAQIDBAUGBwg=",
            &long,
        ] {
            assert_eq!(text.parse::<RoomCode>(), Err(RoomCodeError));
        }
    }
}
