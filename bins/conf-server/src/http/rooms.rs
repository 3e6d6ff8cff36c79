//! Rooms for the web client: what is there, and joining.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use conf_core::meeting::Standing;
use conf_core::{ParticipantId, Refusal, Role, Room, RoomCode, RoomOptions, Secret};
use conf_media::signal::livekit::Identity;
use conf_media::signal::livekit::token::{Claims, Grants};
use conf_privacy::Pii;
use serde::{Deserialize, Serialize};

use super::session::{self, SignedIn};
use super::{ApiError, App, Client, Shared, body, origin};
use crate::clock;
use crate::meeting_task::{Joined, Mail};
use crate::meetings::{Opening, RoomKey};

/// `GET /api/v1/rooms/open`: the code of the room that is always there, unless it is switched off.
pub(super) async fn open(State(app): Shared) -> Result<Json<Code>, ApiError> {
    let code = app.open_room.ok_or(ApiError::RoomUnknown)?;
    Ok(Json(Code { code }))
}

/// `GET /api/v1/rooms/{code}`.
pub(super) async fn info(
    State(app): Shared,
    headers: HeaderMap,
    code: Named,
) -> Result<Json<Info>, ApiError> {
    let Room { id, owner, code, title, options } = app.room(&text(code)?).await?;
    let meeting = app.meetings.find(&RoomKey::Room(id));
    let meeting = meeting.map(|running| Running { participants: running.count() });
    let limits =
        InfoLimits { participants: app.limits.participants, name_chars: app.limits.name_chars };
    let you = session::who(&app, &headers).await?.map(|SignedIn { account, .. }| You {
        owner: owner == Some(account.id),
        name: account.name,
    });
    Ok(Json(Info { code, title, options, meeting, limits, you }))
}

/// `POST /api/v1/rooms/{code}/join`: with a name a new participant, with participant and secret
/// one who is still in or waits (reload, new media token). The owner is known by the cookie.
///
/// Newcomers need the code that the room has now; whoever is in comes back by the one they came by.
pub(super) async fn join(
    State(app): Shared,
    Extension(client): Extension<Client>,
    code: Named,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    app.take_connection(client, &headers)?;
    if !origin::is_own(&headers, app.public_url.as_ref()) {
        return Err(ApiError::OriginForeign);
    }
    let text = text(code)?;
    let code: RoomCode = text.parse().map_err(|_| ApiError::RoomUnknown)?;
    let before = app.meetings.by_code(code);
    let room = app.room(&text).await;
    if let (Err(error), None) = (&room, &before) {
        return Err(*error);
    }
    let (status, joined) = match body::json(request).await? {
        Asked::New { name } => {
            let room = room?;
            app.take_join(client, &headers)?;
            let standing = standing(&app, &headers, &room).await?;
            let question = |answer| Mail::Join { name: name.clone(), standing, answer };
            let joined = app.meetings.ask_opened(&Opening::of_room(&room), question).await?;
            (StatusCode::CREATED, joined)
        }
        Asked::Back { participant, secret } => {
            let room = before.map_or_else(|| room.map(|room| RoomKey::Room(room.id)), Ok)?;
            let question = |answer| Mail::Return { participant, secret: secret.clone(), answer };
            (StatusCode::OK, app.meetings.ask(&room, question).await?)
        }
    };
    let Joined { participant, secret, role } = joined.map_err(|refusal| refused(&refusal))?;
    let admission = Admission {
        participant,
        secret,
        role: role.unwrap_or(Role::Viewer),
        waiting: role.is_none(),
        media_token: role.map(|_| media_token(&app, code, participant)),
    };
    Ok((status, Json(admission)).into_response())
}

/// The token carries no name: it travels in an address, and the meeting knows the name. Whoever comes
/// with the web client says what they have to say over the meeting's own websocket, where the
/// meeting's locks hold; data packets would go past them.
fn media_token(app: &App, code: RoomCode, participant: ParticipantId) -> String {
    let claims = Claims {
        identity: Identity::new(participant.to_string()),
        name: String::new(),
        grants: Grants { can_publish_data: Some(false), ..Grants::participant(code.to_string()) },
        metadata: String::new(),
        attributes: std::collections::BTreeMap::new(),
    };
    app.issuer.mint(&claims, clock::wall())
}

async fn standing(app: &App, headers: &HeaderMap, room: &Room) -> Result<Standing, ApiError> {
    let who = session::who(app, headers).await?.map(|signed_in| signed_in.account.id);
    let owns = who.is_some() && who == room.owner;
    Ok(if owns { Standing::Owner } else { Standing::Guest })
}

fn text(code: Named) -> Result<String, ApiError> {
    code.map(|Path(code)| code).map_err(|_| ApiError::RoomUnknown)
}

/// The code in the address, or that it cannot be read.
type Named = Result<Path<String>, PathRejection>;

fn refused(refusal: &Refusal) -> ApiError {
    match *refusal {
        Refusal::MeetingFull { limit } => ApiError::MeetingFull { limit },
        Refusal::LobbyFull { limit } => ApiError::LobbyFull { limit },
        Refusal::NameInvalid { limit } => ApiError::NameInvalid { limit },
        Refusal::SecretWrong => ApiError::SecretWrong,
        Refusal::ParticipantUnknown
        | Refusal::Removed
        | Refusal::Denied
        | Refusal::MeetingEnded => ApiError::ParticipantGone,
        _ => ApiError::Unavailable,
    }
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Asked {
    New { name: Pii<String> },
    Back { participant: ParticipantId, secret: Secret },
}

/// Who has joined, and what opens its two websockets.
#[derive(Serialize)]
struct Admission {
    participant: ParticipantId,
    secret: Secret,
    role: Role,
    /// In the lobby: the meeting websocket says when that is over.
    waiting: bool,
    /// `null` in the lobby; whoever is let in comes back with participant and secret for it.
    media_token: Option<String>,
}

/// A room's code.
#[derive(Serialize)]
pub(super) struct Code {
    code: RoomCode,
}

/// What is known about a room before joining.
#[derive(Serialize)]
pub(super) struct Info {
    code: RoomCode,
    title: Option<Pii<String>>,
    options: RoomOptions,
    meeting: Option<Running>,
    limits: InfoLimits,
    /// Who asks, by the cookie.
    you: Option<You>,
}

#[derive(Serialize)]
struct You {
    name: Pii<String>,
    owner: bool,
}

#[derive(Serialize)]
struct Running {
    participants: usize,
}

#[derive(Serialize)]
struct InfoLimits {
    participants: usize,
    name_chars: usize,
}
