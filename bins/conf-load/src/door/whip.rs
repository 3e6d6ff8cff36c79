//! The door of servers that speak WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep).
//!
//! `POST /whip/{room}` publishes, `POST /whep/{room}` subscribes to as many tracks of the room as
//! the offer has sections, `DELETE` on what `Location` names leaves. The Bearer token is a JSON web
//! token for one identity and room, signed with `--key` and `--secret`.

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;

use super::http::{Answer, Http};
use super::{Door, DoorError, Entered, Publish, Subscribe};
use crate::clock;
use crate::plan::{Credentials, DoorPlan};
use crate::sdp::{self, Remote};

/// One room of one server.
#[derive(Debug)]
pub struct Whip {
    http: Http,
    room: String,
    credentials: Option<Credentials>,
}

impl Whip {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`DoorError::Url`]. Without credentials nothing is authorised, which some servers take.
    pub fn new(plan: &DoorPlan) -> Result<Self, DoorError> {
        let http = Http::new(&plan.url)?;
        Ok(Self { http, room: plan.room.clone(), credentials: plan.credentials.clone() })
    }

    /// `host:port` of the server.
    pub(super) fn authority(&self) -> &str {
        self.http.authority()
    }

    async fn enter(
        &self,
        (path, doing): (&str, &'static str),
        name: &str,
        offer: String,
    ) -> Result<Entered, DoorError> {
        let request = self.request("POST", &format!("/{path}/{}", self.room), name)?;
        let request = request
            .header("content-type", "application/sdp")
            .body(Full::new(Bytes::from(offer)))
            .map_err(|_| DoorError::Url { url: self.room.clone() })?;
        let answer = self.http.ask(request, doing).await?;
        if answer.status != 201 {
            return Err(refused(&answer, doing));
        }
        let session = answer.location.ok_or(DoorError::Incomplete { doing, what: "Location" })?;
        let (session, remote) = (format!("{name} {session}"), Remote::parse(&answer.body)?);
        Ok(Entered { session, remote, keys: None })
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        name: &str,
    ) -> Result<hyper::http::request::Builder, DoorError> {
        let mut request =
            Request::builder().method(method).uri(path).header("host", self.http.authority());
        if let Some(credentials) = &self.credentials {
            let token = token(credentials, &self.room, name)?;
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Ok(request)
    }
}

#[async_trait]
impl Door for Whip {
    async fn open(&self) -> Result<(), DoorError> {
        Ok(()) // rooms come to be when somebody enters
    }

    async fn publish(&self, wish: &Publish) -> Result<Entered, DoorError> {
        let offer = sdp::offer_of_publisher(wish);
        self.enter(("whip", "publishing (WHIP)"), &wish.name, offer).await
    }

    async fn subscribe(&self, wish: &Subscribe) -> Result<Entered, DoorError> {
        let offer = sdp::offer_of_subscriber(wish);
        self.enter(("whep", "subscribing (WHEP)"), &wish.name, offer).await
    }

    async fn leave(&self, session: &str) -> Result<(), DoorError> {
        let doing = "leaving (DELETE)";
        let (name, location) = session.split_once(' ').unwrap_or(("", session));
        let path = match location.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => location,
        };
        let request = self.request("DELETE", path, name)?;
        let request = request
            .body(Full::default())
            .map_err(|_| DoorError::Incomplete { doing, what: "usable Location" })?;
        let answer = self.http.ask(request, doing).await?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(refused(&answer, doing)) }
    }
}

/// A token for one identity in one room, valid for a day (soaks are long).
pub(super) fn token(
    credentials: &Credentials,
    room: &str,
    name: &str,
) -> Result<String, DoorError> {
    let now = clock::wall_nanos() / 1_000_000_000;
    let claims = json!({
        "iss": credentials.key,
        "sub": name,
        "name": name,
        "nbf": now.saturating_sub(10),
        "exp": now.saturating_add(86_400),
        "video": { "room": room, "roomJoin": true, "canPublish": true, "canSubscribe": true },
    });
    let key = EncodingKey::from_secret(credentials.secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(DoorError::Token)
}

fn refused(answer: &Answer, doing: &'static str) -> DoorError {
    let hint = match answer.status {
        401 => " (are --key and --secret those of the server?)",
        403 => " (may this key enter this room?)",
        404 => " (is this the server's address, and does it speak WHIP and WHEP?)",
        429 | 503 => " (the server has reached a limit)",
        _ => "",
    };
    let reason = answer.body.trim().chars().take(MOST_REASON).collect();
    DoorError::Refused { doing, status: answer.status, reason, hint }
}

/// Characters of a server's words that are shown.
const MOST_REASON: usize = 200;

#[cfg(test)]
mod tests;
