//! A kept-alive HTTP/1.1 connection, shared by all that one door does.
//!
//! Requests of one connection go one after the other, so a door that is asked by many at once opens
//! further connections, and keeps them.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::DoorError;

/// Connections to one server.
#[derive(Debug)]
pub struct Http {
    /// `host:port`.
    authority: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `Location`, where there was one.
    pub location: Option<String>,
    /// The whole body.
    pub body: String,
}

impl Http {
    /// For a server at `http://host:port` (a path behind it is left out).
    ///
    /// # Errors
    /// [`DoorError::Url`] for anything else.
    pub fn new(url: &str) -> Result<Self, DoorError> {
        let wrong = || DoorError::Url { url: url.into() };
        let rest = url.strip_prefix("http://").ok_or_else(wrong)?;
        let authority = rest.split('/').next().unwrap_or_default();
        let (host, port) = authority.rsplit_once(':').ok_or_else(wrong)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(wrong());
        }
        Ok(Self { authority: authority.into(), idle: Mutex::new(Vec::new()) })
    }

    /// The value of the header `Host`.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Asks and reads the whole answer. `doing` is for errors.
    ///
    /// # Errors
    /// [`DoorError`] if there is no connection, no answer within 10 s, or one above 4 MiB.
    pub async fn ask(
        &self,
        request: Request<Full<Bytes>>,
        doing: &'static str,
    ) -> Result<Answer, DoorError> {
        self.ask_within(request, doing, LONGEST).await
    }

    /// As [`Http::ask`], for answers that may take their time.
    ///
    /// # Errors
    /// [`DoorError`] if there is no connection, no answer within `longest`, or one above 4 MiB.
    pub async fn ask_within(
        &self,
        request: Request<Full<Bytes>>,
        doing: &'static str,
        longest: Duration,
    ) -> Result<Answer, DoorError> {
        let silent = |_| DoorError::Silent { doing, seconds: longest.as_secs() };
        tokio::time::timeout(longest, self.exchange(request, doing)).await.map_err(silent)?
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        doing: &'static str,
    ) -> Result<Answer, DoorError> {
        let broken = |cause| DoorError::Http { doing, cause };
        let mut connection = self.connection(doing).await?;
        let response = connection.send_request(request).await.map_err(broken)?;
        let answer = read(response, doing).await?;
        self.idle.lock().await.push(connection);
        Ok(answer)
    }

    async fn connection(&self, doing: &'static str) -> Result<SendRequest<Full<Bytes>>, DoorError> {
        while let Some(mut connection) = self.take().await {
            if connection.ready().await.is_ok() {
                return Ok(connection);
            }
        }
        let failed =
            |cause| DoorError::Connect { url: format!("http://{}", self.authority), cause };
        let stream = TcpStream::connect(&self.authority).await.map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|cause| DoorError::Http { doing, cause })?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn take(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.lock().await.pop()
    }
}

async fn read(
    response: Response<hyper::body::Incoming>,
    doing: &'static str,
) -> Result<Answer, DoorError> {
    let status = response.status().as_u16();
    let location = response.headers().get("location");
    let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = Limited::new(response.into_body(), MOST_BYTES).collect().await;
    let body = body.map_err(|_| DoorError::TooLong { doing, limit: MOST_BYTES })?.to_bytes();
    Ok(Answer { status, location, body: String::from_utf8_lossy(&body).into_owned() })
}

const LONGEST: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 4 << 20;
