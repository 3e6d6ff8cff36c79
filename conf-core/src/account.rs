//! Accounts: people who can sign in, and the rules of what they type.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use conf_privacy::Pii;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::AccountId;
use crate::text::{self, TextError};

/// A person with a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Which account.
    pub id: AccountId,
    /// What people call them.
    pub name: Pii<String>,
    /// What they sign in with; no two accounts have the same.
    pub email: Email,
    /// What they may do outside meetings.
    pub role: AccountRole,
    /// `None`: invited, the link not used yet.
    pub password: Option<PasswordHash>,
    /// When they last signed in.
    pub last_sign_in: Option<Timestamp>,
}

/// What an account may do outside meetings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountRole {
    /// Manages accounts too.
    Administrator,
    /// Has rooms.
    Member,
}

/// An e-mail address, trimmed and in lower case, 3 to 254 characters.
///
/// Only its shape is checked: whether anybody reads there, a message would have to find out.
/// (RFC 5321, section 4.5.3.1.3: a path has at most 256 octets with its brackets.)
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(Pii<String>);

/// Why a text is not an e-mail address. The text itself is not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an e-mail address has one @ between two parts without spaces, {SHORTEST_EMAIL} to {EMAIL_CHARS} characters"
)]
pub struct EmailError;

/// A password as it is stored: the text form of its hash, with salt and costs (PHC format).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Pii<String>);

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too few characters.
    #[error("a password has at least {limit} characters")]
    TooShort {
        /// How many there must be.
        limit: usize,
    },
    /// Too many characters.
    #[error("a password has at most {limit} characters")]
    TooLong {
        /// How many there may be.
        limit: usize,
    },
    /// Guessed at the first try.
    #[error("a password is neither the own name or e-mail address nor a repetition")]
    TooSimple,
}

/// What a one-time link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// Makes the first administrator of a new server.
    FirstAdministrator,
    /// Lets an invited person choose a password.
    Invitation,
    /// Lets somebody choose a new password.
    Reset,
}

/// How long a one-time link may be used.
pub const LINK_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long somebody stays signed in.
pub const SESSION_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Cleans the name of an account: one line, 1 to 60 characters, as in a meeting.
///
/// # Errors
/// [`TextError`] if nothing visible remains, or too much.
pub fn account_name(text: &str) -> Result<Pii<String>, TextError> {
    text::name(text, ACCOUNT_NAME_CHARS).map(Pii::new)
}

/// Whether a password may be chosen: 12 to 256 characters (Unicode scalar values), not a
/// repetition, not the e-mail address or the name.
///
/// # Errors
/// [`PasswordFault`] says why not.
///
/// # Source
/// NIST SP 800-63B, section 5.1.1.2: length, and no values that are expected; no rules of
/// composition.
pub fn check_password(text: &str, email: &Email, name: &str) -> Result<(), PasswordFault> {
    const LONGEST_CHARACTER: usize = 4;
    if text.len() > LONGEST_PASSWORD * LONGEST_CHARACTER {
        return Err(PasswordFault::TooLong { limit: LONGEST_PASSWORD });
    }
    let chars: Vec<char> = text.chars().collect();
    if chars.len() < SHORTEST_PASSWORD {
        return Err(PasswordFault::TooShort { limit: SHORTEST_PASSWORD });
    }
    if chars.len() > LONGEST_PASSWORD {
        return Err(PasswordFault::TooLong { limit: LONGEST_PASSWORD });
    }
    let plain = plain(text);
    let expected = [plain == self::plain(email.reveal()), plain == self::plain(name)];
    if expected.contains(&true) || is_repetition(&chars) {
        return Err(PasswordFault::TooSimple);
    }
    Ok(())
}

impl Email {
    /// The address, for those who may see it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl FromStr for Email {
    type Err = EmailError;

    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        if text.len() > EMAIL_CHARS * 4 {
            return Err(EmailError);
        }
        let address = text.to_lowercase();
        let (local, domain) = address.split_once('@').ok_or(EmailError)?;
        let shaped = !local.is_empty() && !domain.is_empty() && !domain.contains('@');
        let bare = !address.chars().any(|c| c.is_control() || c.is_whitespace());
        let fits = (SHORTEST_EMAIL..=EMAIL_CHARS).contains(&address.chars().count());
        if !(shaped && bare && fits) {
            return Err(EmailError);
        }
        Ok(Self(Pii::new(address)))
    }
}

