//! `/whip/{room}` and `/whep/{room}`: tools publish and play with one offer and one answer.
//!
//! `POST` takes an offer (`application/sdp`) with a bearer token for that room and answers with
//! `201`, our answer with all candidates, and `Location`: the session, which `DELETE` ends. There
//! is no trickle (`PATCH`): we are ICE-lite and learn addresses from checks. Pages of any origin
//! may ask, since nothing but the token counts. Besides the statuses of [`super::entry`]: 400 says
//! what was wrong in the offer, 404 no such session or participant, 406, 413, 415.
//!
//! Sources: RFC 9725, draft-ietf-wish-whep.

use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use conf_media::command::PeerId;
use conf_media::sdp::{self, SdpError};
use conf_media::signal::livekit::{Identity, Refusal};
use conf_media::signal::turn::Relay;
use conf_media::signal::whip;

use super::entry::{self, EntryError, Holder};
use super::{ApiError, App, Client, Refused, Shared, body};
use crate::meeting_task::{Mail, Offer, Purpose, Unanswered, word};
use crate::{clock, random};

/// The parts of the address behind the protocol's name, or that they cannot be read.
type Named<T> = Result<Path<T>, PathRejection>;

/// Publishes in a room.
pub(super) async fn publish(
    State(app): Shared,
    Extension(client): Extension<Client>,
    uri: Uri,
    named: Named<String>,
    request: Request,
) -> Result<Response, WhipError> {
    let Path(room) = named.map_err(|_| WhipError::Path)?;
    let asked = Asked { client, room, purpose: Purpose::Publish };
    let answer = asked.answer(&app, request).await?;
    Ok(answer.created(uri.path()))
}

/// Plays all that is published in a room.
pub(super) async fn play(
    State(app): Shared,
    Extension(client): Extension<Client>,
    uri: Uri,
    named: Named<String>,
    request: Request,
) -> Result<Response, WhipError> {
    let Path(room) = named.map_err(|_| WhipError::Path)?;
    let asked = Asked { client, room, purpose: Purpose::Play(None) };
    let answer = asked.answer(&app, request).await?;
    Ok(answer.created(uri.path()))
}

/// Plays one participant.
pub(super) async fn play_one(
    State(app): Shared,
    Extension(client): Extension<Client>,
    uri: Uri,
    named: Named<(String, String)>,
    request: Request,
) -> Result<Response, WhipError> {
    let Path((room, participant)) = named.map_err(|_| WhipError::Path)?;
    let purpose = Purpose::Play(Some(Identity::new(participant)));
    let answer = Asked { client, room, purpose }.answer(&app, request).await?;
    let (room, _) = uri.path().rsplit_once('/').unwrap_or_default();
    Ok(answer.created(room))
}

