//! Makes a policy of a checked document, and finds what a look at single keys does not show.

use super::document::{Item, Value};
use super::fault::{PolicyFault, Problem};
use super::rule::{Action, Meanwhile, Period, Rule, Start};
use super::shape::written;
use super::{
    Authority, Basis, Category, Controller, Cookie, Deadline, Edition, FourEyes, Officer, Policy,
    Purpose, Recipient, Sites, Storage, Words,
};
use crate::Pii;

/// Who has to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persons {
    /// Nobody: the built-in policy.
    None,
    /// Those the law demands: an operator's policy.
    Named,
}

/// Reads a document whose keys and values are all allowed.
///
/// # Errors
/// Everything that is missing, or named and not there.
pub(super) fn read(document: &Item, persons: Persons) -> Result<Policy, Vec<PolicyFault>> {
    let mut reader = Reader { document, faults: Vec::new() };
    let policy = reader.policy(persons);
    if reader.faults.is_empty() { Ok(policy) } else { Err(reader.faults) }
}

struct Reader<'a> {
    document: &'a Item,
    faults: Vec<PolicyFault>,
}

impl<'a> Reader<'a> {
    fn policy(&mut self, persons: Persons) -> Policy {
        let purposes = self.purposes();
        let categories = self.categories(&purposes);
        Policy {
            edition: self.edition(),
            four_eyes: match self.text(&["four_eyes"]) {
                Some("recorded") => FourEyes::Recorded,
                _ => FourEyes::Required,
            },
            controller: if persons == Persons::Named { self.controller() } else { None },
            officer: if persons == Persons::Named { self.officer() } else { None },
            authority: self.authority(),
            interest: self.document.at(&["bases", "f", "interest"]).map(words).unwrap_or_default(),
            cookies: self.cookies(&purposes),
            recipients: self.recipients(&categories),
            sites: self.sites(),
            deadline: Deadline {
                months: self.number(&["rights", "deadline", "months"]),
                extension_months: self.number(&["rights", "deadline", "extension_months"]),
            },
            purposes,
            categories,
        }
    }

    fn edition(&self) -> Edition {
        let valid_from = match self.document.get("valid_from").map(|item| &item.value) {
            Some(Value::Moment(text)) => text.parse().unwrap_or_default(),
            _ => jiff::Timestamp::UNIX_EPOCH,
        };
        Edition {
            version: self.number(&["version"]),
            valid_from,
            timezone: self.text(&["timezone"]).unwrap_or_default().to_owned(),
        }
    }

    fn controller(&mut self) -> Option<Controller> {
        let names: Vec<_> = texts(self.document.at(&["controller", "names"]))
            .filter(|name| !name.trim().is_empty())
            .map(|name| Pii::new(name.trim().to_owned()))
            .collect();
        if names.is_empty() {
            self.missing(
                &["controller", "names"],
                "write who is responsible for this server (GDPR, Article 4(7)), one text for each",
            );
            return None;
        }
        let operator = self.said(&["controller", "operator"]).map(Pii::new);
        Some(Controller { names, operator })
    }

    fn officer(&mut self) -> Option<Officer> {
        let name = self.said(&["dpo", "name"]);
        let email = self.said(&["dpo", "email"]).filter(|email| email.contains('@'));
        let required = self.flag(&["dpo", "required"]);
        if required && name.is_none() {
            self.missing(&["dpo", "name"], OFFICER);
        }
        if required && email.is_none() {
            self.missing(&["dpo", "email"], OFFICER);
        }
        Some(Officer { name: Pii::new(name?), email: Pii::new(email?) })
    }

    fn authority(&self) -> Option<Authority> {
        Some(Authority {
            name: Pii::new(self.said(&["authority", "name"])?),
            address: self.said(&["authority", "address"]).map(Pii::new),
            url: self
                .said(&["authority", "url"])
                .filter(|url| url.starts_with("https://"))
                .map(Pii::new),
        })
    }

