//! The gate at start-up: nothing is kept anywhere that is not declared and has a rule.
//!
//! [`check`] compares three things: what the code declares, what is really there, and what the
//! policy has rules for. Each difference says in plain words what is wrong and what to do; one is
//! enough to refuse the start. It fails closed: what it does not know is a difference.

use crate::category::{self, CategoryId};
use crate::inventory::{BrowserStorage, Entry, Holds, Place};
use crate::policy::{Basis, Category, Policy, Rule, Storage};

/// Why the server may not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Difference {
    /// It is there, and nobody declared it.
    #[error("{0} is there and not declared: remove it, or declare what it holds and why")]
    Undeclared(Place),
    /// It is declared and not there.
    #[error(
        "{0} is declared and not there: the database is of another version or damaged; restore a backup"
    )]
    Missing(Place),
    /// It is declared more than once.
    #[error("{0} is declared more than once: keep one declaration")]
    Twice(Place),
    /// It holds nothing personal, and does not say why.
    #[error("{0} is declared as not personal without a reason in German and English: say why")]
    NoReason(Place),
    /// It holds a kind of data that the code does not describe.
    #[error("{place} holds {}, which is no category: declare it in conf_privacy::category", category.0)]
    UnknownCategory {
        /// Where.
        place: Place,
        /// What is said to be there.
        category: CategoryId,
    },
    /// Its kind of data has no rule.
    #[error(
        "{place} holds {}, and the policy has no category {rule}: add it with its rule, or do not keep this data", category.0
    )]
    NoRule {
        /// Where.
        place: Place,
        /// What is there.
        category: CategoryId,
        /// What the policy lacks.
        rule: &'static str,
    },
    /// It may be in memory only.
    #[error(
        "{place} is on the disk and holds {}, which the policy keeps in memory only: do not write it", category.0
    )]
    OnDisk {
        /// Where.
        place: Place,
        /// What is there.
        category: CategoryId,
    },
    /// What stays in the browser beyond the tab needs the person's consent (TDDDG, section 25(1)).
    #[error("{0} stays in the browser, and the policy does not rest it on consent (basis \"a\")")]
    StaysWithoutConsent(Place),
    /// The policy promises what the code does not do.
    #[error(
        "the policy gives {category} the rule {asked}, and this version carries out {done}: write that, or leave the rule out"
    )]
    NotCarriedOut {
        /// The policy's category.
        category: String,
        /// Its start, period and slack in the policy.
        asked: String,
        /// Those of the built-in policy.
        done: String,
    },
    /// A cookie that the policy does not name.
    #[error("{0} is not in the policy: name it under [cookies] with its purpose and ground")]
    CookieUnnamed(Place),
}

/// Compares what is declared with what was seen and with the policy; no difference: start.
///
/// `seen` is what is really there of tables, columns, indexes, views, triggers, folders and files,
/// and may have cookies and keys of the browser. What of these is declared has to be seen only where
/// its table or its database was.
#[must_use]
pub fn check(entries: &[Entry], seen: &[Place], policy: &Policy) -> Vec<Difference> {
    let mut found = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        if entries.iter().take(index).any(|earlier| earlier.place == entry.place) {
            found.push(Difference::Twice(entry.place.clone()));
        }
        found.extend(fault_of(entry, policy));
    }
    let declared = |place: &&Place| entries.iter().any(|entry| entry.place.covers(place));
    let undeclared = seen.iter().filter(|place| !declared(place));
    found.extend(undeclared.cloned().map(Difference::Undeclared));
    let database = seen.iter().any(is_of_database);
    let missing = entries.iter().map(|entry| &entry.place).filter(|place| {
        database && is_of_database(place) && !seen.iter().any(|it| place.covers(it))
    });
    found.extend(missing.cloned().map(Difference::Missing));
    found.extend(not_carried_out(entries, policy));
    found
}

/// The policy's categories that nothing is kept of yet: their rules wait.
pub fn waiting<'a>(
    entries: &'a [Entry],
    policy: &'a Policy,
) -> impl Iterator<Item = &'a Category> + 'a {
    policy.categories.iter().filter(|category| !is_held(entries, &category.id))
}

/// Rules of what is kept that are others than the code carries out. More time for the erasure may be
/// promised than it takes.
fn not_carried_out(entries: &[Entry], policy: &Policy) -> Vec<Difference> {
    let built_in = Policy::built_in();
    let asked = policy.categories.iter().filter(|category| is_held(entries, &category.id));
    let pair = |category: &Category| {
        Some((category.rule.clone()?, built_in.category(&category.id)?.rule.clone()?))
    };
    asked
        .filter_map(|category| {
            let (asked, done) = pair(category)?;
            let same = asked.start == done.start && asked.period == done.period;
            let written = |rule: &Rule| format!("{} {} {}", rule.start, rule.period, rule.slack);
            (!same || asked.slack.seconds() < done.slack.seconds()).then(|| {
                Difference::NotCarriedOut {
                    category: category.id.clone(),
                    asked: written(&asked),
                    done: written(&done),
                }
            })
        })
        .collect()
}

/// Whether something of the policy's category is kept anywhere.
fn is_held(entries: &[Entry], category: &str) -> bool {
    entries.iter().any(|entry| match entry.holds {
        Holds::Category(id) => category::find(id.0).is_some_and(|it| it.rule_of.0 == category),
        Holds::NotPersonal { .. } => false,
    })
}

fn fault_of(entry: &Entry, policy: &Policy) -> Option<Difference> {
    let place = || entry.place.clone();
    let id = match entry.holds {
        Holds::NotPersonal { reason } => {
            return (!reason.is_whole()).then(|| Difference::NoReason(place()));
        }
        Holds::Category(id) => id,
    };
    let Some(declaration) = category::find(id.0) else {
        return Some(Difference::UnknownCategory { place: place(), category: id });
    };
    let rule = declaration.rule_of.0;
    let Some(category) = policy.category(rule).filter(|it| it.rule.is_some()) else {
        return Some(Difference::NoRule { place: place(), category: id, rule });
    };
    if category.storage == Storage::Memory && entry.place.is_on_disk() {
        return Some(Difference::OnDisk { place: place(), category: id });
    }
    match &entry.place {
        Place::Browser { storage: BrowserStorage::Local | BrowserStorage::IndexedDb, .. }
            if category.basis != Some(Basis::Consent) =>
        {
            Some(Difference::StaysWithoutConsent(place()))
        }
        Place::Cookie { name } if !policy.cookies.iter().any(|it| it.name == **name) => {
            Some(Difference::CookieUnnamed(place()))
        }
        _ => None,
    }
}

const fn is_of_database(place: &Place) -> bool {
    matches!(place, Place::Table { .. } | Place::Column { .. } | Place::Index { .. })
}

#[cfg(test)]
mod tests;
