//! `/rtc/v1`: LiveKit-protocol signalling, and `validate`, which says in words why it was refused.
//!
//! Everything is checked before the websocket opens, so the HTTP status tells a client what is
//! wrong.
//! Whose token leads where is said in [`super::entry`].

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use conf_media::signal::livekit::token::Claims;
use conf_media::signal::livekit::{JoinRequestError, parse_join_request};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::time::timeout;

use super::entry::{self, EntryError, Holder, Way};
use super::websocket::{FAREWELL, Line, converse};
use super::{ApiError, App, Client, Place, Refused, Shared};
use crate::meeting_task::{JoinRequest, Mail, OpenSignal};
use crate::meetings::{RoomKey, Running, Voice};
use crate::metrics::Gauge;
use crate::random;
use crate::socket::{self, Offence};

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
        Err(error) => Err(EntryError::Api(error).into()),
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
    app.take_connection(client, headers).map_err(EntryError::Api)?;
    let place = app.places.take().map_err(EntryError::Api)?;
    let Checked { claims, room, request } = check(app, query, headers, true).await?;
    let request = request.ok_or(RtcError::NoJoinRequest)?;
    let meeting = app.meetings.find(&room).ok_or(EntryError::Api(ApiError::ParticipantGone))?;
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
    let token = asked.access_token.as_deref().or_else(|| entry::bearer(headers));
    let holder = Holder::check(app, token, headers)?;
    // Before anybody is let in, so that a broken request changes nothing.
    let request = asked.join_request.as_deref().map(parse_join_request).transpose()?;
    if enter && request.is_none() {
        return Err(RtcError::NoJoinRequest);
    }
    let way = holder.way(app).await;
    let claims = holder.claims;
    if enter || matches!(way, Way::Inside(_)) {
        let enter = matches!(way, Way::Open(_));
        let question = |answer| Mail::Admit { claims: claims.clone(), enter, answer };
        way.ask(app, question).await?.map_err(EntryError::Refused)?;
    }
    Ok(Checked { claims, room: way.room().clone(), request: request.map(Box::new) })
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
    #[error("join_request is missing")]
    NoJoinRequest,
    #[error(transparent)]
    JoinRequest(#[from] JoinRequestError),
    #[error(transparent)]
    Entry(#[from] EntryError),
}

impl RtcError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Query | Self::NoJoinRequest | Self::JoinRequest(_) => StatusCode::BAD_REQUEST,
            Self::Entry(error) => error.status(),
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Query => "query_invalid",
            Self::NoJoinRequest | Self::JoinRequest(_) => "join_request_invalid",
            Self::Entry(error) => error.label(),
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
const READ_BUFFER: usize = 8 * 1024;
/// Messages that wait for a slow client.
const OUTBOX: usize = 1_024;
