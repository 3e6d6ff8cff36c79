//! A TOML document that remembers the line of everything, and lays itself over another.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{PolicyFault, Problem};

/// A value and where it is.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) value: Value,
    /// Its line in the operator's file; `None` for what is built in.
    pub(super) line: Option<usize>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    /// As it is written.
    Moment(String),
    List(Vec<Item>),
    /// In the order of the file.
    Table(Vec<(String, Item)>),
    /// What no key of a policy takes: a number with a point.
    Other,
}

/// Reads a document.
///
/// # Errors
/// Every place where it is no TOML.
pub(super) fn parse(text: &str) -> Result<Item, Vec<PolicyFault>> {
    let lines = Lines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Item { value: table(root.into_inner(), &lines), line: None });
    }
    let fault = |error: toml::de::Error| PolicyFault {
        line: error.span().map(|span| lines.line(&span)),
        problem: Problem::Syntax { what: error.message().to_owned() },
    };
    Err(errors.into_iter().map(fault).collect())
}

impl Item {
    /// The item at a key, if this is a table and has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, item)| item)
    }

    /// The item at the end of several keys.
    pub(super) fn at(&self, keys: &[&str]) -> Option<&Self> {
        keys.iter().try_fold(self, |item, key| item.get(key))
    }

    /// Keys and items of a table; none of anything else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }

    /// Items of a list; none of anything else.
    pub(super) fn items(&self) -> &[Self] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same, as something built in: without lines.
    pub(super) fn without_lines(mut self) -> Self {
        self.line = None;
        match &mut self.value {
            Value::List(items) => {
                *items = std::mem::take(items).into_iter().map(Self::without_lines).collect();
            }
            Value::Table(entries) => {
                let whole = std::mem::take(entries).into_iter();
                *entries = whole.map(|(key, item)| (key, item.without_lines())).collect();
            }
            _ => {}
        }
        self
    }

    /// Lays another over this one: tables key by key, everything else as a whole.
    pub(super) fn lay(&mut self, over: Self) {
        match (&mut self.value, over) {
            (Value::Table(entries), Self { value: Value::Table(above), line }) => {
                self.line = line.or(self.line);
                for (key, item) in above {
                    match entries.iter_mut().find(|(name, _)| *name == key) {
                        Some((_, below)) => below.lay(item),
                        None => entries.push((key, item)),
                    }
                }
            }
            (_, over) => *self = over,
        }
    }
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at).collect())
    }

    fn line(&self, span: &Range<usize>) -> usize {
        self.0.partition_point(|&newline| newline < span.start) + 1
    }
}

fn item(value: Spanned<DeValue<'_>>, lines: &Lines) -> Item {
    let line = Some(lines.line(&value.span()));
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Number)
        }
        DeValue::Float(_) => Value::Other,
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Datetime(moment) => Value::Moment(moment.to_string()),
        DeValue::Array(list) => {
            Value::List(list.into_iter().map(|value| item(value, lines)).collect())
        }
        DeValue::Table(entries) => table(entries, lines),
    };
    Item { value, line }
}

fn table(entries: DeTable<'_>, lines: &Lines) -> Value {
    let mut entries: Vec<_> = entries
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            let mut item = item(value, lines);
            // A mistake in a key is shown where the key is.
            item.line = Some(lines.line(&span));
            (span.start, (key.into_inner().into_owned(), item))
        })
        .collect();
    entries.sort_by_key(|(start, _)| *start);
    Value::Table(entries.into_iter().map(|(_, entry)| entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_knows_its_line_and_keeps_its_order() {
        let document =
            parse("b = 1\na = { x = [\n  'one',\n  'two' ] }\n[c.\"d.e\"]\nf = true").unwrap();
        let keys: Vec<_> = document.entries().iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "c"]);
        let list = document.at(&["a", "x"]).unwrap();
        let lines: Vec<_> = list.items().iter().map(|item| item.line).collect();
        assert_eq!(lines, [Some(3), Some(4)]);
        assert_eq!(document.at(&["c", "d.e", "f"]).unwrap().line, Some(6));
    }

    #[test]
    fn a_document_lies_over_another_key_by_key() {
        let mut below = parse("a = { x = 1, y = 2 }\nl = [1, 2]").unwrap().without_lines();
        below.lay(parse("\na = { y = 3, z = 4 }\nl = [5]").unwrap());
        let number = |keys: &[&str]| match below.at(keys).unwrap().value {
            Value::Number(number) => (number, below.at(keys).unwrap().line),
            _ => panic!(),
        };
        assert_eq!(number(&["a", "x"]), (1, None));
        assert_eq!(number(&["a", "y"]), (3, Some(2)));
        assert_eq!(number(&["a", "z"]), (4, Some(2)));
        assert_eq!(below.get("l").unwrap().items().len(), 1);
    }
}
