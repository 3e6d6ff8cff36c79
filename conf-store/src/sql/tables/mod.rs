//! One table a file: its declaration, its rows, its queries.

pub(super) mod accounts;
pub(super) mod links;
pub(super) mod rooms;
pub(super) mod sessions;

use conf_privacy::category;
use conf_privacy::inventory::Holds;
use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row as _};

use crate::table::Table;

/// All tables, each after those it refers to.
pub(super) const ALL: [Table; 4] = [accounts::TABLE, sessions::TABLE, links::TABLE, rooms::TABLE];

const PROFILE: Holds = Holds::Category(category::ACCOUNT_PROFILE.id);
const SESSION: Holds = Holds::Category(category::ACCOUNT_SESSION.id);
const LINK: Holds = Holds::Category(category::ACCOUNT_LINK.id);
const ROOMS: Holds = Holds::Category(category::ACCOUNT_ROOMS.id);

/// Reads a column whose text stands for something.
fn parsed<T: std::str::FromStr>(row: &SqliteRow, column: &'static str) -> Result<T, Error> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| unreadable(column))
}

/// Reads a column of milliseconds since 1970.
fn time(row: &SqliteRow, column: &'static str) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(row.try_get(column)?).map_err(|_| unreadable(column))
}

/// Reads a column of 32 bytes.
fn digest(row: &SqliteRow) -> Result<crate::Digest, Error> {
    row.try_get::<Vec<u8>, _>("digest")?.try_into().map_err(|_| unreadable("digest"))
}

/// Reads a column that has one of a few words.
fn word<T: Copy>(row: &SqliteRow, column: &'static str, words: &[(&str, T)]) -> Result<T, Error> {
    let text: String = row.try_get(column)?;
    let known = words.iter().find(|(word, _)| *word == text);
    known.map(|(_, value)| *value).ok_or_else(|| unreadable(column))
}

/// The word that stands for a value.
fn word_of<T: PartialEq>(value: &T, words: &[(&'static str, T)]) -> &'static str {
    let known = words.iter().find(|(_, other)| other == value);
    known.map(|(word, _)| *word).expect("every value has its word")
}

/// An error that does not quote what was read.
fn unreadable(column: &'static str) -> Error {
    Error::ColumnDecode { index: column.to_owned(), source: "not what is written there".into() }
}

/// A page's length as SQL takes it.
fn length(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_words_and_each_place_is_named_once() {
        let mut places: Vec<_> = ALL.iter().flat_map(Table::entries).map(|it| it.place).collect();
        for place in &places {
            let name = place.name();
            let plain = name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_' | b'.'));
            assert!(plain, "{name}");
        }
        let count = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), count);
    }
}
