//! The store declares all it has, and sees what it did not declare.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::fs;

use conf_privacy::inventory::{Entry, Place};
use conf_store::{Folder, PersonalStore as _};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, raw_sql};
use support::{Opened, sqlite};

/// What was seen that nothing declares, as it is called.
async fn undeclared(opened: &Opened) -> Vec<String> {
    let mut entries: Vec<Entry> = opened.store.describe();
    entries.extend(Folder::describe());
    let seen = opened.store.observed().await.unwrap();
    let declared = |place: &&Place| !entries.iter().any(|entry| entry.place.covers(place));
    seen.iter().filter(declared).map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_new_store_has_what_it_declares_and_nothing_else() {
    let opened = sqlite().await;
    assert_eq!(undeclared(&opened).await, [""; 0]);
    let seen = opened.store.observed().await.unwrap();
    let described = opened.store.describe();
    let unseen = described.iter().filter(|entry| !seen.iter().any(|it| entry.place.covers(it)));
    assert_eq!(unseen.count(), 0);
}

#[tokio::test]
async fn whatever_somebody_adds_is_seen() {
    const PLANTED: [(&str, &[&str]); 14] = [
        ("CREATE TABLE log (line TEXT)", &["column log.line", "table log"]),
        ("CREATE TABLE \"a b;--\" (\"x y\")", &["column a b;--.x y", "table a b;--"]),
        (
            "CREATE TABLE n (i INTEGER PRIMARY KEY AUTOINCREMENT)",
            &["table n", "table sqlite_sequence"],
        ),
        ("CREATE TABLE u (a UNIQUE)", &["index u.sqlite_autoindex_u_1"]),
        ("ALTER TABLE accounts ADD COLUMN phone TEXT", &["column accounts.phone"]),
        ("ALTER TABLE rooms ADD COLUMN extra TEXT AS (title) VIRTUAL", &["column rooms.extra"]),
        ("CREATE INDEX by_name ON accounts (name)", &["index accounts.by_name"]),
        ("CREATE INDEX by_x ON rooms (lower(title))", &["index rooms.by_x"]),
        ("CREATE VIEW people AS SELECT name FROM accounts", &["view people"]),
        ("CREATE TRIGGER spy AFTER DELETE ON accounts BEGIN SELECT 1; END", &["trigger spy"]),
        ("CREATE VIRTUAL TABLE words USING fts5 (text)", &["table words", "table words_content"]),
        ("CREATE TABLE copy AS SELECT * FROM accounts", &["table copy"]),
        ("ANALYZE", &["table sqlite_stat1"]),
        ("ALTER TABLE sessions RENAME COLUMN ends_at_ms TO until", &["column sessions.until"]),
    ];
    for (statement, names) in PLANTED {
        let opened = sqlite().await;
        let path = opened.folder.0.join("conf.db");
        let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
        raw_sql(statement).execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let seen = undeclared(&opened).await;
        for name in names {
            assert!(seen.iter().any(|it| it == name), "{statement}: {seen:?}");
        }
    }
}

#[tokio::test]
async fn whatever_lies_in_the_folder_is_seen() {
    let opened = sqlite().await;
    let folder = &opened.folder.0;
    fs::write(folder.join("chat.log"), "x").unwrap();
    fs::write(folder.join(".hidden"), "x").unwrap();
    fs::write(folder.join("conf.db-journal"), "").unwrap();
    fs::create_dir_all(folder.join("old/deep")).unwrap();
    fs::write(folder.join("old/deep/conf.db"), "x").unwrap();
    std::os::unix::fs::symlink("/", folder.join("link")).unwrap();
    let mut seen = undeclared(&opened).await;
    seen.sort();
    assert_eq!(
        seen,
        [
            "directory old",
            "directory old/deep",
            "file .hidden",
            "file chat.log",
            "file conf.db-journal",
            "file link",
            "file old/deep/conf.db"
        ]
    );
}
