//! Access tokens: who may join which room and do what there.
//!
//! A JSON web token signed with HMAC-SHA-256 by the secret of an API key (`iss`); `sub` is the
//! identity, `video` the grants. The server mints them for its own meetings and takes those that
//! an integrator minted with its key. No clock is read: `now` is an argument.
//!
//! Source: RFC 7519, RFC 7515; claim names as the published client SDKs write them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::types::{Identity, Source};

/// What a token says, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims {
    /// Who.
    pub identity: Identity,
    /// The name that others see.
    pub name: String,
    /// The room and what may be done there.
    pub grants: Grants,
    /// Free text of the integrator, mirrored to all participants.
    pub metadata: String,
    /// Free pairs of the integrator, mirrored to all participants.
    pub attributes: BTreeMap<String, String>,
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims(…)")
    }
}

/// Rights in one room, the `video` claim. An absent right has the default of [`Grants::can_publish`] and its like.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_excessive_bools, reason = "the claim has them one by one")]
pub struct Grants {
    /// May join at all.
    #[serde(skip_serializing_if = "is_false")]
    pub room_join: bool,
    /// The room's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub room: String,
    /// May administer this room over the server API.
    #[serde(skip_serializing_if = "is_false")]
    pub room_admin: bool,
    /// May create rooms over the server API.
    #[serde(skip_serializing_if = "is_false")]
    pub room_create: bool,
    /// May list rooms over the server API.
    #[serde(skip_serializing_if = "is_false")]
    pub room_list: bool,
    /// May publish tracks; absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    /// May receive tracks; absent means yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// May send data packets; absent means as `can_publish`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// Only these sources may be published; empty means every one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<Source>,
    /// May change its own name, metadata and attributes; absent means no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    /// Not shown to others: they neither hear of it nor receive its tracks.
    #[serde(skip_serializing_if = "is_false")]
    pub hidden: bool,
    /// Records; clients show that somebody does.
    #[serde(skip_serializing_if = "is_false")]
    pub recorder: bool,
}

impl Grants {
    /// The rights of an ordinary participant of `room`: join, publish, subscribe.
    #[must_use]
    pub fn participant(room: impl Into<String>) -> Self {
        Self { room_join: true, room: room.into(), ..Self::default() }
    }

    /// May publish anything.
    #[must_use]
    pub fn can_publish(&self) -> bool {
        self.can_publish.unwrap_or(true)
    }

    /// May publish this source.
    #[must_use]
    pub fn can_publish_source(&self, source: Source) -> bool {
        self.can_publish()
            && (self.can_publish_sources.is_empty() || self.can_publish_sources.contains(&source))
    }

    /// May receive tracks.
    #[must_use]
    pub fn can_subscribe(&self) -> bool {
        self.can_subscribe.unwrap_or(true)
    }

    /// May send data packets.
    #[must_use]
    pub fn can_publish_data(&self) -> bool {
        self.can_publish_data.unwrap_or_else(|| self.can_publish())
    }

    /// May change its own name, metadata and attributes.
    #[must_use]
    pub fn can_update_own_metadata(&self) -> bool {
        self.can_update_own_metadata.unwrap_or(false)
    }
}

impl fmt::Debug for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The room's name is its code, a secret: it stays out.
        f.debug_struct("Grants")
            .field("room_join", &self.room_join)
            .field("can_publish", &self.can_publish())
            .field("can_subscribe", &self.can_subscribe())
            .finish_non_exhaustive()
    }
}

/// Why a token was refused. Names nothing of its contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// More bytes than any token needs.
    #[error("the token has {len} bytes, at most {MAX_TOKEN_BYTES} are read")]
    TooLong {
        /// How many it has.
        len: usize,
    },
    /// Not three base64url parts with JSON inside, or a claim of the wrong type.
    #[error("the token cannot be read")]
    Malformed,
    /// Anything but HS256.
    #[error("the token's algorithm is not HS256")]
    Algorithm,
    /// The issuer is not one of our API keys.
    #[error("the token's issuer is no known API key")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature is wrong")]
    Signature,
    /// `exp` is missing.
    #[error("the token has no time of expiry")]
    NoExpiry,
    /// `exp` has passed.
    #[error("the token expired {seconds} s ago")]
    Expired {
        /// How long ago.
        seconds: i64,
    },
    /// `nbf` is still to come.
    #[error("the token is valid only in {seconds} s")]
    TooEarly {
        /// In how long.
        seconds: i64,
    },
    /// No `sub` (or `jti`).
    #[error("the token names no identity")]
    NoIdentity,
}

