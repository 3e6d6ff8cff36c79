//! Ids: random 64-bit numbers that the caller makes, one type per thing.
//!
//! An id is neither secret nor a permission. It prints and travels as its prefix and sixteen hex
//! digits, `p-000000000000002a`.

use std::fmt;
use std::str::FromStr;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an id: {prefix} and 16 lower-case hex digits are expected")]
pub struct IdError {
    prefix: &'static str,
}

/// One websocket of one client; made by whoever owns the sockets, never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
        pub struct $name(u64);

        impl $name {
            /// Takes 64 random bits.
            #[must_use]
            pub const fn from_u64(number: u64) -> Self {
                Self(number)
            }

            /// The number behind the text.
            #[must_use]
            pub const fn as_u64(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{:016x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text, $prefix).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdText { prefix: $prefix }).map(Self)
            }
        }
    )*};
}

ids! {
    /// A person with a sign-in.
    AccountId = "a-";
    /// A lasting place with a link.
    RoomId = "r-";
    /// One run of a room.
    MeetingId = "m-";
    /// One person's visit to a meeting.
    ParticipantId = "p-";
}

struct IdText {
    prefix: &'static str,
}

impl Visitor<'_> for IdText {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and 16 lower-case hex digits", self.prefix)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<u64, E> {
        parse(text, self.prefix).map_err(E::custom)
    }
}

fn parse(text: &str, prefix: &'static str) -> Result<u64, IdError> {
    let digits = text.strip_prefix(prefix).ok_or(IdError { prefix })?;
    let lower_hex = digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digits.len() != DIGITS || !lower_hex {
        return Err(IdError { prefix });
    }
    u64::from_str_radix(digits, 16).map_err(|_| IdError { prefix })
}

const DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_travels_as_prefix_and_sixteen_digits() {
        let id = ParticipantId::from_u64(42);
        assert_eq!(id.to_string(), "p-000000000000002a");
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"p-000000000000002a\"");
        assert_eq!("p-000000000000002a".parse(), Ok(id));
        assert_eq!(serde_json::from_str::<ParticipantId>("\"p-000000000000002a\"").unwrap(), id);
    }

    #[test]
    fn anything_else_is_no_id() {
        for text in [
            "",
            "p-",
            "p-2a",
            "m-000000000000002a",
            "p-000000000000002A",
            "p-+00000000000002a",
            "p-000000000000002a0",
        ] {
            assert!(text.parse::<ParticipantId>().is_err(), "{text}");
        }
    }
}
