//! The store in a database: SQLite, one file in the server's folder.
//!
//! ```text
//! tables/*   what each table is, its rows, its queries
//! store      the storage traits: one transaction a function
//! sqlite     opening: what is refused, settings, connections, settling
//! observe    what is really there; the search for needles
//! ```

mod migrate;
mod observe;
mod sqlite;
mod store;
mod tables;

pub use observe::describe;
pub use sqlite::{Glance, Sqlite, glance};

use crate::StoreError;

impl From<sqlx::Error> for StoreError {
    /// Neither SQLite's words nor ours in these errors quote a value.
    fn from(error: sqlx::Error) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
