//! Who is signed in.

use conf_core::AccountId;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, SqliteConnection, query};

use super::{SESSION, digest, length, parsed, time};
use crate::table::{Column, Index, Table};
use crate::{Digest, Session};

pub(crate) const TABLE: Table = Table {
    name: "sessions",
    holds: SESSION,
    columns: &[
        Column::blob("digest", "PRIMARY KEY NOT NULL", SESSION),
        Column::text("account", "NOT NULL REFERENCES accounts (id) ON DELETE CASCADE", SESSION),
        Column::integer("ends_at_ms", "NOT NULL", SESSION),
    ],
    indexes: &[Index::plain("sessions_by_account", "account, ends_at_ms")],
};

pub(crate) async fn insert(db: &mut SqliteConnection, session: &Session) -> Result<(), Error> {
    query("INSERT OR REPLACE INTO sessions (digest, account, ends_at_ms) VALUES (?1, ?2, ?3)")
        .bind(session.digest.to_vec())
        .bind(session.account.to_string())
        .bind(session.ends_at.as_millisecond())
        .execute(db)
        .await
        .map(|_| ())
}

pub(crate) async fn by_digest(
    db: &mut SqliteConnection,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<Session>, Error> {
    query("SELECT * FROM sessions WHERE digest = ?1 AND ends_at_ms > ?2")
        .bind(digest.to_vec())
        .bind(now.as_millisecond())
        .try_map(|row| read(&row))
        .fetch_optional(db)
        .await
}

pub(crate) async fn erase(db: &mut SqliteConnection, digest: &Digest) -> Result<u64, Error> {
    let erased = query("DELETE FROM sessions WHERE digest = ?1").bind(digest.to_vec());
    Ok(erased.execute(db).await?.rows_affected())
}

pub(crate) async fn erase_of(db: &mut SqliteConnection, account: AccountId) -> Result<u64, Error> {
    let erased = query("DELETE FROM sessions WHERE account = ?1").bind(account.to_string());
    Ok(erased.execute(db).await?.rows_affected())
}

/// Erases all of an account but the `keep` that end last.
pub(crate) async fn erase_beyond(
    db: &mut SqliteConnection,
    account: AccountId,
    keep: usize,
) -> Result<u64, Error> {
    let sql = "DELETE FROM sessions WHERE digest IN (SELECT digest FROM sessions \
               WHERE account = ?1 ORDER BY ends_at_ms DESC, digest DESC LIMIT -1 OFFSET ?2)";
    let erased = query(sql).bind(account.to_string()).bind(length(keep));
    Ok(erased.execute(db).await?.rows_affected())
}

pub(crate) async fn erase_ended(db: &mut SqliteConnection, now: Timestamp) -> Result<u64, Error> {
    let erased = query("DELETE FROM sessions WHERE ends_at_ms <= ?1").bind(now.as_millisecond());
    Ok(erased.execute(db).await?.rows_affected())
}

fn read(row: &SqliteRow) -> Result<Session, Error> {
    Ok(Session {
        digest: digest(row)?,
        account: parsed(row, "account")?,
        ends_at: time(row, "ends_at_ms")?,
    })
}
