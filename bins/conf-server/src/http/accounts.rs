//! Administration of accounts.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use conf_core::{Account, AccountId, AccountRole, Email};
use conf_privacy::Pii;
use conf_store::{Page, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::links::{self, email_of, name_of};
use super::session::Administrator;
use super::{ApiError, App, Shared, body};
use crate::random;

/// `GET /api/v1/accounts?after=&limit=`.
pub(super) async fn list(
    State(app): Shared,
    _: Administrator,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<List>, ApiError> {
    let Query(Asked { after, limit }) = query.map_err(|_| ApiError::QueryInvalid)?;
    let limit = limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    // One more than shown tells whether there is a next page.
    let mut accounts = app.store.accounts(Page { after, limit: limit + 1 }).await?;
    let more = accounts.len() > limit;
    accounts.truncate(limit);
    let next = accounts.last().map(|last| last.id).filter(|_| more);
    Ok(Json(List { accounts: accounts.iter().map(Shown::from).collect(), next }))
}

/// `POST /api/v1/accounts`: with the link that sets its password.
pub(super) async fn create(
    State(app): Shared,
    _: Administrator,
    request: Request,
) -> Result<Response, ApiError> {
    let Create { name, email, role } = body::json(request).await?;
    let (Some(name), Some(email)) = (name_of(Some(name))?, email_of(Some(email))?) else {
        return Err(ApiError::BodyInvalid);
    };
    let id = AccountId::from_u64(random::id());
    let account = Account { id, name, email, role, password: None, last_sign_in: None };
    app.store.add_account(account.clone()).await?;
    let link = link(&app, &account).await?;
    let created = Created { account: Shown::from(&account), link };
    Ok((StatusCode::CREATED, Json(created)).into_response())
}

/// `POST /api/v1/accounts/{id}/link`: a new link, in the place of those before.
pub(super) async fn renew_link(
    State(app): Shared,
    _: Administrator,
    id: Named,
) -> Result<Response, ApiError> {
    let account = account(&app, id).await?;
    Ok((StatusCode::CREATED, Json(link(&app, &account).await?)).into_response())
}

/// `PATCH /api/v1/accounts/{id}`. Another role ends the account's sessions.
pub(super) async fn change(
    State(app): Shared,
    _: Administrator,
    id: Named,
    request: Request,
) -> Result<Json<Shown>, ApiError> {
    let Change { role, name, email } = body::json(request).await?;
    let (name, email) = (name_of(name)?, email_of(email)?);
    let _one_at_a_time = app.access.turn().await;
    let before = account(&app, id).await?;
    let account = Account {
        role: role.unwrap_or(before.role),
        name: name.unwrap_or(before.name),
        email: email.unwrap_or(before.email),
        ..before
    };
    app.store.change_account(account.clone()).await.map_err(unknown)?;
    if account.role != before.role {
        app.store.end_sessions_of(account.id).await?;
    }
    Ok(Json(Shown::from(&account)))
}

/// `DELETE /api/v1/accounts/{id}`: with its rooms, whose meetings end.
pub(super) async fn delete(
    State(app): Shared,
    _: Administrator,
    id: Named,
) -> Result<StatusCode, ApiError> {
    let _one_at_a_time = app.access.turn().await;
    let account = account(&app, id).await?;
    let removed = app.store.remove_account(account.id).await?.ok_or(ApiError::AccountUnknown)?;
    for room in removed.rooms {
        app.meetings.end_room(room).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn account(app: &App, id: Named) -> Result<Account, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::AccountUnknown)?;
    app.store.account(id).await?.ok_or(ApiError::AccountUnknown)
}

async fn link(app: &App, account: &Account) -> Result<NewLink, ApiError> {
    let purpose = links::purpose_for(account);
    let issued = links::issue(&*app.store, purpose, Some(account.id)).await.map_err(unknown)?;
    Ok(NewLink { link: issued.address(&app.base), ends_at: issued.ends_at })
}

/// Somebody else may have removed it.
fn unknown(error: StoreError) -> ApiError {
    match error {
        StoreError::Missing { .. } => ApiError::AccountUnknown,
        error => error.into(),
    }
}

/// The id in the address, or that it cannot be read.
type Named = Result<Path<AccountId>, PathRejection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    after: Option<AccountId>,
    limit: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: Pii<String>,
    email: Pii<String>,
    role: AccountRole,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    role: Option<AccountRole>,
    name: Option<Pii<String>>,
    email: Option<Pii<String>>,
}

/// A page of the list.
#[derive(Serialize)]
pub(super) struct List {
    accounts: Vec<Shown>,
    next: Option<AccountId>,
}

#[derive(Serialize)]
struct Created {
    account: Shown,
    #[serde(flatten)]
    link: NewLink,
}

#[derive(Serialize)]
struct NewLink {
    link: Pii<String>,
    ends_at: Timestamp,
}

/// An account as administrators see it.
#[derive(Serialize)]
pub(super) struct Shown {
    id: AccountId,
    name: Pii<String>,
    email: Email,
    role: AccountRole,
    /// Whether it has a password: its link was used.
    active: bool,
    last_sign_in: Option<Timestamp>,
}

impl From<&Account> for Shown {
    fn from(account: &Account) -> Self {
        let Account { id, name, email, role, password, last_sign_in } = account.clone();
        Self { id, name, email, role, active: password.is_some(), last_sign_in }
    }
}

const PAGE: usize = 50;
const LONGEST_PAGE: usize = 200;