    fn purposes(&self) -> Vec<Purpose> {
        let purposes = self.document.get("purposes").map(Item::entries).unwrap_or_default();
        purposes.iter().map(|(id, item)| Purpose { id: id.clone(), words: words(item) }).collect()
    }

    fn categories(&mut self, purposes: &[Purpose]) -> Vec<Category> {
        let categories = self.document.get("category").map(Item::entries).unwrap_or_default();
        categories.iter().map(|(id, item)| self.category(id, item, purposes)).collect()
    }

    fn category(&mut self, id: &str, item: &'a Item, purposes: &[Purpose]) -> Category {
        let personal =
            !matches!(item.get("personal").map(|it| &it.value), Some(Value::Flag(false)));
        let path = ["category", id, "purpose"];
        let named: Vec<String> = texts(item.get("purpose")).map(str::to_owned).collect();
        if named.is_empty() {
            self.missing(&path, "write at least one of the words under [purposes]");
        }
        for name in &named {
            self.known(&path, name, "[purposes]", purposes.iter().map(|it| it.id.as_str()));
        }
        let basis = self.basis(id, item);
        let rule = item.get("rule").and_then(|rule| self.rule(id, rule));
        if personal && basis.is_none() {
            self.missing(&["category", id, "basis"], "write a, b, c, d or f (GDPR, Article 6(1))");
        }
        if personal && item.get("rule").is_none() {
            self.missing(
                &["category", id, "rule"],
                "write the one rule of erasure: start, period and action",
            );
        }
        if !personal && item.get("k_min").is_none() {
            self.missing(
                &["category", id, "k_min"],
                "write how many people a figure must be made of to be no longer personal",
            );
        }
        Category {
            id: id.to_owned(),
            fields: texts(item.get("fields"))
                .chain(texts(item.get("other")))
                .map(str::to_owned)
                .collect(),
            purposes: named,
            basis,
            storage: match item.get("storage").and_then(Item::text) {
                Some("ram") => Storage::Memory,
                _ => Storage::Any,
            },
            rule,
        }
    }

    fn basis(&mut self, id: &str, item: &Item) -> Option<Basis> {
        Some(match item.get("basis")?.text()? {
            "a" => Basis::Consent,
            "b" => Basis::Contract,
            "c" => {
                let citation = item.get("citation").and_then(Item::text).unwrap_or_default().trim();
                if citation.is_empty() {
                    self.missing(&["category", id, "citation"], "write which law demands it");
                }
                Basis::Law { citation: citation.to_owned() }
            }
            "d" => Basis::Vital,
            _ => Basis::Interest,
        })
    }

    fn rule(&mut self, id: &str, rule: &Item) -> Option<Rule> {
        let text = |key| rule.get(key).and_then(Item::text);
        let start = text("start").and_then(Start::from_word);
        let period = text("period").and_then(|text| text.parse::<Period>().ok());
        let action: Vec<_> =
            text("action").unwrap_or_default().split('+').filter_map(Action::from_word).collect();
        for (key, there, needed) in [
            ("start", start.is_some(), "write what starts the term"),
            ("period", period.is_some(), "write how long the term is, PT0S for none"),
            ("action", !action.is_empty(), "write how it is erased"),
        ] {
            if !there {
                self.missing(&["category", id, "rule", key], needed);
            }
        }
        Some(Rule {
            start: start?,
            period: period?,
            slack: text("slack").and_then(|it| it.parse().ok()).unwrap_or_else(Period::zero),
            action,
            unless: text("unless").map(str::to_owned),
            meanwhile: text("meanwhile").map(|_| Meanwhile::Restrict),
        })
    }

    fn cookies(&mut self, purposes: &[Purpose]) -> Vec<Cookie> {
        let Some(session) = self.document.at(&["cookies", "session"]) else { return Vec::new() };
        let text = |key| session.get(key).and_then(Item::text).unwrap_or_default().to_owned();
        let cookie = Cookie { name: text("name"), purpose: text("purpose") };
        if cookie.name.is_empty() {
            self.missing(&["cookies", "session", "name"], "write the name of the cookie");
        }
        let path = ["cookies", "session", "purpose"];
        self.known(&path, &cookie.purpose, "[purposes]", purposes.iter().map(|it| it.id.as_str()));
        vec![cookie]
    }

