//! Time-limited credentials for a TURN server that is not ours.
//!
//! Server and TURN server share a secret. A user name is the moment at which it ends and something
//! random, its password a tag over it under the secret: the TURN server needs no list of users, and
//! a name says nothing of a person.
//!
//! Source: draft-uberti-behave-turn-rest-00, section 2.2 (coturn: `use-auth-secret`).

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// A TURN server, and how to be let in.
#[derive(Clone)]
pub struct Turn {
    urls: Vec<String>,
    key: hmac::Key,
    ttl: Duration,
}

/// What one client is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Relay {
    /// `turn:` and `turns:` (RFC 7065).
    pub urls: Vec<String>,
    /// When it ends, in seconds since 1970, and something random.
    pub username: String,
    /// Its password.
    pub credential: String,
}

impl Turn {
    /// A server reached at `urls`, with the shared secret; what is given out is good for `ttl`.
    #[must_use]
    pub fn new(urls: Vec<String>, secret: &str, ttl: Duration) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret.as_bytes());
        Self { urls, key, ttl }
    }

    /// A user name and its password, from now on; `random` makes it differ from others of the same
    /// second.
    #[must_use]
    pub fn grant(&self, now: Timestamp, random: &str) -> Relay {
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let username = format!("{}:{random}", now.as_second().saturating_add(ttl));
        let credential = STANDARD.encode(hmac::sign(&self.key, username.as_bytes()));
        Relay { urls: self.urls.clone(), username, credential }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("urls", &self.urls).finish_non_exhaustive()
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Relay(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_the_tag_over_the_end_and_something_random() {
        let urls = vec!["turn:turn.example.org".to_owned()];
        let turn = Turn::new(urls.clone(), "north", Duration::from_secs(3_600));
        let relay = turn.grant(Timestamp::from_second(1_700_000_000).unwrap(), "abc");
        assert_eq!((relay.username.as_str(), relay.urls), ("1700003600:abc", urls));
        // printf 1700003600:abc | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(relay.credential, "IMSPYGMI9e0aXDFcZousOwkA8N0=");
        assert!(!format!("{turn:?}").contains("north"));
    }
}
