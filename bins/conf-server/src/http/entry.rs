//! Who holds an access token, and where it leads: the same for signalling, WHIP and WHEP.
//!
//! Two kinds of tokens come here. A participant of the web client has one that this server minted
//! for its id: it must be in the meeting, and its page must be one of ours. A holder of an API
//! token brings its own identity, may come from a page of any origin (SDKs run in other people's
//! pages, and the token is all the authority there is: no cookie is read), and is let into the
//! room that the token names.
//!
//! Everything is checked before anybody is let in, so a status says what is wrong: 400 request, 401
//! token, 403 not allowed, 409 full, 410 gone, 429 too often, 503 overloaded.

use axum::http::{HeaderMap, StatusCode, header};
use conf_core::{Refusal, RoomCode};
use conf_media::signal::livekit::token::{Claims, TokenError, verify};
use tokio::sync::oneshot;

use super::{ApiError, App, origin};
use crate::clock;
use crate::meeting_task::{Mail, is_participant};
use crate::meetings::{Opening, RoomKey};

/// Whoever has a valid token for a room.
pub(super) struct Holder {
    pub(super) claims: Box<Claims>,
    /// A participant of the web client.
    web: bool,
}

impl Holder {
    /// Checks a token and what it grants.
    ///
    /// # Errors
    /// [`EntryError`] of the token, the page or the grants.
    pub(super) fn check(
        app: &App,
        token: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Self, EntryError> {
        let (claims, own) = read_token(app, token.ok_or(EntryError::NoToken)?)?;
        let web = is_participant(&claims.identity);
        if web && !own {
            return Err(EntryError::IdentityReserved);
        }
        if web && !origin::is_own(headers, app.public_url.as_ref()) {
            return Err(EntryError::Api(ApiError::OriginForeign));
        }
        if !claims.grants.room_join || claims.grants.room.is_empty() {
            return Err(EntryError::NotGranted);
        }
        if claims.grants.room.len() > TEXT || claims.identity.reveal().len() > TEXT {
            return Err(EntryError::TextTooLong);
        }
        Ok(Self { claims: Box::new(claims), web })
    }

    /// Where the token leads.
    pub(super) async fn way(&self, app: &App) -> Way {
        way(app, &self.claims.grants.room, self.web).await
    }
}

/// Where a token leads.
pub(super) enum Way {
    /// To a meeting that its holder must be in.
    Inside(RoomKey),
    /// To a room that it opens.
    Open(Opening),
}

impl Way {
    pub(super) fn room(&self) -> &RoomKey {
        match self {
            Self::Inside(room) => room,
            Self::Open(opening) => opening.key(),
        }
    }

    /// Asks the meeting, which a token that may opens.
    pub(super) async fn ask<T>(
        &self,
        app: &App,
        question: impl Fn(oneshot::Sender<T>) -> Mail,
    ) -> Result<T, EntryError> {
        let answer = match self {
            Self::Inside(room) => app.meetings.ask(room, question).await,
            Self::Open(opening) => app.meetings.ask_opened(opening, question).await,
        };
        answer.map_err(EntryError::Api)
    }
}

/// The claims of a valid token, and whether this server minted it.
fn read_token(app: &App, token: &str) -> Result<(Claims, bool), EntryError> {
    let own = std::cell::Cell::new(false);
    let keys = |name: &str| {
        own.set(name == app.keys.own);
        app.keys.secrets.get(name).map(|secret| secret.reveal().clone())
    };
    let claims = verify(token, &keys, clock::wall()).map_err(EntryError::Token)?;
    Ok((claims, own.get()))
}

/// The token of the `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// Tokens name a room that has a link by its code, any other as they like. By a code that the room
/// had before, whoever is in comes back, and nobody else.
async fn way(app: &App, name: &str, web: bool) -> Way {
    let before = name.parse::<RoomCode>().ok().and_then(|code| app.meetings.by_code(code));
    match (before, app.room(name).await) {
        (Some(room), _) if web => Way::Inside(room),
        (_, Ok(room)) if web => Way::Inside(RoomKey::Room(room.id)),
        (_, Ok(room)) => Way::Open(Opening::of_room(&room)),
        (Some(room), Err(_)) => Way::Inside(room),
        (None, Err(_)) if web => Way::Inside(RoomKey::Name(name.to_owned())),
        (None, Err(_)) => Way::Open(Opening::named(name.to_owned())),
    }
}

/// Why a token's holder was refused. The text is shown to the developer who uses the token.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum EntryError {
    #[error("no access token: neither the query's access_token nor a bearer token is there")]
    NoToken,
    #[error(transparent)]
    Token(TokenError),
    #[error("the token does not grant roomJoin with a room")]
    NotGranted,
    #[error("identities of the form p-0123456789abcdef belong to this server")]
    IdentityReserved,
    #[error("room and identity have at most {TEXT} bytes each")]
    TextTooLong,
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    Api(ApiError),
}

impl EntryError {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NoToken | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::NotGranted | Self::IdentityReserved | Self::Refused(Refusal::StillWaiting) => {
                StatusCode::FORBIDDEN
            }
            Self::Refused(Refusal::MeetingFull { .. }) => StatusCode::CONFLICT,
            Self::TextTooLong | Self::Refused(Refusal::NameInvalid { .. }) => {
                StatusCode::BAD_REQUEST
            }
            Self::Refused(_) => StatusCode::GONE,
            Self::Api(error) => error.status(),
        }
    }

    /// The label of the refusal in the metrics.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::NoToken => "token_missing",
            Self::Token(TokenError::Expired { .. }) => "token_expired",
            Self::Token(_) => "token_invalid",
            Self::NotGranted => "not_granted",
            Self::IdentityReserved => "identity_reserved",
            Self::TextTooLong => "text_too_long",
            Self::Refused(refusal) => refusal.code(),
            Self::Api(error) => error.code(),
        }
    }
}

/// The longest room name and identity of an API token.
const TEXT: usize = 256;
