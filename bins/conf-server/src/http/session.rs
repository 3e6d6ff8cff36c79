//! Signing in and out, and who asks.
//!
//! A session is a random token in the browser's cookie and its digest in the store. Each sign-in
//! makes a new token: one that a browser came with is never taken over. It ends a day later, at
//! sign-out, and when password or role of the account change or the account goes.

pub(super) mod cookie;

pub(crate) use cookie::NAME as COOKIE;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Json;
use axum::extract::{Extension, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use conf_core::account::SESSION_LIFE;
use conf_core::{Account, AccountId, AccountRole, Email, PasswordHash};
use conf_privacy::Pii;
use conf_store::{Digest, Session};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApiError, App, Client, Shared, body, token};
use crate::clock;
use crate::password::Verdict;

/// Who asks, by the cookie.
pub(super) struct SignedIn {
    pub(super) account: Account,
    pub(super) session: Digest,
}

/// As [`SignedIn`], and one who administers.
pub(super) struct Administrator;

/// Who asks; `None` for whoever is not signed in.
///
/// # Errors
/// [`ApiError::Unavailable`].
pub(super) async fn who(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, ApiError> {
    let Some(digest) = cookie::read(headers) else { return Ok(None) };
    let Some(session) = app.store.session(&digest, clock::wall()).await? else { return Ok(None) };
    let account = app.store.account(session.account).await?;
    Ok(account.map(|account| SignedIn { account, session: digest }))
}

impl FromRequestParts<Arc<App>> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        who(app, &parts.headers).await?.ok_or(ApiError::NotSignedIn)
    }
}

impl FromRequestParts<Arc<App>> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let SignedIn { account, .. } = SignedIn::from_request_parts(parts, app).await?;
        match account.role {
            AccountRole::Administrator => Ok(Self),
            AccountRole::Member => Err(ApiError::NotAllowed),
        }
    }
}

/// `GET /api/v1/session`. A cookie that is void is taken away.
pub(super) async fn current(State(app): Shared, headers: HeaderMap) -> Result<Response, ApiError> {
    let account = who(&app, &headers).await?.map(|signed_in| Own::from(&signed_in.account));
    let void = account.is_none() && cookie::is_there(&headers);
    let mut response = Json(Current { account }).into_response();
    if void {
        response.headers_mut().insert(header::SET_COOKIE, cookie::clear(app.https));
    }
    Ok(response)
}

/// `POST /api/v1/session`: with e-mail address and password.
pub(super) async fn sign_in(
    State(app): Shared,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let from = app.address(client, &headers);
    let Credentials { email, password } = body::json(request).await?;
    let account = with_password(&app, from, &email, password).await;
    let sign_ins = &app.metrics.sign_ins;
    let counter = match account {
        Ok(_) => Some(&sign_ins.ok),
        Err(ApiError::SignInWrong) => Some(&sign_ins.wrong),
        Err(ApiError::Busy { .. }) => Some(&sign_ins.busy),
        Err(_) => None,
    };
    counter.map(|counter| counter.fetch_add(1, Ordering::Relaxed));
    welcome(&app, &headers, &account?).await
}

/// `DELETE /api/v1/session`.
pub(super) async fn sign_out(State(app): Shared, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(digest) = cookie::read(&headers) {
        app.store.end_session(&digest).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::clear(app.https))]).into_response())
}

/// Signs an account in: a new session in the place of the one that the browser came with.
pub(super) async fn welcome(
    app: &App,
    headers: &HeaderMap,
    account: &Account,
) -> Result<Response, ApiError> {
    if let Some(before) = cookie::read(headers) {
        app.store.end_session(&before).await?;
    }
    let cookie = start(app, account.id).await?;
    let current = Current { account: Some(Own::from(account)) };
    Ok((StatusCode::CREATED, [(header::SET_COOKIE, cookie)], Json(current)).into_response())
}

/// Starts a session; returns what sets its cookie.
pub(super) async fn start(app: &App, account: AccountId) -> Result<HeaderValue, ApiError> {
    let (token, digest) = token::fresh();
    let session = Session { digest, account, ends_at: clock::wall() + SESSION_LIFE };
    app.store.add_session(session).await?;
    Ok(cookie::set(&token, app.https))
}

/// The account that has both. Whether there is one, and whether it has a password, changes neither
/// the answer nor the work.
async fn with_password(
    app: &App,
    from: IpAddr,
    email: &Pii<String>,
    password: Pii<String>,
) -> Result<Account, ApiError> {
    let email: Option<Email> = email.reveal().parse().ok();
    app.access.take_guess(from, email.as_ref().map_or("", Email::reveal))?;
    let found = match &email {
        Some(email) => app.store.account_by_email(email).await?,
        None => None,
    };
    let hash = found.as_ref().and_then(|account| account.password.clone());
    let verdict = app.access.verify(from, password.clone(), hash.clone()).await?;
    let (Some(found), true) = (found, verdict != Verdict::Wrong) else {
        return Err(ApiError::SignInWrong);
    };
    let renewed = match verdict {
        Verdict::RightButOld => app.access.hash(from, password).await.ok(),
        _ => None,
    };
    note_sign_in(app, found.id, hash, renewed).await
}

/// Notes the time, in the place of the last one. The account may have changed while its password
/// was compared.
async fn note_sign_in(
    app: &App,
    id: AccountId,
    compared: Option<PasswordHash>,
    renewed: Option<PasswordHash>,
) -> Result<Account, ApiError> {
    let _one_at_a_time = app.access.turn().await;
    let now = app.store.account(id).await?.filter(|account| account.password == compared);
    let mut account = now.ok_or(ApiError::SignInWrong)?;
    account.last_sign_in = Some(clock::wall());
    account.password = renewed.or(compared);
    app.store.change_account(account.clone()).await?;
    Ok(account)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Credentials {
    email: Pii<String>,
    password: Pii<String>,
}

#[derive(Serialize)]
struct Current {
    account: Option<Own>,
}

/// An account as it sees itself.
#[derive(Serialize)]
pub(super) struct Own {
    id: AccountId,
    name: Pii<String>,
    email: Email,
    role: AccountRole,
    last_sign_in: Option<Timestamp>,
}

impl From<&Account> for Own {
    fn from(account: &Account) -> Self {
        let Account { id, name, email, role, last_sign_in, .. } = account.clone();
        Self { id, name, email, role, last_sign_in }
    }
}
