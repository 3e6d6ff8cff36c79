//! The version of the tables, written into the database itself (`user_version`).

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, Error, query, query_scalar, raw_sql};

use super::tables;
use crate::table::Table;

/// Marks a database as ours: "conf" in ASCII.
pub(super) const APPLICATION: u32 = 0x636f_6e66;
/// The version of the tables that this program knows.
pub(super) const VERSION: u32 = 1;

/// What a database says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Whose it is; 0 is nobody's.
    pub(super) application: u32,
    /// Of which version; 0 before there are tables.
    pub(super) version: u32,
}

/// Reads the stamp of an open database.
pub(super) async fn stamp(db: &mut SqliteConnection) -> Result<Stamp, Error> {
    let application: i64 = query_scalar("PRAGMA application_id").fetch_one(&mut *db).await?;
    let version: i64 = query_scalar("PRAGMA user_version").fetch_one(db).await?;
    let number = |value| u32::try_from(value).unwrap_or(u32::MAX);
    Ok(Stamp { application: number(application), version: number(version) })
}

/// Whether there is nothing in it.
pub(super) async fn is_empty(db: &mut SqliteConnection) -> Result<bool, Error> {
    query_scalar("SELECT NOT EXISTS (SELECT 1 FROM sqlite_master)").fetch_one(db).await
}

/// Makes the tables of an empty database, all or nothing.
pub(super) async fn make(db: &mut SqliteConnection) -> Result<(), Error> {
    let mut tx = db.begin_with("BEGIN IMMEDIATE").await?;
    for statement in tables::ALL.iter().flat_map(Table::statements) {
        // Made of constants only.
        query(AssertSqlSafe(statement)).execute(&mut *tx).await?;
    }
    let stamps = format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION}");
    raw_sql(AssertSqlSafe(stamps)).execute(&mut *tx).await?;
    tx.commit().await
}