    fn recipients(&mut self, categories: &[Category]) -> Vec<Recipient> {
        let path = ["disclosure", "automatic"];
        let all = self.document.at(&path).map(Item::items).unwrap_or_default();
        all.iter()
            .map(|item| {
                let text = |key| item.get(key).and_then(Item::text).unwrap_or_default().to_owned();
                let recipient = Recipient {
                    connector: text("connector"),
                    name: Pii::new(text("recipient")),
                    ground: text("ground"),
                    categories: texts(item.get("categories")).map(str::to_owned).collect(),
                };
                for (key, value) in [
                    ("connector", &recipient.connector),
                    ("recipient", recipient.name.reveal()),
                    ("ground", &recipient.ground),
                ] {
                    if value.is_empty() {
                        self.missing(&["disclosure", "automatic", key], RECIPIENT);
                    }
                }
                for category in &recipient.categories {
                    let known = categories.iter().map(|it| it.id.as_str());
                    self.known(&path, category, "[category]", known);
                }
                recipient
            })
            .collect()
    }

    fn sites(&self) -> Option<Sites> {
        let sites = self.document.get("sites")?;
        let certificate = sites.get("certificate").and_then(Item::text).filter(|it| !it.is_empty());
        Some(Sites {
            countries: texts(sites.get("country_allow")).map(str::to_owned).collect(),
            certificate: certificate.map(str::to_owned),
        })
    }

    fn known<'b>(
        &mut self,
        path: &[&str],
        name: &str,
        section: &'static str,
        all: impl Iterator<Item = &'b str> + Clone,
    ) {
        if all.clone().any(|it| it == name) {
            return;
        }
        let allowed = all.collect::<Vec<_>>().join(", ");
        let path_text = written(path);
        self.fault(
            path,
            Problem::Unknown { path: path_text, name: name.to_owned(), section, allowed },
        );
    }

    fn missing(&mut self, path: &[&str], needed: &'static str) {
        self.fault(path, Problem::Missing { path: written(path), needed });
    }

    /// A fault at a path, or at the nearest level above it that is in the file.
    fn fault(&mut self, path: &[&str], problem: Problem) {
        let levels = (1..=path.len()).rev().filter_map(|length| path.get(..length));
        let line = levels.filter_map(|keys| self.document.at(keys)).find_map(|item| item.line);
        self.faults.push(PolicyFault { line, problem });
    }

    fn text(&self, path: &[&str]) -> Option<&'a str> {
        self.document.at(path).and_then(Item::text)
    }

    /// A text that says something.
    fn said(&self, path: &[&str]) -> Option<String> {
        self.text(path).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn number(&self, path: &[&str]) -> u32 {
        match self.document.at(path).map(|item| &item.value) {
            Some(Value::Number(number)) => u32::try_from(*number).unwrap_or(u32::MAX),
            _ => 0,
        }
    }

    fn flag(&self, path: &[&str]) -> bool {
        matches!(self.document.at(path).map(|item| &item.value), Some(Value::Flag(true)))
    }
}

fn words(item: &Item) -> Words {
    let text = |key| item.get(key).and_then(Item::text).map(str::to_owned);
    match item.text() {
        Some(german) => Words { de: german.to_owned(), en: None },
        None => Words { de: text("de").unwrap_or_default(), en: text("en") },
    }
}

/// One text, or the texts of a list.
fn texts(item: Option<&Item>) -> impl Iterator<Item = &str> {
    let one = item.and_then(Item::text);
    one.into_iter().chain(item.map(Item::items).unwrap_or_default().iter().filter_map(Item::text))
}

const OFFICER: &str = "write the data protection officer (GDPR, Article 37), \
    or dpo.required = false where none has to be named";
const RECIPIENT: &str =
    "write the part of the server that sends, the recipient, and what allows it";