impl TryFrom<String> for Email {
    type Error = EmailError;

    fn try_from(text: String) -> Result<Self, EmailError> {
        text.parse()
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.0.into_revealed()
    }
}

impl PasswordHash {
    /// Takes the text of a hash.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(Pii::new(text))
    }

    /// The text, to verify a password or to store it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What two spellings of the same have in common.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

/// Whether a text is a shorter one written twice or more (the last time perhaps cut off).
fn is_repetition(chars: &[char]) -> bool {
    let repeats = |period: usize| chars.iter().zip(chars.iter().skip(period)).all(|(a, b)| a == b);
    (1..=chars.len() / 2).any(repeats)
}

const SHORTEST_EMAIL: usize = 3;
/// The longest e-mail address (RFC 5321, section 4.5.3.1.3).
pub const EMAIL_CHARS: usize = 254;
const SHORTEST_PASSWORD: usize = 12;
const LONGEST_PASSWORD: usize = 256;
/// The longest name of an account: the default of a meeting, so that it fits there.
pub const ACCOUNT_NAME_CHARS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    fn ada() -> Email {
        "ada@example.org".parse().unwrap()
    }

    #[test]
    fn an_address_is_trimmed_and_in_lower_case() {
        let email: Email = " Ada@Example.ORG\n".parse().unwrap();
        assert_eq!(email, ada());
        assert_eq!(serde_json::to_string(&email).unwrap(), "\"ada@example.org\"");
        assert_eq!("a@b".parse::<Email>().unwrap().reveal(), "a@b");
    }

    #[test]
    fn what_has_not_one_at_between_two_parts_is_no_address() {
        let long = format!("{}@example.org", "a".repeat(243));
        for text in ["", "ada", "@b", "a@", "a@b@c", "a b@c", "a@b\u{0}c", "a@\u{2003}b", &long] {
            assert_eq!(text.parse::<Email>(), Err(EmailError), "{text:?}");
        }
        let longest = format!("{}@example.org", "a".repeat(242));
        assert_eq!(longest.parse::<Email>().unwrap().reveal(), longest);
        let error = serde_json::from_str::<Email>("\"geheim\"").unwrap_err();
        assert!(!error.to_string().contains("geheim"));
    }

    #[test]
    fn a_password_has_twelve_to_256_characters() {
        let check = |text: &str| check_password(text, &ada(), "Ada");
        let long: String = (0..).filter_map(char::from_u32).skip(0x400).take(256).collect();
        assert_eq!(check("elf Zeichen"), Err(PasswordFault::TooShort { limit: 12 }));
        assert_eq!(check("zwölf Zeiche"), Ok(()));
        assert_eq!(check(&long), Ok(()));
        assert_eq!(check(&format!("{long}x")), Err(PasswordFault::TooLong { limit: 256 }));
        let huge = "x".repeat(1_000_000);
        assert_eq!(check(&huge), Err(PasswordFault::TooLong { limit: 256 }));
    }

    #[test]
    fn a_password_that_is_guessed_first_is_refused() {
        let check = |text: &str| check_password(text, &ada(), "Augusta Ada King");
        for text in [
            "ada@example.org",
            "ADA@example.org",
            "augusta ada king",
            "AugustaAdaKing",
            "aaaaaaaaaaaa",
            "abcabcabcabca",
            "passwordpassword",
        ] {
            assert_eq!(check(text), Err(PasswordFault::TooSimple), "{text}");
        }
        check("correct horse battery").unwrap();
    }

    #[test]
    fn nothing_personal_prints_with_an_account() {
        let account = Account {
            id: AccountId::from_u64(1),
            name: account_name(" Ada  King ").unwrap(),
            email: ada(),
            role: AccountRole::Member,
            password: Some(PasswordHash::new("$argon2id$geheim".to_owned())),
            last_sign_in: None,
        };
        let printed = format!("{account:?} {account:#?}");
        for personal in ["Ada", "ada@", "argon2id"] {
            assert!(!printed.contains(personal), "{personal}");
        }
        assert_eq!(account.name.reveal(), "Ada King");
    }
}
