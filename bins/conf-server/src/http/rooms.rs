//! Rooms for the web client: what is there, and joining.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use conf_core::{ParticipantId, Refusal, Role, Room, RoomCode, Secret};
use conf_media::signal::livekit::Identity;
use conf_media::signal::livekit::token::{Claims, Grants};
use conf_privacy::Pii;
use serde::{Deserialize, Serialize};

use super::{ApiError, App, Client, Shared, body, origin};
use crate::clock;
use crate::meeting_task::{Joined, Mail};
use crate::meetings::RoomKey;

/// `GET /api/v1/rooms/open`: the code of the room that is always there, unless it is switched off.
pub(super) async fn open(State(app): Shared) -> Result<Json<Code>, ApiError> {
    let code = app.open_room.ok_or(ApiError::RoomUnknown)?;
    Ok(Json(Code { code }))
}

/// `GET /api/v1/rooms/{code}`.
pub(super) async fn info(State(app): Shared, code: Named) -> Result<Json<Info>, ApiError> {
    let room = named(&app, code).await?;
    let meeting = app.meetings.find(&RoomKey::Code(room.code));
    let meeting = meeting.map(|running| Running { participants: running.count() });
    let limits =
        InfoLimits { participants: app.limits.participants, name_chars: app.limits.name_chars };
    Ok(Json(Info { code: room.code, title: room.title, meeting, limits }))
}

/// `POST /api/v1/rooms/{code}/join`: with a name a new participant, with participant and secret
/// one who is still in (reload, new media token).
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
    let code = named(&app, code).await?.code;
    let room = RoomKey::Code(code);
    let (status, joined) = match body::json(request).await? {
        Asked::New { name } => {
            app.take_join(client, &headers)?;
            let question = |answer| Mail::Join { name: name.clone(), answer };
            (StatusCode::CREATED, app.meetings.ask(&room, true, question).await?)
        }
        Asked::Back { participant, secret } => {
            let question = |answer| Mail::Return { participant, secret: secret.clone(), answer };
            (StatusCode::OK, app.meetings.ask(&room, false, question).await?)
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

/// The token carries no name: it travels in an address, and the meeting knows the name.
fn media_token(app: &App, code: RoomCode, participant: ParticipantId) -> String {
    let claims = Claims {
        identity: Identity::new(participant.to_string()),
        name: String::new(),
        grants: Grants::participant(code.to_string()),
        metadata: String::new(),
        attributes: std::collections::BTreeMap::new(),
    };
    app.issuer.mint(&claims, clock::wall())
}

async fn named(app: &App, code: Named) -> Result<Room, ApiError> {
    let Path(code) = code.map_err(|_| ApiError::RoomUnknown)?;
    app.room(&code).await
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
    meeting: Option<Running>,
    limits: InfoLimits,
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
