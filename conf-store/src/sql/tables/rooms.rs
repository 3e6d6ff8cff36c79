//! Lasting rooms.

use conf_core::{AccountId, Lobby, Room, RoomCode, RoomId, RoomOptions, Start};
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _, SqliteConnection, query, query_scalar};

use super::{ROOMS, length, parsed, word, word_of};
use crate::Page;
use crate::table::{Column, Index, Table};

pub(crate) const TABLE: Table = Table {
    name: "rooms",
    holds: ROOMS,
    columns: &[
        Column::text("id", "PRIMARY KEY NOT NULL", ROOMS),
        Column::text("owner", "REFERENCES accounts (id) ON DELETE CASCADE", ROOMS),
        Column::text("code", "NOT NULL", ROOMS),
        Column::text("title", "", ROOMS),
        Column::integer("mute_on_start", "NOT NULL", ROOMS),
        Column::text("lobby", "NOT NULL", ROOMS),
        Column::text("start", "NOT NULL", ROOMS),
    ],
    indexes: &[Index::unique("rooms_by_code", "code"), Index::plain("rooms_by_owner", "owner, id")],
};

pub(crate) async fn insert(db: &mut SqliteConnection, room: &Room) -> Result<(), Error> {
    let sql = "INSERT INTO rooms (id, owner, code, title, mute_on_start, lobby, start) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    write(db, sql, room).await
}

pub(crate) async fn update(db: &mut SqliteConnection, room: &Room) -> Result<(), Error> {
    let sql = "UPDATE rooms SET owner = ?2, code = ?3, title = ?4, mute_on_start = ?5, \
               lobby = ?6, start = ?7 WHERE id = ?1";
    write(db, sql, room).await
}

pub(crate) async fn erase(db: &mut SqliteConnection, id: RoomId) -> Result<(), Error> {
    query("DELETE FROM rooms WHERE id = ?1").bind(id.to_string()).execute(db).await.map(|_| ())
}

pub(crate) async fn by_id(db: &mut SqliteConnection, id: RoomId) -> Result<Option<Room>, Error> {
    let found = query("SELECT * FROM rooms WHERE id = ?1").bind(id.to_string());
    found.try_map(|row| read(&row)).fetch_optional(db).await
}

pub(crate) async fn by_code(
    db: &mut SqliteConnection,
    code: RoomCode,
) -> Result<Option<Room>, Error> {
    let found = query("SELECT * FROM rooms WHERE code = ?1").bind(code.to_string());
    found.try_map(|row| read(&row)).fetch_optional(db).await
}

pub(crate) async fn of(db: &mut SqliteConnection, owner: AccountId) -> Result<Vec<Room>, Error> {
    let found = query("SELECT * FROM rooms WHERE owner = ?1 ORDER BY id").bind(owner.to_string());
    found.try_map(|row| read(&row)).fetch_all(db).await
}

pub(crate) async fn page(
    db: &mut SqliteConnection,
    page: Page<RoomId>,
) -> Result<Vec<Room>, Error> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let found = query("SELECT * FROM rooms WHERE id > ?1 ORDER BY id LIMIT ?2");
    let found = found.bind(after).bind(length(page.limit));
    found.try_map(|row| read(&row)).fetch_all(db).await
}

pub(crate) async fn count(db: &mut SqliteConnection) -> Result<i64, Error> {
    query_scalar("SELECT count(*) FROM rooms").fetch_one(db).await
}

pub(crate) async fn count_of(db: &mut SqliteConnection, owner: AccountId) -> Result<i64, Error> {
    let count = query_scalar("SELECT count(*) FROM rooms WHERE owner = ?1");
    count.bind(owner.to_string()).fetch_one(db).await
}

async fn write(db: &mut SqliteConnection, sql: &'static str, room: &Room) -> Result<(), Error> {
    query(sql)
        .bind(room.id.to_string())
        .bind(room.owner.map(|id| id.to_string()))
        .bind(room.code.to_string())
        .bind(room.title.as_ref().map(|title| title.reveal().clone()))
        .bind(room.options.mute_on_start)
        .bind(word_of(&room.options.lobby, &LOBBIES))
        .bind(word_of(&room.options.start, &STARTS))
        .execute(db)
        .await
        .map(|_| ())
}

fn read(row: &SqliteRow) -> Result<Room, Error> {
    let owner: Option<String> = row.try_get("owner")?;
    Ok(Room {
        id: parsed(row, "id")?,
        owner: owner.map(|_| parsed(row, "owner")).transpose()?,
        code: parsed(row, "code")?,
        title: row.try_get::<Option<String>, _>("title")?.map(Into::into),
        options: RoomOptions {
            mute_on_start: row.try_get("mute_on_start")?,
            lobby: word(row, "lobby", &LOBBIES)?,
            start: word(row, "start", &STARTS)?,
        },
    })
}

const LOBBIES: [(&str, Lobby); 2] = [("off", Lobby::Off), ("ask", Lobby::Ask)];
const STARTS: [(&str, Start); 2] = [("anyone", Start::Anyone), ("owner", Start::Owner)];
