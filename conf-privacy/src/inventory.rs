//! The one list of places: where anything is kept, and what is kept there.
//!
//! Whoever keeps something declares it as an [`Entry`]: the stores their tables, columns and
//! indexes, the server its folders, files, cookies, keys in the browser, what it holds in memory and
//! what it logs. The gate compares the list with what is really there, and the pages `/privacy` and
//! `/privacy/inventory` are printed from it.

use std::borrow::Cow;
use std::fmt;

use crate::category::{CategoryId, Label};

/// A place where something can be kept, or one that was seen.
///
/// Paths are relative to the server's folder, with `/` between levels; a declared path may have `*`
/// for any characters but `/`. A declared key of the browser may have `<…>` for a part that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A table of the database.
    Table {
        /// Its name.
        table: Name,
    },
    /// A column of a table.
    Column {
        /// The table.
        table: Name,
        /// Its name.
        column: Name,
    },
    /// An index, which holds copies of what it sorts.
    Index {
        /// The table.
        table: Name,
        /// Its name.
        index: Name,
    },
    /// A view of the database. We use none.
    View {
        /// Its name.
        view: Name,
    },
    /// A trigger of the database: it can copy rows unseen. We use none.
    Trigger {
        /// Its name.
        trigger: Name,
    },
    /// A folder.
    Directory {
        /// Its path.
        path: Name,
    },
    /// A file.
    File {
        /// Its path.
        path: Name,
    },
    /// A cookie.
    Cookie {
        /// Its name.
        name: Name,
    },
    /// A key in the storage of the person's own browser.
    Browser {
        /// Which storage.
        storage: BrowserStorage,
        /// The key.
        key: Name,
    },
    /// In the memory of the server; never on a disk.
    Memory {
        /// What, in a few words for developers.
        what: Name,
    },
    /// A log.
    Log {
        /// Its name.
        name: Name,
    },
}

/// A name that is declared in code, or one that was read.
pub type Name = Cow<'static, str>;

/// The storages of a browser (TDDDG, section 25).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrowserStorage {
    /// Gone with the tab.
    Session,
    /// Stays until it is removed.
    Local,
    /// Stays until it is removed. We use none.
    IndexedDb,
}

/// What is kept at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holds {
    /// Personal data of this kind.
    Category(CategoryId),
    /// Nothing personal.
    NotPersonal {
        /// Why it is not, or why it is there.
        reason: Label,
    },
}

impl Holds {
    /// Nothing personal, for a reason in German and English.
    #[must_use]
    pub const fn not_personal(de: &'static str, en: &'static str) -> Self {
        Self::NotPersonal { reason: Label::new(de, en) }
    }
}

/// A place, and what is kept there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Where.
    pub place: Place,
    /// What.
    pub holds: Holds,
}

impl Entry {
    /// Declares a place.
    #[must_use]
    pub const fn new(place: Place, holds: Holds) -> Self {
        Self { place, holds }
    }
}

impl Place {
    /// A table.
    #[must_use]
    pub const fn table(table: &'static str) -> Self {
        Self::Table { table: Cow::Borrowed(table) }
    }

    /// A column of a table.
    #[must_use]
    pub const fn column(table: &'static str, column: &'static str) -> Self {
        Self::Column { table: Cow::Borrowed(table), column: Cow::Borrowed(column) }
    }

    /// An index of a table.
    #[must_use]
    pub const fn index(table: &'static str, index: &'static str) -> Self {
        Self::Index { table: Cow::Borrowed(table), index: Cow::Borrowed(index) }
    }

    /// A folder; `*` stands for any characters but `/`.
    #[must_use]
    pub const fn directory(path: &'static str) -> Self {
        Self::Directory { path: Cow::Borrowed(path) }
    }

    /// A file; `*` stands for any characters but `/`.
    #[must_use]
    pub const fn file(path: &'static str) -> Self {
        Self::File { path: Cow::Borrowed(path) }
    }

    /// A cookie.
    #[must_use]
    pub const fn cookie(name: &'static str) -> Self {
        Self::Cookie { name: Cow::Borrowed(name) }
    }

    /// A key in the browser; `<…>` stands for a part that differs.
    #[must_use]
    pub const fn browser(storage: BrowserStorage, key: &'static str) -> Self {
        Self::Browser { storage, key: Cow::Borrowed(key) }
    }

    /// Something in the server's memory.
    #[must_use]
    pub const fn memory(what: &'static str) -> Self {
        Self::Memory { what: Cow::Borrowed(what) }
    }

    /// A log.
    #[must_use]
    pub const fn log(name: &'static str) -> Self {
        Self::Log { name: Cow::Borrowed(name) }
    }

