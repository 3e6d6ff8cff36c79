//! A table, declared: what it is called, what each column holds and why.
//!
//! The statements that make a table are made from its declaration and from nothing else, so none
//! can exist without saying which kind of personal data it holds; the gate at start-up compares
//! both with what the database really has.

use conf_privacy::inventory::{Entry, Holds, Place};

/// A table of the database.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// What a row of it is.
    pub holds: Holds,
    /// The first is the primary key.
    pub columns: &'static [Column],
    /// Copies of columns in another order.
    pub indexes: &'static [Index],
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// What else must hold for them, in SQL.
    pub constraints: &'static str,
    /// Which kind of data they are.
    pub holds: Holds,
}

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Integer,
    /// Texts.
    Text,
    /// Bytes.
    Blob,
}

/// An index of a table.
#[derive(Clone, Copy, Debug)]
pub struct Index {
    /// Its name.
    pub name: &'static str,
    /// Which columns, separated by commas.
    pub columns: &'static str,
    /// Whether no two rows may agree in them.
    pub unique: bool,
}

impl Column {
    /// Whole numbers.
    #[must_use]
    pub const fn integer(name: &'static str, constraints: &'static str, holds: Holds) -> Self {
        Self { name, kind: Kind::Integer, constraints, holds }
    }

    /// Texts.
    #[must_use]
    pub const fn text(name: &'static str, constraints: &'static str, holds: Holds) -> Self {
        Self { name, kind: Kind::Text, constraints, holds }
    }

    /// Bytes.
    #[must_use]
    pub const fn blob(name: &'static str, constraints: &'static str, holds: Holds) -> Self {
        Self { name, kind: Kind::Blob, constraints, holds }
    }
}

impl Index {
    /// No two rows agree in these columns.
    #[must_use]
    pub const fn unique(name: &'static str, columns: &'static str) -> Self {
        Self { name, columns, unique: true }
    }

    /// Makes rows easy to find by these columns.
    #[must_use]
    pub const fn plain(name: &'static str, columns: &'static str) -> Self {
        Self { name, columns, unique: false }
    }
}

impl Table {
    /// The statements that make the table, for SQLite.
    ///
    /// Strict, so that a column holds what it says; without a row id, so that the primary key needs
    /// no index that nobody declared.
    pub fn statements(&self) -> impl Iterator<Item = String> {
        let column = |column: &Column| {
            let kind = match column.kind {
                Kind::Integer => "INTEGER",
                Kind::Text => "TEXT",
                Kind::Blob => "BLOB",
            };
            format!("{} {kind} {}", column.name, column.constraints).trim_end().to_owned()
        };
        let columns: Vec<_> = self.columns.iter().map(column).collect();
        let table =
            format!("CREATE TABLE {} ({}) STRICT, WITHOUT ROWID", self.name, columns.join(", "));
        let indexes = self.indexes.iter().map(|index| {
            let unique = if index.unique { "UNIQUE " } else { "" };
            format!("CREATE {unique}INDEX {} ON {} ({})", index.name, self.name, index.columns)
        });
        std::iter::once(table).chain(indexes)
    }

    /// Everything the table is, for the inventory. An index holds what the table holds.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let table = Entry::new(Place::table(self.name), self.holds);
        let columns = self
            .columns
            .iter()
            .map(|column| Entry::new(Place::column(self.name, column.name), column.holds));
        let indexes = self
            .indexes
            .iter()
            .map(|index| Entry::new(Place::index(self.name, index.name), self.holds));
        std::iter::once(table).chain(columns).chain(indexes)
    }
}

#[cfg(test)]
mod tests {
    use conf_privacy::category;

    use super::*;

    const HELD: Holds = Holds::Category(category::ACCOUNT_PROFILE.id);
    const PETS: Table = Table {
        name: "pets",
        holds: HELD,
        columns: &[
            Column::text("id", "PRIMARY KEY NOT NULL", HELD),
            Column::integer("legs", "", HELD),
        ],
        indexes: &[Index::unique("pets_by_legs", "legs"), Index::plain("pets_twice", "legs, id")],
    };

    #[test]
    fn the_statements_follow_from_the_declaration() {
        let statements: Vec<_> = PETS.statements().collect();
        assert_eq!(
            statements,
            [
                "CREATE TABLE pets (id TEXT PRIMARY KEY NOT NULL, legs INTEGER) STRICT, WITHOUT ROWID",
                "CREATE UNIQUE INDEX pets_by_legs ON pets (legs)",
                "CREATE INDEX pets_twice ON pets (legs, id)",
            ]
        );
    }

    #[test]
    fn the_inventory_names_table_columns_and_indexes() {
        let places: Vec<_> = PETS.entries().map(|entry| entry.place.to_string()).collect();
        assert_eq!(
            places,
            [
                "table pets",
                "column pets.id",
                "column pets.legs",
                "index pets.pets_by_legs",
                "index pets.pets_twice"
            ]
        );
    }
}
