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

use super::{ApiError, App, Client, Shared, origin};
use crate::meeting_task::{Attach, Mail, goodbye};
use crate::meetings::{RoomKey, Running};
use crate::metrics::Gauge;
use crate::socket::{self, Outgoing};
use crate::{clock, random};

/// Checks where the page comes from and opens the websocket.
pub(super) async fn upgrade(
    State(app): Shared,
    Extension(client): Extension<Client>,
    headers: HeaderMap,
    socket: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(socket) = socket else { return ApiError::NotFound.into_response() };
    if !origin::is_own(&headers, app.public_url.as_ref()) {
        app.metrics.refuse(ApiError::OriginForeign.code());
        return ApiError::OriginForeign.into_response();
    }
    let address = client.origin(&headers, &app.trusted_proxies);
    if let Err(wait) = app.sockets.take(clock::mono(), address) {
        let error = ApiError::TooManyRequests { retry_after: wait.as_secs() + 1 };
        app.metrics.refuse(error.code());
        return error.into_response();
    }
    let limit = app.limits.message_bytes;
    socket
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| serve(app, socket))
}

async fn serve(app: Arc<App>, socket: WebSocket) {
    let _counted = Gauge::new(Arc::clone(&app.metrics), |metrics| &metrics.meeting_sockets);
    let (mut sink, mut stream) = socket.split();
    let mut stopping = app.stopping.clone();
    let hello = tokio::select! {
        hello = timeout(HELLO, hello(&mut stream)) => hello.unwrap_or(Err(Goodbye::Unknown)),
        _ = stopping.wait_for(|stopping| *stopping) => Err(Goodbye::Ended),
    };
    let attached = match hello {
        Ok(hello) => attach(&app, hello).await,
        Err(reason) => Err(reason),
    };
    match attached {
        Ok((meeting, connection, outgoing)) => {
            let writer = tokio::spawn(socket::write(sink, outgoing));
            read(&mut stream, &meeting, connection, writer).await;
        }
        Err(reason) => {
            app.metrics.refuse("hello");
            let last = Some(goodbye(reason));
            let _best_effort = timeout(FAREWELL, socket::say_goodbye(&mut sink, last)).await;
            // Until the client has closed too, so that it reads the last frame.
            let _either =
                timeout(FAREWELL, async { while let Some(Ok(_)) = stream.next().await {} }).await;
        }
    }
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

async fn attach(app: &App, hello: Hello) -> Result<(Running, u64, Outgoing), Goodbye> {
    let meeting = app.meetings.find(&RoomKey::Code(hello.room)).ok_or(Goodbye::Unknown)?;
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
    Ok((meeting, connection, outgoing))
}

/// Reads until the client is gone, silent for too long, breaks the rules, or the writer is done.
async fn read(
    stream: &mut SplitStream<WebSocket>,
    meeting: &Running,
    connection: u64,
    mut writer: tokio::task::JoinHandle<()>,
) {
    loop {
        let frame = tokio::select! {
            frame = timeout(IDLE, stream.next()) => frame,
            _ = &mut writer => {
                meeting.tell(Mail::Detach { connection }).await;
                return;
            }
        };
        let mail = match frame {
            Ok(Some(Ok(Message::Text(text)))) => match serde_json::from_str(&text) {
                Ok(ClientMessage::Command(request)) => Mail::Command { connection, request },
                Ok(ClientMessage::Ping) => Mail::Ping { connection },
                Ok(ClientMessage::Hello(_)) | Err(_) => break,
            },
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            _ => break,
        };
        if !meeting.tell(mail).await {
            break;
        }
    }
    // The meeting drops the outbox when it hears of this; what is in it still leaves.
    meeting.tell(Mail::Detach { connection }).await;
    let _in_time = timeout(FAREWELL, writer).await;
}

#[derive(serde::Deserialize)]
struct Versioned {
    version: Option<u32>,
}

/// How long a client may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
/// Three pings unanswered.
const IDLE: Duration = Duration::from_secs(65);
const FAREWELL: Duration = Duration::from_secs(3);
/// Frames that wait for a slow client.
const OUTBOX: usize = 512;
