//! `/rtc/v1`: LiveKit-protocol signalling, and `validate`, which says in words why it was refused.
//!
//! Everything is checked before the websocket opens, so the HTTP status tells a client what is
//! wrong: 400 request, 401 token, 403 not allowed, 409 full, 410 gone, 429 too often, 503 overloaded.
//!
//! Two kinds of tokens come here. A participant of the web client has one that this server minted
//! for its id: it must be in the meeting, and its page must be one of ours. A holder of an API
//! token brings its own identity, may come from a page of any origin (SDKs run in other people's
//! pages, and the token in the address is all the authority there is: no cookie is read), and is
//! let into the room that the token names.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use conf_core::{Refusal, RoomCode};
use conf_media::signal::livekit::token::{Claims, TokenError, verify};
use conf_media::signal::livekit::{JoinRequestError, parse_join_request};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::time::timeout;

use super::websocket::{FAREWELL, Line, converse};
use super::{ApiError, App, Client, Place, Refused, Shared, origin};
use crate::meeting_task::{JoinRequest, Mail, OpenSignal, is_participant};
use crate::meetings::{Opening, RoomKey, Running, Voice};
use crate::metrics::Gauge;
use crate::socket::{self, Offence};
use crate::{clock, random};

/// What the address carries; whatever else clients add is about them and not needed.
#[derive(Deserialize)]
pub(super) struct Asked {
    access_token: Option<String>,
    join_request: Option<String>,
}

/// The query, or that it could not be read.
type Received = Result<Query<Asked>, QueryRejection>;

/// Opens the signalling websocket for the holder of a token.
pub(super) async fn upgrade(
    State(app): Shared,
    Extension(client): Extension<Client>,
    query: Received,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(socket) = socket else { return (StatusCode::NOT_FOUND, "no websocket").into_response() };
    match enter(&app, client, query, &headers).await {
        Ok(admitted) => socket
            .max_message_size(MESSAGE)
            .max_frame_size(MESSAGE)
            .read_buffer_size(READ_BUFFER)
            .on_upgrade(move |socket| serve(app, socket, admitted)),
        Err(error) => error.into_response(),
    }
}

/// Says `success`, or what is wrong with the same request to `/rtc/v1`.
pub(super) async fn validate(
    State(app): Shared,
    Extension(client): Extension<Client>,
    query: Received,
    headers: HeaderMap,
) -> Response {
    let checked = match app.take_connection(client, &headers) {
        Ok(()) => check(&app, query, &headers, false).await,
        Err(error) => Err(RtcError::Api(error)),
    };
    match checked {
        Ok(_) => "success".into_response(),
        Err(error) => error.into_response(),
    }
}

/// A checked request.
struct Checked {
    claims: Box<Claims>,
    room: RoomKey,
    request: Option<Box<JoinRequest>>,
}

/// A request whose sender may come in.
struct Admitted {
    claims: Box<Claims>,
    request: Box<JoinRequest>,
    meeting: Running,
    place: Place,
}

async fn enter(
    app: &App,
    client: Client,
    query: Received,
    headers: &HeaderMap,
) -> Result<Admitted, RtcError> {
    app.take_connection(client, headers).map_err(RtcError::Api)?;
    let place = app.places.take().map_err(RtcError::Api)?;
    let Checked { claims, room, request } = check(app, query, headers, true).await?;
    let request = request.ok_or(RtcError::NoJoinRequest)?;
    let meeting = app.meetings.find(&room).ok_or(RtcError::Api(ApiError::ParticipantGone))?;
    Ok(Admitted { claims, request, meeting, place })
}

/// Checks the token and asks the meeting; with `enter` the holder of an API token is in after it.
async fn check(
    app: &App,
    query: Received,
    headers: &HeaderMap,
    enter: bool,
) -> Result<Checked, RtcError> {
    let Query(asked) = query.map_err(|_| RtcError::Query)?;
    let token = asked.access_token.as_deref().or_else(|| bearer(headers));
    let (claims, own) = read_token(app, token.ok_or(RtcError::NoToken)?)?;
    let web = is_participant(&claims.identity);
    if web && !own {
        return Err(RtcError::IdentityReserved);
    }
    if web && !origin::is_own(headers, app.public_url.as_ref()) {
        return Err(RtcError::Api(ApiError::OriginForeign));
    }
    if !claims.grants.room_join || claims.grants.room.is_empty() {
        return Err(RtcError::NotGranted);
    }
    if claims.grants.room.len() > TEXT || claims.identity.reveal().len() > TEXT {
        return Err(RtcError::TextTooLong);
    }
    // Before anybody is let in, so that a broken request changes nothing.
    let request = asked.join_request.as_deref().map(parse_join_request).transpose()?;
    if enter && request.is_none() {
        return Err(RtcError::NoJoinRequest);
    }
    let way = way(app, &claims.grants.room, web).await;
    let claims = Box::new(claims);
    let question = |enter| {
        let claims = claims.clone();
        move |answer| Mail::Admit { claims: claims.clone(), enter, answer }
    };
    let (room, answer) = match way {
        Way::Inside(room) => {
            let answer = app.meetings.ask(&room, question(false)).await;
            (room, answer.map_err(RtcError::Api)?)
        }
        Way::Open(opening) if enter => {
            let answer = app.meetings.ask_opened(&opening, question(true)).await;
            (opening.key().clone(), answer.map_err(RtcError::Api)?)
        }
        Way::Open(opening) => (opening.key().clone(), Ok(())),
    };
    answer.map_err(RtcError::Refused)?;
    Ok(Checked { claims, room, request: request.map(Box::new) })
}

