//! The door of servers that speak LiveKit's signalling, with one peer connection: for subscribers.
//!
//! Each subscriber has a websocket of its own, as an SDK has, which stays open and says `ping` every
//! five seconds. What it receives is what the server subscribes it to by itself. Publishers come by
//! WHIP: what they cost is not what this door is for. Source: the published protobufs of
//! `livekit-protocol`; `/rtc/v1` with a `join_request`.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_request::Message as Said;
use proto::signal_response::Message as Heard;
use tokio::net::TcpStream;
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::whip::{Whip, token};
use super::{Door, DoorError, Entered, Publish, Subscribe};
use crate::clock;
use crate::plan::{Credentials, DoorPlan};
use crate::sdp::{self, Remote};

/// One room of one server.
#[derive(Debug)]
pub struct LiveKit {
    whip: Whip,
    authority: String,
    room: String,
    credentials: Credentials,
    /// What keeps a subscriber's websocket open until it is told to leave.
    open: Mutex<HashMap<String, Open>>,
}

type Socket = WebSocketStream<TcpStream>;
/// What tells a websocket's task to leave, and the task.
type Open = (oneshot::Sender<()>, JoinHandle<()>);

impl LiveKit {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`DoorError::Url`], [`DoorError::NoCredentials`].
    pub fn new(plan: &DoorPlan) -> Result<Self, DoorError> {
        let whip = Whip::new(plan)?;
        let credentials = plan.credentials.clone();
        Ok(Self {
            authority: whip.authority().to_owned(),
            whip,
            room: plan.room.clone(),
            credentials: credentials.ok_or(DoorError::NoCredentials { door: "livekit" })?,
            open: Mutex::default(),
        })
    }

    async fn connect(&self, name: &str) -> Result<Socket, DoorError> {
        let token = token(&self.credentials, &self.room, name)?;
        let request = join_request();
        let Self { authority, .. } = self;
        let url = format!("ws://{authority}/rtc/v1?access_token={token}&join_request={request}");
        let connect = |cause| DoorError::Connect { url: authority.clone(), cause };
        let stream = TcpStream::connect(authority).await.map_err(connect)?;
        let (socket, _) = client_async(url, stream).await.map_err(refused)?;
        Ok(socket)
    }
}

#[async_trait]
impl Door for LiveKit {
    async fn open(&self) -> Result<(), DoorError> {
        Ok(()) // rooms come to be when somebody enters
    }

    async fn publish(&self, wish: &Publish) -> Result<Entered, DoorError> {
        self.whip.publish(wish).await
    }

    async fn subscribe(&self, wish: &Subscribe) -> Result<Entered, DoorError> {
        let mut socket = self.connect(&wish.name).await?;
        let sdp = sdp::offer_of_subscriber(wish);
        let (r#type, id) = ("offer".to_owned(), 1);
        let offer = proto::SessionDescription { r#type, sdp, id, ..Default::default() };
        say(&mut socket, Said::Offer(offer)).await.map_err(refused)?;
        let answer = timeout(PATIENCE, answer(&mut socket)).await;
        let silent = DoorError::Silent { doing: DOING, seconds: PATIENCE.as_secs() };
        let answer = answer.map_err(|_| silent)??;
        let remote = Remote::parse(&answer.sdp)?;
        let (leave, leaves) = oneshot::channel();
        let open = (leave, tokio::spawn(stay(socket, leaves)));
        self.open.lock().await.insert(wish.name.clone(), open);
        Ok(Entered { session: wish.name.clone(), remote, keys: None })
    }

    async fn leave(&self, session: &str) -> Result<(), DoorError> {
        let open = self.open.lock().await.remove(session);
        let Some((leave, task)) = open else { return self.whip.leave(session).await };
        let _ = leave.send(()); // fails if the server has ended it
        let seconds = PATIENCE.as_secs();
        let gone = timeout(PATIENCE, task).await;
        gone.map(drop).map_err(|_| DoorError::Silent { doing: "leaving (LiveKit)", seconds })
    }
}

/// Pings, and reads what comes, until the server ends it or the client `leaves`: in words, for one
/// that only hangs up is waited for.
async fn stay(mut socket: Socket, mut leaves: oneshot::Receiver<()>) {
    let mut pings = interval(PING);
    loop {
        let going = tokio::select! {
            _ = &mut leaves => {
                let _ = say(&mut socket, Said::Leave(proto::LeaveRequest::default())).await;
                let _ = socket.close(None).await;
                false
            }
            _ = pings.tick() => {
                let millis = i64::try_from(clock::wall_nanos() / 1_000_000).unwrap_or_default();
                say(&mut socket, Said::Ping(millis)).await.is_ok()
            }
            heard = socket.next() => matches!(heard, Some(Ok(_))),
        };
        if !going {
            return;
        }
    }
}

async fn say(socket: &mut Socket, message: Said) -> Result<(), tungstenite::Error> {
    let request = proto::SignalRequest { message: Some(message) };
    socket.send(Message::Binary(Bytes::from(request.encode_to_vec()))).await
}

/// The answer to the offer; what else comes is for clients with a person before them.
async fn answer(socket: &mut Socket) -> Result<proto::SessionDescription, DoorError> {
    loop {
        let Some(message) = socket.next().await else { return Err(none("answer")) };
        let Message::Binary(bytes) = message.map_err(refused)? else { continue };
        let response = proto::SignalResponse::decode(bytes);
        match response.map_err(|_| none("readable message"))?.message {
            Some(Heard::Answer(answer)) => return Ok(answer),
            Some(Heard::Leave(_)) => return Err(none("answer but a farewell")),
            _ => {}
        }
    }
}

/// What an SDK sends with its address, as far as a subscriber needs it.
fn join_request() -> String {
    let settings = proto::ConnectionSettings { auto_subscribe: true, ..Default::default() };
    let request = proto::JoinRequest { connection_settings: Some(settings), ..Default::default() };
    let join_request = request.encode_to_vec();
    let wrapped = proto::WrappedJoinRequest { join_request, ..Default::default() };
    URL_SAFE.encode(wrapped.encode_to_vec())
}

fn none(what: &'static str) -> DoorError {
    DoorError::Incomplete { doing: DOING, what }
}

fn refused(error: tungstenite::Error) -> DoorError {
    let (status, reason) = match &error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8_lossy(body).into_owned())
        }
        other => (0, other.to_string()),
    };
    let reason = reason.trim().chars().take(MOST_REASON).collect();
    DoorError::Refused { doing: DOING, status, reason, hint: "" }
}

const DOING: &str = "subscribing (LiveKit)";
/// As the server asks of clients, which may be silent for three times as long.
const PING: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(10);
/// Characters of a server's words that are shown.
const MOST_REASON: usize = 200;

#[cfg(test)]
mod tests;
