//! What proves that a client is the participant it says it is.

use std::fmt;

use conf_privacy::Pii;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// A random text that one participant's client keeps; 16 to 128 visible ASCII characters.
///
/// Prints as `…`, and is compared in a time that does not depend on where two texts differ.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(type = "string"))]
pub struct Secret(Pii<String>);

/// Why a text cannot be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a secret has {SHORTEST} to {LONGEST} visible ASCII characters")]
pub struct SecretError;

impl Secret {
    /// Takes the text of a secret.
    ///
    /// # Errors
    /// [`SecretError`] for a text that is too short, too long or has other characters.
    pub fn new(text: String) -> Result<Self, SecretError> {
        let fits = (SHORTEST..=LONGEST).contains(&text.len());
        if !fits || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SecretError);
        }
        Ok(Self(Pii::new(text)))
    }

    /// The text, for the one client it belongs to.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Whether both are the same.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.reveal().as_bytes().ct_eq(other.reveal().as_bytes()).into()
    }
}

impl TryFrom<String> for Secret {
    type Error = SecretError;

    fn try_from(text: String) -> Result<Self, SecretError> {
        Self::new(text)
    }
}

impl From<Secret> for String {
    fn from(secret: Secret) -> Self {
        secret.0.into_revealed()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

const SHORTEST: usize = 16;
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_itself_only_and_never_prints() {
        let a = Secret::new("aaaaaaaaaaaaaaaaaaaaaaaa".to_owned()).unwrap();
        let b = Secret::new("aaaaaaaaaaaaaaaaaaaaaaab".to_owned()).unwrap();
        let c = Secret::new("aaaaaaaaaaaaaaaa".to_owned()).unwrap();
        assert!(a.matches(&a.clone()) && !a.matches(&b) && !a.matches(&c));
        assert_eq!(format!("{a:?}"), "Secret(…)");
    }

    #[test]
    fn a_short_long_or_strange_text_is_no_secret() {
        for text in
            ["", "short", "with a space in the middle", "ümlautümlautümlaut", &"x".repeat(129)]
        {
            assert!(Secret::new(text.to_owned()).is_err());
        }
    }

    #[test]
    fn a_refused_secret_is_not_repeated_in_the_error() {
        let error = serde_json::from_str::<Secret>("\"geheim\"").unwrap_err();
        assert!(!error.to_string().contains("geheim"));
    }
}
