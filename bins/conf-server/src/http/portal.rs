//! The rooms of the account that is signed in. Those of others do not exist here.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use conf_core::{ROOM_TITLE_CHARS, Room, RoomCode, RoomId, RoomOptions, room_title};
use conf_privacy::Pii;
use conf_store::StoreError;
use serde::{Deserialize, Serialize};

use super::session::SignedIn;
use super::{ApiError, App, Shared, body};
use crate::meetings::RoomKey;
use crate::random;

/// `GET /api/v1/me/rooms`.
pub(super) async fn list(
    State(app): Shared,
    SignedIn { account, .. }: SignedIn,
) -> Result<Json<Vec<Shown>>, ApiError> {
    let rooms = app.store.rooms_of(account.id).await?;
    Ok(Json(rooms.into_iter().map(|room| Shown::of(&app, room)).collect()))
}

/// `POST /api/v1/me/rooms`.
pub(super) async fn create(
    State(app): Shared,
    SignedIn { account, .. }: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let Create { title, options } = body::json(request).await?;
    let room = Room {
        id: RoomId::from_u64(random::id()),
        owner: Some(account.id),
        code: fresh_code(),
        title: Some(title_of(&title)?),
        options: options.unwrap_or_default(),
    };
    app.store.insert(room.clone()).await.map_err(|error| match error {
        StoreError::Full { limit, .. } => ApiError::TooManyRooms { limit },
        StoreError::Missing { .. } => ApiError::NotSignedIn,
        error => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(Shown::of(&app, room))).into_response())
}

/// `PATCH /api/v1/me/rooms/{id}`. A meeting that runs there is told of the options.
pub(super) async fn change(
    State(app): Shared,
    signed_in: SignedIn,
    id: Named,
    request: Request,
) -> Result<Json<Shown>, ApiError> {
    let Change { title, options } = body::json(request).await?;
    let title = title.as_ref().map(title_of).transpose()?;
    let _one_at_a_time = app.access.turn().await;
    let mut room = own(&app, &signed_in, id).await?;
    let before = room.options;
    room.title = title.or(room.title);
    room.options = options.unwrap_or(room.options);
    save(&app, &room).await?;
    if room.options != before {
        app.meetings.set_options(room.id, room.options).await;
    }
    Ok(Json(Shown::of(&app, room)))
}

/// `POST /api/v1/me/rooms/{id}/code`: the old link is dead for newcomers; those inside stay.
pub(super) async fn renew_code(
    State(app): Shared,
    signed_in: SignedIn,
    id: Named,
) -> Result<Json<Shown>, ApiError> {
    let _one_at_a_time = app.access.turn().await;
    let mut room = own(&app, &signed_in, id).await?;
    room.code = fresh_code();
    save(&app, &room).await?;
    Ok(Json(Shown::of(&app, room)))
}

/// `DELETE /api/v1/me/rooms/{id}`: its meeting ends.
pub(super) async fn delete(
    State(app): Shared,
    signed_in: SignedIn,
    id: Named,
) -> Result<StatusCode, ApiError> {
    let _one_at_a_time = app.access.turn().await;
    let room = own(&app, &signed_in, id).await?;
    app.store.remove(room.id).await?;
    app.meetings.end_room(room.id).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn own(app: &App, signed_in: &SignedIn, id: Named) -> Result<Room, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::RoomUnknown)?;
    let room = app.store.room(id).await?;
    let own = room.filter(|room| room.owner == Some(signed_in.account.id));
    own.ok_or(ApiError::RoomUnknown)
}

async fn save(app: &App, room: &Room) -> Result<(), ApiError> {
    app.store.change(room.clone()).await.map_err(|error| match error {
        StoreError::Missing { .. } => ApiError::RoomUnknown,
        error => error.into(),
    })
}

fn title_of(text: &Pii<String>) -> Result<Pii<String>, ApiError> {
    room_title(text.reveal()).map_err(|_| ApiError::TitleInvalid { limit: ROOM_TITLE_CHARS })
}

fn fresh_code() -> RoomCode {
    RoomCode::from_bytes(random::bytes())
}

/// The id in the address, or that it cannot be read.
type Named = Result<Path<RoomId>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    title: Pii<String>,
    options: Option<RoomOptions>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    title: Option<Pii<String>>,
    options: Option<RoomOptions>,
}

/// A room as its owner sees it.
#[derive(Serialize)]
pub(super) struct Shown {
    id: RoomId,
    code: RoomCode,
    title: Option<Pii<String>>,
    options: RoomOptions,
    meeting: Option<Running>,
}

#[derive(Serialize)]
struct Running {
    participants: usize,
}

impl Shown {
    fn of(app: &App, Room { id, code, title, options, .. }: Room) -> Self {
        let running = app.meetings.find(&RoomKey::Room(id));
        let meeting = running.map(|running| Running { participants: running.count() });
        Self { id, code, title, options, meeting }
    }
}
