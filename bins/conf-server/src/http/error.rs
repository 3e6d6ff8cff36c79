//! What the HTTP API answers when it refuses: a status and `{"error":{"code","message",…}}`.
//!
//! Every refusal carries its word in an extension of the answer, and [`count`] counts them all.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use conf_core::account::PasswordFault;
use conf_store::StoreError;
use serde::Serialize;

use crate::metrics::Metrics;
use crate::password::Busy;

/// The word of a refusal, in the extensions of the answer.
#[derive(Clone, Copy)]
pub(super) struct Refused(pub(super) &'static str);

/// Counts requests, and refusals, whoever made them.
pub(super) async fn count(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
    metrics.request(response.status());
    if let Some(Refused(word)) = response.extensions().get() {
        metrics.refuse(word);
    }
    response
}

/// A refusal of the HTTP API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("there is no such room")]
    RoomUnknown,
    #[error("the meeting is full ({limit} participants)")]
    MeetingFull { limit: usize },
    #[error("the lobby is full ({limit} people)")]
    LobbyFull { limit: usize },
    #[error("this server runs as many meetings as it takes ({limit})")]
    TooManyMeetings { limit: usize },
    #[error("a name has 1 to {limit} visible characters")]
    NameInvalid { limit: usize },
    #[error("the secret is not this participant's")]
    SecretWrong,
    #[error("the participant is not in the meeting any more")]
    ParticipantGone,
    #[error("too many requests, the next in {retry_after} s")]
    TooManyRequests { retry_after: u64 },
    #[error("the body is not the expected JSON")]
    BodyInvalid,
    #[error("the body is longer than {limit} bytes")]
    BodyTooLarge { limit: usize },
    #[error("the body's type is not application/json")]
    NotJson,
    #[error("the page that asks is not one of this server")]
    OriginForeign,
    #[error("the request names no page that it comes from")]
    OriginMissing,
    #[error("nobody is signed in")]
    NotSignedIn,
    #[error("this account may not do this")]
    NotAllowed,
    #[error("no account has this e-mail address and password")]
    SignInWrong,
    #[error("this is not the password of the account")]
    PasswordWrong,
    #[error(transparent)]
    PasswordUnfit(#[from] PasswordFault),
    #[error("an e-mail address has one @ and at most {limit} characters")]
    EmailInvalid { limit: usize },
    #[error("another account has this e-mail address")]
    EmailTaken,
    #[error("there is no such account")]
    AccountUnknown,
    #[error("this is the last administrator")]
    LastAdministrator,
    #[error("the link was used, is older than a day, or never was")]
    LinkUnknown,
    #[error("a title has 1 to {limit} visible characters")]
    TitleInvalid { limit: usize },
    #[error("this account has as many rooms as it may ({limit})")]
    TooManyRooms { limit: usize },
    #[error("the server is busy, try again in {retry_after} s")]
    Busy { retry_after: u64 },
    #[error("the query of the address is not understood")]
    QueryInvalid,
    #[error("this server has another name: its address, localhost, or that of http.public_url")]
    HostForeign,
    #[error("this server has as many websockets open as it takes ({limit})")]
    TooManySockets { limit: usize },
    #[error("the server is stopping or overloaded")]
    Unavailable,
    #[error("there is nothing at this address")]
    NotFound,
    #[error("this address does not take this method")]
    MethodNotAllowed,
}

impl ApiError {
    /// The word for programs, also the label of the refusal in the metrics.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::RoomUnknown => "room_unknown",
            Self::MeetingFull { .. } => "meeting_full",
            Self::LobbyFull { .. } => "lobby_full",
            Self::TooManyMeetings { .. } => "too_many_meetings",
            Self::NameInvalid { .. } => "name_invalid",
            Self::SecretWrong => "secret_wrong",
            Self::ParticipantGone => "participant_gone",
            Self::TooManyRequests { .. } => "too_many_requests",
            Self::BodyInvalid => "body_invalid",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::NotJson => "not_json",
            Self::OriginForeign => "origin_foreign",
            Self::OriginMissing => "origin_missing",
            Self::NotSignedIn => "not_signed_in",
            Self::NotAllowed => "not_allowed",
            Self::SignInWrong => "sign_in_wrong",
            Self::PasswordWrong => "password_wrong",
            Self::PasswordUnfit(_) => "password_unfit",
            Self::EmailInvalid { .. } => "email_invalid",
            Self::EmailTaken => "email_taken",
            Self::AccountUnknown => "account_unknown",
            Self::LastAdministrator => "last_administrator",
            Self::LinkUnknown => "link_unknown",
            Self::TitleInvalid { .. } => "title_invalid",
            Self::TooManyRooms { .. } => "too_many_rooms",
            Self::Busy { .. } => "busy",
            Self::QueryInvalid => "query_invalid",
            Self::HostForeign => "host_foreign",
            Self::TooManySockets { .. } => "too_many_sockets",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::RoomUnknown | Self::NotFound | Self::AccountUnknown | Self::LinkUnknown => {
                StatusCode::NOT_FOUND
            }
            Self::MeetingFull { .. }
            | Self::LobbyFull { .. }
            | Self::EmailTaken
            | Self::LastAdministrator
            | Self::TooManyRooms { .. } => StatusCode::CONFLICT,
            Self::TooManyMeetings { .. }
            | Self::TooManySockets { .. }
            | Self::Busy { .. }
            | Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NameInvalid { .. }
            | Self::PasswordUnfit(_)
            | Self::EmailInvalid { .. }
            | Self::TitleInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::SecretWrong | Self::NotSignedIn | Self::SignInWrong | Self::PasswordWrong => {
                StatusCode::UNAUTHORIZED
            }
            Self::ParticipantGone => StatusCode::GONE,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyInvalid | Self::QueryInvalid => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OriginForeign | Self::OriginMissing | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::HostForeign => StatusCode::MISDIRECTED_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    const fn limit(self) -> Option<usize> {
        match self {
            Self::MeetingFull { limit }
            | Self::LobbyFull { limit }
            | Self::TooManyMeetings { limit }
            | Self::TooManySockets { limit }
            | Self::NameInvalid { limit }
            | Self::EmailInvalid { limit }
            | Self::TitleInvalid { limit }
            | Self::TooManyRooms { limit }
            | Self::PasswordUnfit(
                PasswordFault::TooShort { limit } | PasswordFault::TooLong { limit },
            )
            | Self::BodyTooLarge { limit } => Some(limit),
            _ => None,
        }
    }

    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooManyRequests { retry_after } | Self::Busy { retry_after } => Some(retry_after),
            _ => None,
        }
    }

    /// In which way something is unfit.
    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::PasswordUnfit(PasswordFault::TooShort { .. }) => Some("too_short"),
            Self::PasswordUnfit(PasswordFault::TooLong { .. }) => Some("too_long"),
            Self::PasswordUnfit(PasswordFault::TooSimple) => Some("too_simple"),
            _ => None,
        }
    }
}

impl From<StoreError> for ApiError {
    /// What went wrong with the store itself is for the operator: a count, and a line in the log.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::EmailTaken => Self::EmailTaken,
            StoreError::LastAdministrator => Self::LastAdministrator,
            StoreError::LinkUnknown | StoreError::AdministratorExists => Self::LinkUnknown,
            StoreError::Missing { .. } => Self::NotFound,
            _ => {
                tracing::error!("the store did not answer");
                Self::Unavailable
            }
        }
    }
}

impl From<Busy> for ApiError {
    fn from(Busy: Busy) -> Self {
        Self::Busy { retry_after: BUSY_SECONDS }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = Body {
            code: self.code(),
            message: self.to_string(),
            limit: self.limit(),
            retry_after: self.retry_after(),
            reason: self.reason(),
        };
        let mut response = (self.status(), Json(Envelope { error })).into_response();
        if let Some(seconds) = self.retry_after() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Refused(self.code()));
        response
    }
}

#[derive(Serialize)]
struct Envelope {
    error: Body,
}

#[derive(Serialize)]
struct Body {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

/// As long as a full line of passwords takes about.
const BUSY_SECONDS: u64 = 3;