    /// Whether this declared place is the one that was seen.
    #[must_use]
    pub fn covers(&self, seen: &Self) -> bool {
        match (self, seen) {
            (Self::Directory { path: declared }, Self::Directory { path })
            | (Self::File { path: declared }, Self::File { path }) => {
                covers(declared, path, ('*', '*'))
            }
            (Self::Browser { storage, key: declared }, Self::Browser { storage: seen_in, key }) => {
                storage == seen_in && covers(declared, key, ('<', '>'))
            }
            _ => self == seen,
        }
    }

    /// What kind of place it is, one word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Table { .. } => "table",
            Self::Column { .. } => "column",
            Self::Index { .. } => "index",
            Self::View { .. } => "view",
            Self::Trigger { .. } => "trigger",
            Self::Directory { .. } => "directory",
            Self::File { .. } => "file",
            Self::Cookie { .. } => "cookie",
            Self::Browser { .. } => "browser",
            Self::Memory { .. } => "memory",
            Self::Log { .. } => "log",
        }
    }

    /// Its name among places of its kind, `accounts.email`.
    #[must_use]
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Self::Table { table: name }
            | Self::View { view: name }
            | Self::Trigger { trigger: name }
            | Self::Directory { path: name }
            | Self::File { path: name }
            | Self::Cookie { name }
            | Self::Browser { key: name, .. }
            | Self::Memory { what: name }
            | Self::Log { name } => Cow::Borrowed(name),
            Self::Column { table, column } => Cow::Owned(format!("{table}.{column}")),
            Self::Index { table, index } => Cow::Owned(format!("{table}.{index}")),
        }
    }

    /// Whether bytes that are written there stay on the server's disk.
    #[must_use]
    pub const fn is_on_disk(&self) -> bool {
        matches!(
            self,
            Self::Table { .. }
                | Self::Column { .. }
                | Self::Index { .. }
                | Self::View { .. }
                | Self::Trigger { .. }
                | Self::Directory { .. }
                | Self::File { .. }
                | Self::Log { .. }
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Browser { storage, key } => write!(f, "{storage} key {key}"),
            _ => write!(f, "{} {}", self.kind(), self.name()),
        }
    }
}

impl fmt::Display for BrowserStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "sessionStorage",
            Self::Local => "localStorage",
            Self::IndexedDb => "IndexedDB",
        })
    }
}

/// Whether a name is made like the declared one, in which a wildcard goes from `open` to `close`
/// and stands for at least one character but `/`.
fn covers(declared: &str, name: &str, (open, close): (char, char)) -> bool {
    let Some((before, wild)) = declared.split_once(open) else {
        return declared == name;
    };
    let after = if open == close { wild } else { wild.split_once(close).map_or("", |it| it.1) };
    let Some(rest) = name.strip_prefix(before) else { return false };
    let ends = rest.char_indices().skip(1).map(|(at, _)| at).chain([rest.len()]);
    ends.filter(|&end| end > 0)
        .filter_map(|end| rest.split_at_checked(end))
        .take_while(|(middle, _)| !middle.contains('/'))
        .any(|(_, end)| covers(after, end, (open, close)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Place {
        Place::File { path: Cow::Owned(path.to_owned()) }
    }

    #[test]
    fn a_star_stands_for_some_characters_of_one_level() {
        let declared = Place::file("acme/*.pem");
        assert!(declared.covers(&file("acme/meet.example.org.pem")));
        for other in ["acme/.pem", "acme/a/b.pem", "acme/a.pem.bak", "other/a.pem", "acme/é/.pem"]
        {
            assert!(!declared.covers(&file(other)), "{other}");
        }
        assert!(Place::file("*-*.tmp").covers(&file("a-b-c.tmp")));
        assert!(Place::file("a*").covers(&file("aéé")));
        assert!(Place::file("conf.db").covers(&file("conf.db")));
        assert!(!Place::file("conf.db").covers(&file("conf.db-journal")));
        assert!(!Place::directory("acme").covers(&file("acme")));
    }

    #[test]
    fn a_part_in_angle_brackets_differs_from_room_to_room() {
        let seen = |storage, key: &str| Place::Browser { storage, key: key.to_owned().into() };
        let declared = Place::browser(BrowserStorage::Session, "conf.guest.<code>");
        assert!(declared.covers(&seen(BrowserStorage::Session, "conf.guest.abc-def")));
        assert!(!declared.covers(&seen(BrowserStorage::Session, "conf.guest.")));
        assert!(!declared.covers(&seen(BrowserStorage::Local, "conf.guest.abc-def")));
        assert!(!declared.covers(&seen(BrowserStorage::Session, "conf.guests")));
    }

    #[test]
    fn a_place_is_called_by_its_kind_and_name() {
        assert_eq!(Place::column("accounts", "email").to_string(), "column accounts.email");
        let key = Place::browser(BrowserStorage::Local, "conf.name");
        assert_eq!(key.to_string(), "localStorage key conf.name");
        assert!(Place::log("application").is_on_disk() && !Place::memory("chat").is_on_disk());
    }
}
