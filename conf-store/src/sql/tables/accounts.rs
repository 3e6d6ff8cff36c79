//! The people with a sign-in. With a row go the rows of the other tables that name it.

use conf_core::{Account, AccountId, AccountRole, Email, PasswordHash};
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _, SqliteConnection, query, query_scalar};

use super::{PROFILE, length, parsed, time, word, word_of};
use crate::Page;
use crate::table::{Column, Index, Table};

pub(crate) const TABLE: Table = Table {
    name: "accounts",
    holds: PROFILE,
    columns: &[
        Column::text("id", "PRIMARY KEY NOT NULL", PROFILE),
        Column::text("name", "NOT NULL", PROFILE),
        Column::text("email", "NOT NULL", PROFILE),
        Column::text("role", "NOT NULL", PROFILE),
        Column::text("password", "", PROFILE),
        Column::integer("last_sign_in_ms", "", PROFILE),
    ],
    indexes: &[Index::unique("accounts_by_email", "email")],
};

pub(crate) async fn insert(db: &mut SqliteConnection, account: &Account) -> Result<(), Error> {
    let sql = "INSERT INTO accounts (id, name, email, role, password, last_sign_in_ms) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    write(db, sql, account).await.map(|_| ())
}

pub(crate) async fn update(db: &mut SqliteConnection, account: &Account) -> Result<(), Error> {
    let sql = "UPDATE accounts SET name = ?2, email = ?3, role = ?4, password = ?5, \
               last_sign_in_ms = ?6 WHERE id = ?1";
    write(db, sql, account).await.map(|_| ())
}

pub(crate) async fn erase(db: &mut SqliteConnection, id: AccountId) -> Result<(), Error> {
    let sql = "DELETE FROM accounts WHERE id = ?1";
    query(sql).bind(id.to_string()).execute(db).await.map(|_| ())
}

pub(crate) async fn by_id(
    db: &mut SqliteConnection,
    id: AccountId,
) -> Result<Option<Account>, Error> {
    let found = query("SELECT * FROM accounts WHERE id = ?1").bind(id.to_string());
    found.try_map(|row| read(&row)).fetch_optional(db).await
}

pub(crate) async fn by_email(
    db: &mut SqliteConnection,
    email: &Email,
) -> Result<Option<Account>, Error> {
    let found = query("SELECT * FROM accounts WHERE email = ?1").bind(email.reveal().to_owned());
    found.try_map(|row| read(&row)).fetch_optional(db).await
}

pub(crate) async fn page(
    db: &mut SqliteConnection,
    page: Page<AccountId>,
) -> Result<Vec<Account>, Error> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let found = query("SELECT * FROM accounts WHERE id > ?1 ORDER BY id LIMIT ?2");
    let found = found.bind(after).bind(length(page.limit));
    found.try_map(|row| read(&row)).fetch_all(db).await
}

pub(crate) async fn count(db: &mut SqliteConnection) -> Result<i64, Error> {
    query_scalar("SELECT count(*) FROM accounts").fetch_one(db).await
}

/// Whether an administrator who can sign in exists, other than `but`.
pub(crate) async fn has_administrator(
    db: &mut SqliteConnection,
    but: Option<AccountId>,
) -> Result<bool, Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM accounts WHERE role = 'administrator' \
               AND password IS NOT NULL AND id <> ?1)";
    let but = but.map(|id| id.to_string()).unwrap_or_default();
    query_scalar(sql).bind(but).fetch_one(db).await
}

async fn write(
    db: &mut SqliteConnection,
    sql: &'static str,
    account: &Account,
) -> Result<sqlx::sqlite::SqliteQueryResult, Error> {
    query(sql)
        .bind(account.id.to_string())
        .bind(account.name.reveal().clone())
        .bind(account.email.reveal().to_owned())
        .bind(word_of(&account.role, &ROLES))
        .bind(account.password.as_ref().map(|hash| hash.reveal().to_owned()))
        .bind(account.last_sign_in.map(jiff::Timestamp::as_millisecond))
        .execute(db)
        .await
}

fn read(row: &SqliteRow) -> Result<Account, Error> {
    let last_sign_in: Option<i64> = row.try_get("last_sign_in_ms")?;
    Ok(Account {
        id: parsed(row, "id")?,
        name: row.try_get::<String, _>("name")?.into(),
        email: parsed(row, "email")?,
        role: word(row, "role", &ROLES)?,
        password: row.try_get::<Option<String>, _>("password")?.map(PasswordHash::new),
        last_sign_in: last_sign_in.map(|_| time(row, "last_sign_in_ms")).transpose()?,
    })
}

const ROLES: [(&str, AccountRole); 2] =
    [("administrator", AccountRole::Administrator), ("member", AccountRole::Member)];
