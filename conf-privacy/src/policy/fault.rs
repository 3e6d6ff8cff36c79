//! What is wrong with a policy, and in which line.

use std::fmt;

/// Something a policy is refused for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// Its line in the operator's file; `None` for what is nowhere in it.
    pub line: Option<usize>,
    /// What it is.
    pub problem: Problem,
}

/// What is wrong. Values are not repeated: some are names of people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not TOML.
    #[error("this is no TOML: {what}")]
    Syntax {
        /// What the reader says.
        what: String,
    },
    /// A key that means nothing.
    #[error("{path} is no key of a policy: allowed here is {allowed}")]
    UnknownKey {
        /// The key.
        path: String,
        /// The keys there are beside it.
        allowed: String,
    },
    /// A value that means nothing.
    #[error("the value of {path} is refused: allowed is {allowed}")]
    Value {
        /// Its key.
        path: String,
        /// What is accepted.
        allowed: String,
    },
    /// Something that has to be said.
    #[error("{path} is missing or empty: {needed}")]
    Missing {
        /// Its key.
        path: String,
        /// What is needed, and why.
        needed: &'static str,
    },
    /// It speaks of something that the policy does not have.
    #[error("{path} names {name:?}, which is not under {section}: allowed is {allowed}")]
    Unknown {
        /// Its key.
        path: String,
        /// What it names.
        name: String,
        /// Where that had to be.
        section: &'static str,
        /// What is there.
        allowed: String,
    },
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.problem),
            None => self.problem.fmt(f),
        }
    }
}

impl std::error::Error for PolicyFault {}
