//! One-time links: the first administrator, invitations, new passwords.
//!
//! The token stands behind the `#` of the address, which browsers send to nobody; the page sends it
//! in a body. Only its digest is stored.

use axum::Json;
use axum::extract::{Extension, Request, State};
use axum::response::Response;
use conf_core::account::{
    ACCOUNT_NAME_CHARS, EMAIL_CHARS, LINK_LIFE, LinkPurpose, account_name, check_password,
};
use conf_core::{Account, AccountId, AccountRole, Email};
use conf_privacy::Pii;
use conf_store::{Digest, Link, Store, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::session;
use super::{ApiError, App, Client, Shared, body, token};
use crate::{clock, random};

/// `POST /api/v1/links/look`: what a link is for. It can still be used afterwards.
pub(super) async fn look(
    State(app): Shared,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Json<Seen>, ApiError> {
    app.access.take(app.address(client, request.headers()))?;
    let Look { token } = body::json(request).await?;
    let (_, link) = found(&app, &token).await?;
    let account = account_of(&app, &link).await?;
    let (email, name) = account.map(|account| (account.email, account.name)).unzip();
    Ok(Json(Seen { purpose: link.purpose, email, name }))
}

/// `POST /api/v1/links/use`: sets the password and signs in.
pub(super) async fn redeem(
    State(app): Shared,
    Extension(client): Extension<Client>,
    request: Request,
) -> Result<Response, ApiError> {
    let headers = request.headers().clone();
    let from = app.address(client, &headers);
    app.access.take(from)?;
    let Use { token, name, email, password } = body::json(request).await?;
    let (digest, link) = found(&app, &token).await?;
    let typed = Typed { name: name_of(name)?, email: email_of(email)? };
    let draft = typed.fill(account_of(&app, &link).await?)?;
    check_password(password.reveal(), &draft.email, draft.name.reveal())?;
    let hash = app.access.hash(from, password).await?;
    let account = {
        let _one_at_a_time = app.access.turn().await;
        // It may have changed while its password was hashed.
        let mut account = typed.fill(account_of(&app, &link).await?)?;
        account.password = Some(hash);
        account.last_sign_in = Some(clock::wall());
        let used = app.store.redeem(&digest, clock::wall(), account.clone()).await;
        used.map_err(|error| match error {
            StoreError::Missing { .. } => ApiError::LinkUnknown,
            error => error.into(),
        })?;
        account
    };
    session::welcome(&app, &headers, &account).await
}

/// Makes a link in the place of the account's earlier ones; returns what is behind the `#`.
///
/// # Errors
/// [`StoreError::Missing`] without the account.
pub(crate) async fn issue(
    store: &dyn Store,
    purpose: LinkPurpose,
    account: Option<AccountId>,
) -> Result<Issued, StoreError> {
    let (token, digest) = token::fresh();
    let ends_at = clock::wall() + LINK_LIFE;
    store.add_link(Link { digest, purpose, account, ends_at }).await?;
    Ok(Issued { token, ends_at })
}

/// What a new link of an account is for.
pub(crate) const fn purpose_for(account: &Account) -> LinkPurpose {
    match account.password {
        None => LinkPurpose::Invitation,
        Some(_) => LinkPurpose::Reset,
    }
}

/// A link that was just made. Nobody can read it again.
pub(crate) struct Issued {
    token: Pii<String>,
    pub(crate) ends_at: Timestamp,
}

impl Issued {
    /// The whole address; `base` is that of the server, without a slash at the end.
    pub(crate) fn address(&self, base: &str) -> Pii<String> {
        Pii::new(format!("{base}/welcome#{}", self.token.reveal()))
    }
}

async fn found(app: &App, token: &Pii<String>) -> Result<(Digest, Link), ApiError> {
    let digest = token::read(token.reveal()).ok_or(ApiError::LinkUnknown)?;
    let link = app.store.link(&digest, clock::wall()).await?;
    Ok((digest, link.ok_or(ApiError::LinkUnknown)?))
}

/// The account of a link; `None` for the first administrator, who has none yet.
async fn account_of(app: &App, link: &Link) -> Result<Option<Account>, ApiError> {
    let Some(id) = link.account else { return Ok(None) };
    app.store.account(id).await?.map(Some).ok_or(ApiError::LinkUnknown)
}

/// What was typed beside the password.
struct Typed {
    name: Option<Pii<String>>,
    email: Option<Email>,
}

impl Typed {
    /// The account with what was typed; a new one needs both. The e-mail address of an account
    /// that exists is the administrators' to change.
    fn fill(&self, account: Option<Account>) -> Result<Account, ApiError> {
        let Self { name, email } = self;
        let name = name.clone();
        let Some(account) = account else {
            return Ok(Account {
                id: AccountId::from_u64(random::id()),
                name: name.ok_or(ApiError::NameInvalid { limit: ACCOUNT_NAME_CHARS })?,
                email: email.clone().ok_or(ApiError::EmailInvalid { limit: EMAIL_CHARS })?,
                role: AccountRole::Administrator,
                password: None,
                last_sign_in: None,
            });
        };
        if email.as_ref().is_some_and(|email| *email != account.email) {
            return Err(ApiError::EmailInvalid { limit: EMAIL_CHARS });
        }
        Ok(Account { name: name.unwrap_or(account.name), ..account })
    }
}

/// Reads a name, where one was given.
///
/// # Errors
/// [`ApiError::NameInvalid`].
pub(super) fn name_of(text: Option<Pii<String>>) -> Result<Option<Pii<String>>, ApiError> {
    let read = |text: Pii<String>| account_name(text.reveal());
    let invalid = ApiError::NameInvalid { limit: ACCOUNT_NAME_CHARS };
    text.map(read).transpose().map_err(|_| invalid)
}

/// Reads an e-mail address, where one was given.
///
/// # Errors
/// [`ApiError::EmailInvalid`].
pub(super) fn email_of(text: Option<Pii<String>>) -> Result<Option<Email>, ApiError> {
    let invalid = ApiError::EmailInvalid { limit: EMAIL_CHARS };
    text.map(|text| text.reveal().parse()).transpose().map_err(|_| invalid)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    token: Pii<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Use {
    token: Pii<String>,
    name: Option<Pii<String>>,
    email: Option<Pii<String>>,
    password: Pii<String>,
}

/// What a link is for, and for whom.
#[derive(Serialize)]
pub(super) struct Seen {
    purpose: LinkPurpose,
    email: Option<Email>,
    name: Option<Pii<String>>,
}
