//! A server on free loopback ports, and the smallest HTTP and websocket clients that test it.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

pub mod browser;
pub mod program;
pub mod tls;
pub mod tool;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use conf_media::signal::livekit::Identity;
use conf_media::signal::livekit::token::{Claims, Grants, Issuer};
use conf_privacy::Pii;
use conf_server::Server;
use conf_server::config::{ApiKey, Config, TurnServer, TurnUrl};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};

pub const API_KEY: &str = "integrator";
pub const API_SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        let mut random = [0; 8];
        getrandom::fill(&mut random).unwrap();
        let name = format!("conf-test-{:016x}", u64::from_ne_bytes(random));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone_already = std::fs::remove_dir_all(&self.0);
    }
}

/// A running server with its folder.
pub struct Running {
    pub server: Server,
    pub folder: Folder,
    pub code: String,
}

pub fn config(folder: &Folder) -> Config {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut config = Config::built_in();
    config.http_listen = free;
    config.media_listen = vec![free];
    config.metrics_listen = Some(free);
    config.data_dir = folder.0.join("data");
    config.api_keys = vec![ApiKey { key: API_KEY.into(), secret: Pii::new(API_SECRET.to_owned()) }];
    config
}

/// A TURN server of the operator's, which nobody asks.
pub fn turn() -> TurnServer {
    TurnServer {
        urls: vec![TurnUrl::parse("turn:turn.example.org?transport=tcp").unwrap()],
        secret: Pii::new("a-secret-shared-with-coturn".to_owned()),
        ttl: Duration::from_secs(3_600),
    }
}

/// Whether a user name ends in an hour and the password is the tag over it, without anything of a
/// person.
pub fn is_granted(username: &str, credential: &str) -> bool {
    let key = aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
    let key = aws_lc_rs::hmac::Key::new(key, turn().secret.reveal().as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, username.as_bytes());
    let (until, random) = username.split_once(':').unwrap();
    let left = until.parse::<i64>().unwrap() - jiff_now().as_second();
    let good = (3_540..=3_600).contains(&left) && random.len() == 16;
    good && credential == base64(tag.as_ref())
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

pub async fn start() -> Running {
    start_with(|_| {}).await
}

pub async fn start_with(change: impl FnOnce(&mut Config)) -> Running {
    let folder = Folder::new();
    let mut config = config(&folder);
    change(&mut config);
    let server = Server::start(config).await.unwrap();
    let code = server.open_room_link().unwrap_or_default().rsplit('/').next().unwrap().to_owned();
    Running { server, folder, code }
}

impl Running {
    pub async fn join(&self, name: &str) -> Value {
        let path = format!("/api/v1/rooms/{}/join", self.code);
        let response = post(self.server.http(), &path, &json!({ "name": name })).await;
        assert_eq!(response.status, 201, "{}", response.body);
        response.json()
    }

    /// Opens the meeting websocket of somebody who joined and waits for the welcome.
    pub async fn enter(&self, joined: &Value) -> (Socket, Value) {
        let mut socket = self.meeting_socket().await;
        socket.send(&self.hello(joined, Value::Null)).await;
        let welcome = socket.next().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (socket, welcome)
    }

    pub async fn meeting_socket(&self) -> Socket {
        Socket(open(self.server.http(), "/api/meeting/ws", &[]).await.unwrap())
    }

    pub fn hello(&self, joined: &Value, resume_from: Value) -> Value {
        json!({
            "type": "hello", "version": conf_core::wire::VERSION, "room": self.code,
            "participant": joined["participant"], "secret": joined["secret"],
            "resume_from": resume_from,
        })
    }

    pub async fn page(&self) -> String {
        get(self.server.metrics().unwrap(), "/metrics", &[]).await.body
    }
}

/// A meeting websocket.
pub struct Socket<S = TcpStream>(pub WebSocketStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    pub async fn command(&mut self, request: u32, command: Value) {
        self.send(&json!({ "type": "command", "request": request, "command": command })).await;
    }

    /// The next frame as JSON.
    pub async fn next(&mut self) -> Value {
        self.frame().await.expect("the socket is still open")
    }

    /// Skips frames until one has this type (of the message, or of its event).
    pub async fn until(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind || message["event"]["type"] == kind {
                return message;
            }
        }
    }

    /// Code and reason with which the server closes.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let next = timeout(Duration::from_secs(10), self.0.next()).await.expect("in time");
            match next.expect("a close frame comes first").expect("nothing is cut") {
                Message::Close(Some(frame)) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Message::Close(None) => panic!("closed without a reason"),
                _ => {}
            }
        }
    }

    /// The next frame, or `None` once the socket is closed.
    pub async fn frame(&mut self) -> Option<Value> {
        loop {
            let next = timeout(Duration::from_secs(10), self.0.next()).await.expect("in time");
            match next {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }
}

/// Opens a websocket with further headers.
pub async fn open(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Result<WebSocketStream<TcpStream>, tungstenite::Error> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let stream = TcpStream::connect(address).await.unwrap();
    tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| socket)
}

/// Status and text of a websocket that did not open.
pub async fn refused(
    address: SocketAddr,
    path: &str,
    headers: &[(&'static str, &str)],
) -> (u16, String) {
    match open(address, path, headers).await {
        Err(tungstenite::Error::Http(response)) => {
            let body = response.body().clone().unwrap_or_default();
            (response.status().as_u16(), String::from_utf8(body).unwrap())
        }
        Ok(_) => panic!("the websocket opened"),
        Err(error) => panic!("{error}"),
    }
}

/// An answer over HTTP.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Response {
    /// A whole answer.
    pub fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Response {
    exchange(address, "GET", path, headers, "").await
}

pub async fn post(address: SocketAddr, path: &str, body: &Value) -> Response {
    let headers = [("content-type", "application/json")];
    exchange(address, "POST", path, &headers, &body.to_string()).await
}

pub async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Response {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    request.push_str(body);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    timeout(Duration::from_secs(10), stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
    Response::read(&String::from_utf8_lossy(&bytes))
}

/// Sends a request as it is.
pub async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// As [`raw`], of a server that may close while it is still written to.
pub async fn raw_until_closed(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _closed_meanwhile = stream.write_all(request.as_bytes()).await;
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A token of the integrator.
pub fn token(identity: &str, room: &str) -> String {
    sign(identity, Grants::participant(room), jiff_now())
}

pub fn sign(identity: &str, grants: Grants, now: jiff::Timestamp) -> String {
    let claims = Claims {
        identity: Identity::new(identity),
        name: String::new(),
        grants,
        metadata: String::new(),
        attributes: Default::default(),
    };
    Issuer::new(API_KEY, API_SECRET).mint(&claims, now)
}

#[allow(clippy::disallowed_methods, reason = "tokens are checked against the real clock")]
pub fn jiff_now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The `join_request` that an SDK sends.
pub fn join_request() -> String {
    use base64::Engine as _;
    use prost::Message as _;
    let request = livekit_protocol::JoinRequest {
        connection_settings: Some(livekit_protocol::ConnectionSettings {
            auto_subscribe: true,
            ..Default::default()
        }),
        ..Default::default()
    };
    let wrapped = livekit_protocol::WrappedJoinRequest {
        join_request: request.encode_to_vec(),
        ..Default::default()
    };
    base64::engine::general_purpose::URL_SAFE.encode(wrapped.encode_to_vec())
}
