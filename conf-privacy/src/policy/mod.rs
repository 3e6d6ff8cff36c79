//! The policy: what the operator promises, the server enforces, and `/privacy` says.
//!
//! One TOML file. Without it the built-in one holds, `built_in.toml`: the rules of a real
//! operator's notice, without its persons. An operator's file lays itself over the built-in one, key by
//! key, and has to say who is responsible. Whatever is not understood is refused with the line it
//! is in and what is allowed there.

mod document;
mod fault;
mod read;
mod rule;
mod shape;

use jiff::Timestamp;

use crate::Pii;

use read::Persons;

pub use fault::{PolicyFault, Problem};
pub use rule::{Action, Meanwhile, Period, PeriodError, Rule, Start, Unit};

/// A whole policy, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which edition of it this is.
    pub edition: Edition,
    /// Whether what needs two people waits for the second.
    pub four_eyes: FourEyes,
    /// Who is responsible; nobody in the built-in policy.
    pub controller: Option<Controller>,
    /// The data protection officer.
    pub officer: Option<Officer>,
    /// Where one can complain.
    pub authority: Option<Authority>,
    /// What data may be used for: a closed list.
    pub purposes: Vec<Purpose>,
    /// The interest that Article 6(1)(f) rests on where it is claimed.
    pub interest: Words,
    /// The kinds of personal data, each with its rule.
    pub categories: Vec<Category>,
    /// The cookies that are set.
    pub cookies: Vec<Cookie>,
    /// Who gets data without being asked each time.
    pub recipients: Vec<Recipient>,
    /// Where the machines are; only what the operator says.
    pub sites: Option<Sites>,
    /// How long an answer to a request may take.
    pub deadline: Deadline,
}

/// Which edition of the policy this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edition {
    /// Counts up with each change.
    pub version: u32,
    /// Since when it holds.
    pub valid_from: Timestamp,
    /// Where its days and years begin and end, `Europe/Berlin`.
    pub timezone: String,
}

/// Whether what needs two people waits for the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FourEyes {
    /// Nothing happens before a second person agrees.
    Required,
    /// It happens, and the record shows that one person decided alone.
    Recorded,
}

/// Who is responsible (Article 4(7)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// One or more persons or bodies.
    pub names: Vec<Pii<String>>,
    /// The organisation that runs the server, where it is not one of them.
    pub operator: Option<Pii<String>>,
}

/// The data protection officer (Article 37).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Officer {
    /// Name.
    pub name: Pii<String>,
    /// How to reach them.
    pub email: Pii<String>,
}

/// The authority that supervises the controller (Article 77).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Name.
    pub name: Pii<String>,
    /// By post.
    pub address: Option<Pii<String>>,
    /// Its own page.
    pub url: Option<Pii<String>>,
}

/// What data may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose {
    /// One word, `conference`.
    pub id: String,
    /// In the words of the notice.
    pub words: Words,
}

/// A text of the policy. German is authoritative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// German.
    pub de: String,
    /// English, where the policy has it.
    pub en: Option<String>,
}

/// What allows the processing (GDPR, Article 6(1)); public interest (e) does not occur.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// (a) The person agreed to this one purpose.
    Consent,
    /// (b) The service could not be given without it.
    Contract,
    /// (c) A law demands it.
    Law {
        /// Which.
        citation: String,
    },
    /// (d) Somebody's life depends on it.
    Vital,
    /// (f) An interest that was weighed against the person's.
    Interest,
}

/// One kind of personal data (Datenart) and its rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// `session.content`.
    pub id: String,
    /// What is stored of whom: one word a field.
    pub fields: Vec<String>,
    /// What it is for: one purpose or more.
    pub purposes: Vec<String>,
    /// What allows it; `None` only for what is not personal.
    pub basis: Option<Basis>,
    /// Whether it may be on a disk.
    pub storage: Storage,
    /// When it goes; `None` only for what is not personal.
    pub rule: Option<Rule>,
}

/// Where a kind of data may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In the server's memory only.
    Memory,
    /// Also on its disks.
    Any,
}

/// A cookie that is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
}

/// Who gets data of a kind without being asked each time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The part of the server that sends it.
    pub connector: String,
    /// Whom.
    pub name: Pii<String>,
    /// What allows it.
    pub ground: String,
    /// What is sent.
    pub categories: Vec<String>,
}

/// Where the machines are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sites {
    /// Countries, two letters each (ISO 3166).
    pub countries: Vec<String>,
    /// What the data centres are certified for.
    pub certificate: Option<String>,
}

/// How long an answer to a request may take (Article 12(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// Months from the request.
    pub months: u32,
    /// Months more, where it is complex.
    pub extension_months: u32,
}

impl Policy {
    /// The policy that holds where the operator has none: it names nobody.
    #[must_use]
    pub fn built_in() -> Self {
        let document = built_in_document();
        read::read(&document, Persons::None).expect("a test reads the built-in policy")
    }

    /// Reads an operator's policy: a TOML file that lays itself over the built-in one.
    ///
    /// # Errors
    /// Every fault of it, each with its line. Where keys or values are not understood, what is
    /// missing is not looked for yet.
    pub fn parse(text: &str) -> Result<Self, Vec<PolicyFault>> {
        let above = document::parse(text)?;
        let faults = shape::check(&above);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut document = built_in_document();
        document.lay(above);
        let mut policy = read::read(&document, Persons::Named)?;
        policy.take_english_from(&Self::built_in());
        Ok(policy)
    }

    /// What an operator should still say, in plain words; none of it keeps the server from starting.
    #[must_use]
    pub fn warnings(&self) -> Vec<&'static str> {
        let no_authority = self.controller.is_some() && self.authority.is_none();
        let warning = "authority.name is empty: write where people can complain \
            (GDPR, Article 13(2)(d)); /privacy names no authority until then";
        no_authority.then_some(warning).into_iter().collect()
    }

    /// The category with this id.
    #[must_use]
    pub fn category(&self, id: &str) -> Option<&Category> {
        self.categories.iter().find(|category| category.id == id)
    }

    /// The purpose with this id.
    #[must_use]
    pub fn purpose(&self, id: &str) -> Option<&Purpose> {
        self.purposes.iter().find(|purpose| purpose.id == id)
    }

    /// Gives German texts that are the built-in ones their English again.
    fn take_english_from(&mut self, other: &Self) {
        let known = other.purposes.iter().map(|it| &it.words).chain([&other.interest]);
        let known: Vec<_> = known.collect();
        let mine = self.purposes.iter_mut().map(|it| &mut it.words).chain([&mut self.interest]);
        for words in mine.filter(|it| it.en.is_none()) {
            words.en = known.iter().find(|it| it.de == words.de).and_then(|it| it.en.clone());
        }
    }
}

fn built_in_document() -> document::Item {
    document::parse(BUILT_IN).expect("a test reads the built-in policy").without_lines()
}

const BUILT_IN: &str = include_str!("built_in.toml");

#[cfg(test)]
mod tests;
