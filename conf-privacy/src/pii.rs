//! A personal value that does not print itself.
//!
//! `Debug` and `Display` write `…`, always and in every build, so that a log line or an error
//! cannot leak what is inside. On the wire it is the plain value: whoever may receive the message
//! may read it. [`Pii::reveal`] is the one word a privacy review has to search for.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name, a text, an address: something that belongs to a person.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pii<T>(T);

impl<T> Pii<T> {
    /// Marks a value as personal.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for those who may see it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }

    /// The value itself, without the mark.
    pub fn into_revealed(self) -> T {
        self.0
    }
}

impl<T> From<T> for Pii<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<T> fmt::Display for Pii<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

#[cfg(test)]
mod tests {
    use super::Pii;

    #[test]
    fn a_personal_value_never_prints_itself() {
        let name = Pii::new("Ada Lovelace".to_owned());
        assert_eq!(format!("{name} {name:?} {name:#?} {name:>9}"), "… … … …");
        assert_eq!(format!("{:?}", Some(vec![name])), "Some([…])");
    }

    #[test]
    fn on_the_wire_it_is_the_plain_value() {
        let name = Pii::new("Ada".to_owned());
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"Ada\"");
        assert_eq!(serde_json::from_str::<Pii<String>>("\"Ada\"").unwrap(), name);
    }
}
