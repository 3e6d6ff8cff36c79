//! One-time links that wait to be used.

use conf_core::AccountId;
use conf_core::account::LinkPurpose;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _, SqliteConnection, query};

use super::{LINK, digest, parsed, time, word, word_of};
use crate::table::{Column, Index, Table};
use crate::{Digest, Link};

pub(crate) const TABLE: Table = Table {
    name: "links",
    holds: LINK,
    columns: &[
        Column::blob("digest", "PRIMARY KEY NOT NULL", LINK),
        Column::text("purpose", "NOT NULL", LINK),
        Column::text("account", "REFERENCES accounts (id) ON DELETE CASCADE", LINK),
        Column::integer("ends_at_ms", "NOT NULL", LINK),
    ],
    indexes: &[Index::plain("links_by_account", "account")],
};

pub(crate) async fn insert(db: &mut SqliteConnection, link: &Link) -> Result<(), Error> {
    query("INSERT INTO links (digest, purpose, account, ends_at_ms) VALUES (?1, ?2, ?3, ?4)")
        .bind(link.digest.to_vec())
        .bind(word_of(&link.purpose, &PURPOSES))
        .bind(link.account.map(|id| id.to_string()))
        .bind(link.ends_at.as_millisecond())
        .execute(db)
        .await
        .map(|_| ())
}

pub(crate) async fn by_digest(
    db: &mut SqliteConnection,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<Link>, Error> {
    query("SELECT * FROM links WHERE digest = ?1 AND ends_at_ms > ?2")
        .bind(digest.to_vec())
        .bind(now.as_millisecond())
        .try_map(|row| read(&row))
        .fetch_optional(db)
        .await
}

pub(crate) async fn erase(db: &mut SqliteConnection, digest: &Digest) -> Result<u64, Error> {
    let erased = query("DELETE FROM links WHERE digest = ?1").bind(digest.to_vec());
    Ok(erased.execute(db).await?.rows_affected())
}

/// Erases those of an account, or those for the first administrator.
pub(crate) async fn erase_of(
    db: &mut SqliteConnection,
    account: Option<AccountId>,
) -> Result<u64, Error> {
    let erased = query("DELETE FROM links WHERE account IS ?1");
    let erased = erased.bind(account.map(|id| id.to_string()));
    Ok(erased.execute(db).await?.rows_affected())
}

pub(crate) async fn erase_ended(db: &mut SqliteConnection, now: Timestamp) -> Result<u64, Error> {
    let erased = query("DELETE FROM links WHERE ends_at_ms <= ?1").bind(now.as_millisecond());
    Ok(erased.execute(db).await?.rows_affected())
}

fn read(row: &SqliteRow) -> Result<Link, Error> {
    let account: Option<String> = row.try_get("account")?;
    Ok(Link {
        digest: digest(row)?,
        purpose: word(row, "purpose", &PURPOSES)?,
        account: account.map(|_| parsed(row, "account")).transpose()?,
        ends_at: time(row, "ends_at_ms")?,
    })
}

const PURPOSES: [(&str, LinkPurpose); 3] = [
    ("first_administrator", LinkPurpose::FirstAdministrator),
    ("invitation", LinkPurpose::Invitation),
    ("reset", LinkPurpose::Reset),
];
