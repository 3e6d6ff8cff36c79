//! Rooms: lasting places where meetings happen, opened by a link.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use conf_privacy::Pii;
use serde::{Deserialize, Serialize};

use crate::id::{AccountId, RoomId};
use crate::text::{self, TextError};

/// A lasting place with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// Which room.
    pub id: RoomId,
    /// Whose it is; `None` is the open room, which belongs to nobody.
    pub owner: Option<AccountId>,
    /// What its link carries.
    pub code: RoomCode,
    /// What people call it.
    pub title: Option<Pii<String>>,
    /// How its meetings begin.
    pub options: RoomOptions,
}

/// How the meetings of a room begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct RoomOptions {
    /// Viewers are muted when they first switch their microphone on.
    pub mute_on_start: bool,
    /// Who has to wait.
    pub lobby: Lobby,
    /// Who must be there first.
    pub start: Start,
}

/// Whether those who come wait until a moderator lets them in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Lobby {
    /// They come straight in.
    #[default]
    Off,
    /// They wait.
    Ask,
}

/// Who begins a meeting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub enum Start {
    /// Whoever comes first.
    #[default]
    Anyone,
    /// The owner; whoever comes before them, or when no moderator is there, waits.
    Owner,
}

/// Cleans the title of a room: one line, 1 to 100 characters.
///
/// # Errors
/// [`TextError`] if nothing visible remains, or too much.
pub fn room_title(text: &str) -> Result<Pii<String>, TextError> {
    text::name(text, ROOM_TITLE_CHARS).map(Pii::new)
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

/// The longest title.
pub const ROOM_TITLE_CHARS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_visible_line_of_100_characters() {
        assert_eq!(room_title("  Sea \n shanties ").unwrap().reveal(), "Sea shanties");
        assert_eq!(room_title("\u{200b}"), Err(TextError::Empty));
        assert_eq!(room_title(&"x".repeat(101)), Err(TextError::TooLong { limit: 100 }));
    }

    #[test]
    fn options_read_as_they_are_written_and_are_open_by_default() {
        let json = r#"{"mute_on_start":false,"lobby":"off","start":"anyone"}"#;
        assert_eq!(serde_json::to_string(&RoomOptions::default()).unwrap(), json);
        assert_eq!(serde_json::from_str::<RoomOptions>(json).unwrap(), RoomOptions::default());
    }

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