/// The claims of a valid token, and whether this server minted it.
fn read_token(app: &App, token: &str) -> Result<(Claims, bool), RtcError> {
    let own = std::cell::Cell::new(false);
    let keys = |name: &str| {
        own.set(name == app.keys.own);
        app.keys.secrets.get(name).map(|secret| secret.reveal().clone())
    };
    let claims = verify(token, &keys, clock::wall()).map_err(RtcError::Token)?;
    Ok((claims, own.get()))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// Where a token leads.
enum Way {
    /// To a meeting that its holder must be in.
    Inside(RoomKey),
    /// To a room that it opens.
    Open(Opening),
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

async fn serve(app: Arc<App>, socket: WebSocket, admitted: Admitted) {
    let _counted = Gauge::new(Arc::clone(&app.metrics), |metrics| &metrics.signal_sockets);
    let Admitted { claims, request, meeting, place: _place } = admitted;
    let connection = random::id();
    let (mut sink, mut stream) = socket.split();
    let (outbox, outgoing) = socket::outbox(OUTBOX);
    let signal = Box::new(OpenSignal { connection, claims, request, outbox });
    match meeting.ask(|answer| Mail::Signal { signal, answer }).await {
        Some(Ok(())) => {
            let line = Line {
                voice: Voice::new(meeting),
                outgoing,
                longest: MESSAGE,
                last: Mail::SignalClosed { connection },
            };
            let decode = |message, turn| match message {
                Message::Binary(bytes) => Ok(Mail::SignalMessage { connection, bytes, turn }),
                _ => Err(Offence::WrongKind),
            };
            if let Some(offence) = converse(&mut stream, sink, line, decode).await {
                app.metrics.refuse(offence.code());
            }
        }
        // It ended, or the participant left, since the checks.
        _ => {
            let farewell = socket::say_goodbye(&mut sink, None);
            let _best_effort = timeout(FAREWELL, farewell).await;
        }
    }
    socket::drain(&mut stream).await;
}

/// Why signalling was refused. The text is shown to the developer who uses the SDK.
#[derive(Clone, Debug, thiserror::Error)]
enum RtcError {
    #[error("the query cannot be read")]
    Query,
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
    #[error("join_request is missing")]
    NoJoinRequest,
    #[error(transparent)]
    JoinRequest(#[from] JoinRequestError),
    #[error(transparent)]
    Refused(Refusal),
    #[error(transparent)]
    Api(ApiError),
}

impl RtcError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Query | Self::TextTooLong | Self::NoJoinRequest | Self::JoinRequest(_) => {
                StatusCode::BAD_REQUEST
            }
            Self::NoToken | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::NotGranted | Self::IdentityReserved | Self::Refused(Refusal::StillWaiting) => {
                StatusCode::FORBIDDEN
            }
            Self::Refused(Refusal::MeetingFull { .. }) => StatusCode::CONFLICT,
            Self::Refused(Refusal::NameInvalid { .. }) => StatusCode::BAD_REQUEST,
            Self::Refused(_) => StatusCode::GONE,
            Self::Api(error) => error.status(),
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Query => "query_invalid",
            Self::NoToken => "token_missing",
            Self::Token(TokenError::Expired { .. }) => "token_expired",
            Self::Token(_) => "token_invalid",
            Self::NotGranted => "not_granted",
            Self::IdentityReserved => "identity_reserved",
            Self::TextTooLong => "text_too_long",
            Self::NoJoinRequest | Self::JoinRequest(_) => "join_request_invalid",
            Self::Refused(refusal) => refusal.code(),
            Self::Api(error) => error.code(),
        }
    }
}

impl IntoResponse for RtcError {
    fn into_response(self) -> Response {
        let refused = Refused(self.label());
        (self.status(), Extension(refused), self.to_string()).into_response()
    }
}

/// The longest message of signalling: an offer for a large meeting.
const MESSAGE: usize = conf_media::signal::livekit::MAX_MESSAGE_BYTES;
/// The longest room name and identity of an API token.
const TEXT: usize = 256;
const READ_BUFFER: usize = 8 * 1024;
/// Messages that wait for a slow client.
const OUTBOX: usize = 1_024;
