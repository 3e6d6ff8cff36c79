//! Rooms for the web client: what is there, and joining.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use conf_core::meeting::Participant;
use conf_core::{ParticipantId, Refusal, Role, RoomCode, Secret};
use conf_media::signal::livekit::Identity;
use conf_media::signal::livekit::token::{Claims, Grants};
use conf_privacy::Pii;
use serde::{Deserialize, Serialize};

use super::{ApiError, App, Client, Shared, body, origin};
use crate::clock;
use crate::meeting_task::{Joined, Mail};
use crate::meetings::RoomKey;

/// `GET /api/v1/rooms/open`: the code of the room that is always there.
pub(super) async fn open(State(app): Shared) -> Json<Code> {
    Json(Code { code: app.open_room })
}

/// `GET /api/v1/rooms/{code}`.
pub(super) async fn info(
    State(app): Shared,
    Path(code): Path<String>,
) -> Result<Json<Info>, ApiError> {
    let code = known(&app, &code)?;
    let meeting = app.meetings.find(&RoomKey::Code(code));
    let meeting = meeting.map(|running| Running { participants: running.count() });
    let limits =
        InfoLimits { participants: app.limits.participants, name_chars: app.limits.name_chars };
    Ok(Json(Info { code, title: None, meeting, limits }))
}

/// `POST /api/v1/rooms/{code}/join`: with a name a new participant, with participant and secret
/// one who is still in (reload, new media token).
pub(super) async fn join(
    State(app): Shared,
    Extension(client): Extension<Client>,
    Path(code): Path<String>,
    request: Request,
) -> Response {
    let joined = try_join(&app, client, &code, request).await;
    joined.unwrap_or_else(|error| {
        app.metrics.refuse(error.code());
        error.into_response()
    })
}

async fn try_join(
    app: &Arc<App>,
    client: Client,
    code: &str,
    request: Request,
) -> Result<Response, ApiError> {
    let address = client.origin(request.headers(), &app.trusted_proxies);
    if let Err(wait) = app.throttle.take(clock::mono(), address) {
        return Err(ApiError::TooManyRequests { retry_after: wait.as_secs() + 1 });
    }
    if !origin::is_own(request.headers(), app.public_url.as_ref()) {
        return Err(ApiError::OriginForeign);
    }
    let code = known(app, code)?;
    let room = RoomKey::Code(code);
    let (status, joined) = match body::json(request).await? {
        Asked::New { name } => {
            let question = |answer| Mail::Join { name: name.clone(), answer };
            (StatusCode::CREATED, app.meetings.ask(&room, true, question).await?)
        }
        Asked::Back { participant, secret } => {
            let question = |answer| Mail::Return { participant, secret: secret.clone(), answer };
            (StatusCode::OK, app.meetings.ask(&room, false, question).await?)
        }
    };
    let Joined { participant, secret } = joined.map_err(|refusal| refused(&refusal))?;
    let media_token = media_token(app, code, &participant);
    let Participant { id: participant, role, .. } = participant;
    Ok((status, Json(Admission { participant, secret, role, media_token })).into_response())
}

/// The token carries no name: it travels in an address, and the meeting knows the name.
fn media_token(app: &App, code: RoomCode, participant: &Participant) -> String {
    let claims = Claims {
        identity: Identity::new(participant.id.to_string()),
        name: String::new(),
        grants: Grants::participant(code.to_string()),
        metadata: String::new(),
        attributes: std::collections::BTreeMap::new(),
    };
    app.issuer.mint(&claims, clock::wall())
}

fn known(app: &App, code: &str) -> Result<RoomCode, ApiError> {
    let code: RoomCode = code.parse().map_err(|_| ApiError::RoomUnknown)?;
    if code == app.open_room { Ok(code) } else { Err(ApiError::RoomUnknown) }
}

fn refused(refusal: &Refusal) -> ApiError {
    match *refusal {
        Refusal::MeetingFull { limit } => ApiError::MeetingFull { limit },
        Refusal::NameInvalid { limit } => ApiError::NameInvalid { limit },
        Refusal::SecretWrong => ApiError::SecretWrong,
        Refusal::ParticipantUnknown | Refusal::Removed | Refusal::MeetingEnded => {
            ApiError::ParticipantGone
        }
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
    media_token: String,
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
