//! `/api/meeting/ws`: the meeting websocket. Decodes frames for the meeting; the meeting answers
//! through the outbox it is given.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use conf_core::wire::{ClientMessage, Goodbye, Hello, VERSION};
use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use tokio::time::timeout;

use super::websocket::{FAREWELL, Line, converse};
use super::{ApiError, App, Client, Place, Shared, origin};
use crate::meeting_task::{Attach, Mail, Turn, goodbye};
use crate::meetings::Voice;
use crate::metrics::Gauge;
use crate::random;
use crate::socket::{self, Offence};

/// Checks where the page comes from and opens the websocket.
pub(super) async fn upgrade(
    State(app): Shared,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(socket) = socket else { return ApiError::NotFound.into_response() };
    match admit(&app, client, &headers) {
        Ok(place) => socket
            .max_message_size(app.limits.message_bytes)
            .max_frame_size(app.limits.message_bytes)
            .read_buffer_size(READ_BUFFER)
            .on_upgrade(move |socket| serve(app, socket, place)),
        Err(error) => error.into_response(),
    }
}

fn admit(app: &App, client: Client, headers: &HeaderMap) -> Result<Place, ApiError> {
    if !origin::is_own(headers, app.public_url.as_ref()) {
        return Err(ApiError::OriginForeign);
    }
    app.take_connection(client, headers)?;
    app.places.take()
}

async fn serve(app: Arc<App>, socket: WebSocket, _place: Place) {
    let _counted = Gauge::new(Arc::clone(&app.metrics), |metrics| &metrics.meeting_sockets);
    let (mut sink, mut stream) = socket.split();
    let mut stopping = app.stopping.clone();
    let hello = tokio::select! {
        hello = timeout(HELLO, hello(&mut stream)) => hello.unwrap_or(Err(Goodbye::Unknown)),
        _ = stopping.wait_for(|stopping| *stopping) => Err(Goodbye::Ended),
        Ok(()) = app.places.stranger() => return app.metrics.refuse("too_many_strangers"),
    };
    let attached = match hello {
        Ok(hello) => attach(&app, hello).await,
        Err(reason) => Err(reason),
    };
    match attached {
        Ok(attached) => {
            let Attached { connection, line } = attached;
            let decode = |message, turn| decode(connection, &message, turn);
            if let Some(offence) = converse(&mut stream, sink, line, decode).await {
                app.metrics.refuse(offence.code());
            }
        }
        Err(reason) => {
            app.metrics.refuse(word(reason));
            let last = Some(goodbye(reason));
            let _best_effort = timeout(FAREWELL, socket::say_goodbye(&mut sink, last)).await;
        }
    }
    socket::drain(&mut stream).await;
}

async fn hello(stream: &mut SplitStream<WebSocket>) -> Result<Hello, Goodbye> {
    let text = loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => break text,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return Err(Goodbye::Unknown),
        }
    };
    // Another version's hello may have other fields, but always this one.
    let version = serde_json::from_str::<Versioned>(&text).map_err(|_| Goodbye::Unknown)?;
    if version.version.is_some_and(|version| version != VERSION) {
        return Err(Goodbye::Version);
    }
    match serde_json::from_str(&text) {
        Ok(ClientMessage::Hello(hello)) => Ok(hello),
        _ => Err(Goodbye::Unknown),
    }
}

/// A connection that belongs to a participant, or to somebody who waits.
struct Attached {
    connection: u64,
    line: Line,
}

async fn attach(app: &App, hello: Hello) -> Result<Attached, Goodbye> {
    let meeting = app.meetings.by_code(hello.room).and_then(|room| app.meetings.find(&room));
    let meeting = meeting.ok_or(Goodbye::Unknown)?;
    let connection = random::id();
    let (outbox, outgoing) = socket::outbox(OUTBOX);
    let attach = Attach {
        participant: hello.participant,
        secret: hello.secret,
        connection,
        resume_from: hello.resume_from,
        outbox,
    };
    let answer = meeting.ask(|answer| Mail::Attach { attach, answer }).await;
    let answer = answer.ok_or(Goodbye::Ended)?;
    answer.map_err(|refusal| refusal.goodbye())?;
    let line = Line {
        voice: Voice::new(meeting),
        outgoing,
        longest: app.limits.message_bytes,
        last: Mail::Detach { connection },
    };
    Ok(Attached { connection, line })
}

fn decode(connection: u64, message: &Message, turn: Turn) -> Result<Mail, Offence> {
    let Message::Text(text) = message else { return Err(Offence::WrongKind) };
    match serde_json::from_str(text) {
        Ok(ClientMessage::Command(request)) => Ok(Mail::Command { connection, request, turn }),
        Ok(ClientMessage::Ping) => Ok(Mail::Ping { connection, turn }),
        Ok(ClientMessage::Hello(_)) | Err(_) => Err(Offence::Unreadable),
    }
}

/// The label of a refused hello in the metrics.
const fn word(reason: Goodbye) -> &'static str {
    match reason {
        Goodbye::Ended => "hello_after_end",
        Goodbye::Removed => "hello_of_removed",
        Goodbye::Denied => "hello_of_denied",
        Goodbye::Version => "hello_of_other_version",
        Goodbye::Unknown | Goodbye::Left | Goodbye::Replaced | Goodbye::TooSlow => "hello_unknown",
    }
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: Option<u32>,
}

/// How long a client may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
/// Most messages are short, and strangers wait with an empty buffer.
const READ_BUFFER: usize = 4 * 1024;
/// Frames that wait for a slow client.
const OUTBOX: usize = 512;