/// Reads and checks a token: signature, key, time.
///
/// `keys` gives the secret of an API key, or `None` for an unknown one. Times have 60 s of leeway.
/// Whether the grants suffice is the caller's question.
///
/// # Errors
/// A [`TokenError`] that names what was wrong, nothing of the contents.
pub fn verify(
    token: &str,
    keys: &dyn Fn(&str) -> Option<String>,
    now: Timestamp,
) -> Result<Claims, TokenError> {
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TokenError::TooLong { len: token.len() });
    }
    let header = jsonwebtoken::decode_header(token).map_err(|error| refused(&error))?;
    if header.alg != Algorithm::HS256 {
        return Err(TokenError::Algorithm);
    }
    let unverified = jsonwebtoken::dangerous::insecure_decode_claims::<IssuerOnly>(token)
        .map_err(|error| refused(&error))?;
    let secret = keys(&unverified.iss).ok_or(TokenError::UnknownKey)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims.clear();
    validation.validate_exp = false; // against `now`, below: the crate would read a clock
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let wire: WireClaims =
        jsonwebtoken::decode(token, &DecodingKey::from_secret(secret.as_bytes()), &validation)
            .map_err(|error| refused(&error))?
            .claims;
    wire.check(now.as_second())
}

/// Mints tokens with one API key.
#[derive(Clone)]
pub struct Issuer {
    key: String,
    secret: String,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Issuer(…)")
    }
}

impl Issuer {
    /// An issuer with `key` and `secret`, whose tokens live 10 minutes.
    #[must_use]
    pub fn new(key: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { key: key.into(), secret: secret.into() }
    }

    /// A signed token with these claims, valid from `now` on.
    #[must_use]
    pub fn mint(&self, claims: &Claims, now: Timestamp) -> String {
        let issued = now.as_second();
        let lifetime = i64::try_from(LIFETIME.as_secs()).unwrap_or(i64::MAX);
        let wire = WireClaims {
            iss: self.key.clone(),
            sub: claims.identity.reveal().to_owned(),
            jti: String::new(),
            exp: Some(issued.saturating_add(lifetime)),
            nbf: Some(issued),
            name: claims.name.clone(),
            metadata: claims.metadata.clone(),
            attributes: claims.attributes.clone(),
            video: claims.grants.clone(),
        };
        jsonwebtoken::encode(
            &Header::new(Algorithm::HS256),
            &wire,
            &EncodingKey::from_secret(self.secret.as_bytes()),
        )
        .expect("strings and numbers always serialise, HMAC takes every key")
    }
}

#[derive(Deserialize)]
struct IssuerOnly {
    #[serde(default)]
    iss: String,
}

#[derive(Serialize, Deserialize)]
struct WireClaims {
    #[serde(default)]
    iss: String,
    #[serde(default)]
    sub: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    jti: String,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    metadata: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    video: Grants,
}

impl WireClaims {
    fn check(self, now: i64) -> Result<Claims, TokenError> {
        let expiry = self.exp.ok_or(TokenError::NoExpiry)?;
        if now > expiry.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::Expired { seconds: now.saturating_sub(expiry) });
        }
        let start = self.nbf.unwrap_or(i64::MIN);
        if start > now.saturating_add(LEEWAY_SECONDS) {
            return Err(TokenError::TooEarly { seconds: start.saturating_sub(now) });
        }
        let identity = if self.sub.is_empty() { self.jti } else { self.sub };
        if identity.is_empty() {
            return Err(TokenError::NoIdentity);
        }
        Ok(Claims {
            identity: Identity::new(identity),
            name: self.name,
            grants: self.video,
            metadata: self.metadata,
            attributes: self.attributes,
        })
    }
}

fn refused(error: &jsonwebtoken::errors::Error) -> TokenError {
    use jsonwebtoken::errors::ErrorKind;
    match error.kind() {
        ErrorKind::InvalidSignature => TokenError::Signature,
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => TokenError::Algorithm,
        _ => TokenError::Malformed,
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The longest token that is read: HTTP servers take headers of that size.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;
const LEEWAY_SECONDS: i64 = 60;
const LIFETIME: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests;
