//! What an operator does on the command line, also beside a running server: both work on the same
//! database.

use conf_core::account::LinkPurpose;
use conf_core::{AccountId, Email};
use conf_privacy::Pii;
use conf_store::sql::Sqlite;
use conf_store::{Accounts as _, OpenError, StoreError};

use crate::config::Config;
use crate::http::{Issued, issue, purpose_for};
use crate::serve::base;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error("the database does not answer")]
    Store(#[from] StoreError),
    /// Nobody needs to be the first.
    #[error(
        "there is an administrator already: they make accounts, or name an account's e-mail address here to give it a new password"
    )]
    AdministratorExists,
    /// Not an address.
    #[error("this is no e-mail address")]
    EmailInvalid,
    /// No such account.
    #[error("no account has this e-mail address")]
    AccountUnknown,
}

/// Makes a one-time link: for the account with this e-mail address, or else for the first
/// administrator. Links made before for the same are void.
///
/// # Errors
/// [`AdminError`].
pub async fn link(config: &Config, email: Option<&str>) -> Result<Pii<String>, AdminError> {
    let store = Sqlite::open(&config.data_dir).await?;
    let made =
        issue_for(&store, email).await.map(|made| made.address(&base(config, config.http_listen)));
    store.close().await;
    made
}

async fn issue_for(store: &Sqlite, email: Option<&str>) -> Result<Issued, AdminError> {
    let (purpose, account) = match email {
        Some(email) => for_account(store, email).await?,
        None if store.has_administrator().await? => return Err(AdminError::AdministratorExists),
        None => (LinkPurpose::FirstAdministrator, None),
    };
    Ok(issue(store, purpose, account).await?)
}

async fn for_account(
    store: &Sqlite,
    email: &str,
) -> Result<(LinkPurpose, Option<AccountId>), AdminError> {
    let email: Email = email.parse().map_err(|_| AdminError::EmailInvalid)?;
    let account = store.account_by_email(&email).await?.ok_or(AdminError::AccountUnknown)?;
    Ok((purpose_for(&account), Some(account.id)))
}
