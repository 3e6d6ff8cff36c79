//! What the HTTP API answers when it refuses: a status and `{"error":{"code","message",…}}`.
//!
//! Every refusal carries its word in an extension of the answer, and [`count`] counts them all.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::metrics::Metrics;

/// The word of a refusal, in the extensions of the answer.
#[derive(Clone, Copy)]
pub(super) struct Refused(pub(super) &'static str);

/// Counts refusals, whoever made them.
pub(super) async fn count(
    State(metrics): State<Arc<Metrics>>,
    request: Request,
    next: Next,
) -> Response {
    let response = next.run(request).await;
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
            Self::HostForeign => "host_foreign",
            Self::TooManySockets { .. } => "too_many_sockets",
            Self::Unavailable => "unavailable",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
        }
    }

    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::RoomUnknown | Self::NotFound => StatusCode::NOT_FOUND,
            Self::MeetingFull { .. } | Self::LobbyFull { .. } => StatusCode::CONFLICT,
            Self::TooManyMeetings { .. } | Self::TooManySockets { .. } | Self::Unavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NameInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::SecretWrong => StatusCode::UNAUTHORIZED,
            Self::ParticipantGone => StatusCode::GONE,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyInvalid => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OriginForeign => StatusCode::FORBIDDEN,
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
            | Self::BodyTooLarge { limit } => Some(limit),
            _ => None,
        }
    }

    const fn retry_after(self) -> Option<u64> {
        match self {
            Self::TooManyRequests { retry_after } => Some(retry_after),
            _ => None,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let error = Body {
            code: self.code(),
            message: self.to_string(),
            limit: self.limit(),
            retry_after: self.retry_after(),
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
}