/// Ends a session.
pub(super) async fn hang_up(
    State(app): Shared,
    Extension(client): Extension<Client>,
    named: Named<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, WhipError> {
    let Path((room, session)) = named.map_err(|_| WhipError::Path)?;
    app.take_session(client, &headers).map_err(EntryError::Api)?;
    let holder = holder(&app, &headers, &room)?;
    let peer = u64::from_str_radix(&session, 16).map_err(|_| WhipError::SessionUnknown)?;
    let way = holder.way(&app).await;
    let question = |answer| Mail::HangUp { peer: PeerId(peer), answer };
    let ended = match app.meetings.ask(way.room(), question).await {
        // With the meeting, its sessions ended.
        Err(ApiError::ParticipantGone) => Err(Refusal::UnknownSession),
        Err(error) => return Err(EntryError::Api(error).into()),
        Ok(ended) => ended,
    };
    ended.map_err(|_| WhipError::SessionUnknown)?;
    Ok(StatusCode::OK)
}

/// What may be asked, for pages of other origins.
pub(super) async fn preflight() -> StatusCode {
    StatusCode::NO_CONTENT
}

/// Lets pages of any origin ask and read the answer. `*` forbids them to send our cookie along.
pub(super) async fn for_all_origins(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in OPEN {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An offer, before it was read.
struct Asked {
    client: Client,
    room: String,
    purpose: Purpose,
}

/// The answer to it.
struct Answer {
    peer: PeerId,
    sdp: String,
    relay: Option<Relay>,
}

impl Asked {
    async fn answer(self, app: &App, request: Request) -> Result<Answer, WhipError> {
        let Self { client, room, purpose } = self;
        app.take_session(client, request.headers()).map_err(EntryError::Api)?;
        let holder = holder(app, request.headers(), &room)?;
        if !body::is_a(SDP, request.headers()) {
            return Err(WhipError::NotSdp);
        }
        if !takes_sdp(request.headers()) {
            return Err(WhipError::NotAcceptable);
        }
        let bytes = body::whole(request, sdp::MAX_OFFER_BYTES).await.map_err(EntryError::Api)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| WhipError::NotText)?;
        let sdp = sdp::Offer::parse(text)?;
        // Before anybody is let in, so that an offer that cannot be answered changes nothing.
        let grants = &holder.claims.grants;
        match &purpose {
            Purpose::Publish => whip::can_publish(&sdp, grants),
            Purpose::Play(_) => whip::can_play(&sdp, grants),
        }
        .map_err(Unanswered::Signal)?;
        let way = holder.way(app).await;
        let peer = PeerId(random::id());
        let offer = Box::new(Offer { claims: holder.claims, peer, sdp, to: purpose });
        let question = |answer| Mail::Offer { offer: offer.clone(), answer };
        let sdp = way.ask(app, question).await??;
        let random = || format!("{:016x}", random::id());
        let relay = app.turn.as_ref().map(|it| it.granting().grant(clock::wall(), &random()));
        Ok(Answer { peer, sdp, relay })
    }
}

impl Answer {
    /// `at` is the path under which the session gets its own.
    fn created(self, at: &str) -> Response {
        let session = format!("{:016x}", self.peer.0);
        let headers = [
            (header::CONTENT_TYPE, SDP.to_owned()),
            (header::LOCATION, format!("{}/{session}", at.trim_end_matches('/'))),
            (header::ETAG, format!("\"{session}\"")),
        ];
        let mut response = (StatusCode::CREATED, headers, self.sdp).into_response();
        let links = self.relay.iter().flat_map(links);
        let links = links.filter_map(|link| HeaderValue::try_from(link).ok());
        for link in links {
            response.headers_mut().append(header::LINK, link);
        }
        response
    }
}

/// A relay as RFC 9725, section 4.6, tells it: a link for each way to it. Addresses hold no character
/// that would need quoting.
fn links(relay: &Relay) -> impl Iterator<Item = String> {
    let Relay { urls, username, credential } = relay;
    urls.iter().map(move |url| {
        format!(
            "<{url}>; rel=\"ice-server\"; username=\"{username}\"; \
             credential=\"{credential}\"; credential-type=\"password\""
        )
    })
}

/// The holder of a token for this very room.
fn holder(app: &App, headers: &HeaderMap, room: &str) -> Result<Holder, WhipError> {
    let holder = Holder::check(app, entry::bearer(headers), headers)?;
    if holder.claims.grants.room != room {
        return Err(WhipError::OtherRoom);
    }
    Ok(holder)
}

/// Without `Accept`, anything is taken.
fn takes_sdp(headers: &HeaderMap) -> bool {
    let accepted: Vec<_> = headers.get_all(header::ACCEPT).iter().collect();
    let types = accepted.iter().filter_map(|value| value.to_str().ok());
    let mut types = types.flat_map(|value| value.split(',')).map(|kind| {
        let essence = kind.split(';').next().unwrap_or_default();
        essence.trim().to_ascii_lowercase()
    });
    accepted.is_empty() || types.any(|kind| [SDP, "application/*", "*/*"].contains(&kind.as_str()))
}

/// Why an offer was not answered. The text is shown to whoever sets up the tool.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum WhipError {
    #[error("the address cannot be read")]
    Path,
    #[error("the token is for another room")]
    OtherRoom,
    #[error("the body's type is not {SDP}")]
    NotSdp,
    #[error("the answer would be {SDP}, which the request does not accept")]
    NotAcceptable,
    #[error("the offer is no text")]
    NotText,
    #[error("there is no such session")]
    SessionUnknown,
    #[error(transparent)]
    Sdp(#[from] SdpError),
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Unanswered(Refusal),
}

impl From<Unanswered> for WhipError {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Meeting(refusal) => Self::Entry(EntryError::Refused(refusal)),
            Unanswered::Signal(refusal) => Self::Unanswered(refusal),
        }
    }
}

impl WhipError {
    fn status(&self) -> StatusCode {
        match self {
            Self::Path | Self::NotText | Self::Sdp(_) => StatusCode::BAD_REQUEST,
            Self::OtherRoom | Self::Unanswered(Refusal::NotAllowed) => StatusCode::FORBIDDEN,
            Self::NotSdp => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::SessionUnknown | Self::Unanswered(Refusal::UnknownParticipant) => {
                StatusCode::NOT_FOUND
            }
            Self::Unanswered(Refusal::TooManyPlayers { .. }) => StatusCode::CONFLICT,
            Self::Unanswered(_) => StatusCode::BAD_REQUEST,
            Self::Entry(error) => error.status(),
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Path => "whip_path_invalid",
            Self::OtherRoom => "whip_other_room",
            Self::NotSdp => "whip_not_sdp",
            Self::NotAcceptable => "whip_not_acceptable",
            Self::NotText | Self::Sdp(_) => "whip_sdp_invalid",
            Self::SessionUnknown => "whip_session_unknown",
            Self::Unanswered(refusal) => word(refusal),
            Self::Entry(error) => error.label(),
        }
    }
}

impl IntoResponse for WhipError {
    fn into_response(self) -> Response {
        let refused = Refused(self.label());
        let mut response = (self.status(), Extension(refused), self.to_string()).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Entry(EntryError::NoToken | EntryError::Token(_)) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Entry(EntryError::Api(ApiError::TooManyRequests { retry_after })) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            }
            _ => {}
        }
        response
    }
}

const SDP: &str = "application/sdp";
const OPEN: [(HeaderName, &str); 5] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, DELETE"),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, if-match"),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "location, etag, link"),
    (header::ACCESS_CONTROL_MAX_AGE, "86400"),
];
