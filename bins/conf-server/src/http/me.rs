//! The account that is signed in: its name and password.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use conf_core::account::check_password;
use conf_privacy::Pii;
use serde::Deserialize;

use super::links::name_of;
use super::session::{self, Own, SignedIn};
use super::{ApiError, App, Client, Shared, body};
use crate::password::Verdict;

/// `PATCH /api/v1/me`.
pub(super) async fn change(
    State(app): Shared,
    signed_in: SignedIn,
    request: Request,
) -> Result<Json<Own>, ApiError> {
    let Change { name } = body::json(request).await?;
    let name = name_of(name)?;
    let _one_at_a_time = app.access.turn().await;
    let mut account = current(&app, &signed_in).await?;
    if let Some(name) = name {
        account.name = name;
        app.store.change_account(account.clone()).await?;
    }
    Ok(Json(Own::from(&account)))
}

/// `PUT /api/v1/me/password`: ends all sessions of the account; this browser gets a new one.
pub(super) async fn set_password(
    State(app): Shared,
    Extension(client): Extension<Client>,
    signed_in: SignedIn,
    request: Request,
) -> Result<Response, ApiError> {
    let from = app.address(client, request.headers());
    let Passwords { current, new } = body::json(request).await?;
    let SignedIn { account, .. } = &signed_in;
    app.access.take_guess(from, account.email.reveal())?;
    let compared = app.access.verify(from, current, account.password.clone()).await?;
    if compared == Verdict::Wrong {
        return Err(ApiError::PasswordWrong);
    }
    check_password(new.reveal(), &account.email, account.name.reveal())?;
    let hash = app.access.hash(from, new).await?;
    let _one_at_a_time = app.access.turn().await;
    let mut changed = self::current(&app, &signed_in).await?;
    changed.password = Some(hash);
    app.store.change_account(changed).await?;
    let cookie = session::start(&app, account.id).await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// The account as it is now, if the session still lives: another request may have ended it.
async fn current(app: &App, signed_in: &SignedIn) -> Result<conf_core::Account, ApiError> {
    let now = crate::clock::wall();
    app.store.session(&signed_in.session, now).await?.ok_or(ApiError::NotSignedIn)?;
    app.store.account(signed_in.account.id).await?.ok_or(ApiError::NotSignedIn)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    name: Option<Pii<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Passwords {
    current: Pii<String>,
    new: Pii<String>,
}
