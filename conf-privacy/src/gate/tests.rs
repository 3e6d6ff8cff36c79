//! Tests of the gate: what is declared may start, and each of twenty planted violations may not.

use std::borrow::Cow;

use super::*;
use crate::category::{
    ACCOUNT_PROFILE, ACCOUNT_SESSION, BROWSER_GUEST, BROWSER_NAME, CategoryId, Label, SESSION_CHAT,
};
use crate::policy::Action;

const PROFILE: Holds = Holds::Category(ACCOUNT_PROFILE.id);
const SESSION: Holds = Holds::Category(ACCOUNT_SESSION.id);
const PLAIN: Holds = Holds::not_personal("Nummer des Datensatzes", "number of the record");

/// A small server: one table, one index, a folder with files, a cookie, keys in the browser.
fn declared() -> Vec<Entry> {
    vec![
        Entry::new(Place::table("account"), PROFILE),
        Entry::new(Place::column("account", "id"), PLAIN),
        Entry::new(Place::column("account", "email"), PROFILE),
        Entry::new(Place::index("account", "account_email"), PROFILE),
        Entry::new(Place::directory("spool"), PLAIN),
        Entry::new(Place::file("conf.db"), PROFILE),
        Entry::new(Place::file("spool/*.part"), PLAIN),
        Entry::new(Place::cookie("sid"), SESSION),
        Entry::new(
            Place::browser(BrowserStorage::Session, "conf.guest.<code>"),
            Holds::Category(BROWSER_GUEST.id),
        ),
        Entry::new(
            Place::browser(BrowserStorage::Local, "conf.name"),
            Holds::Category(BROWSER_NAME.id),
        ),
        Entry::new(Place::memory("chat of a meeting"), Holds::Category(SESSION_CHAT.id)),
        Entry::new(Place::log("application"), PLAIN),
    ]
}

/// What is really there when all is well.
fn seen() -> Vec<Place> {
    vec![
        Place::table("account"),
        Place::column("account", "id"),
        Place::column("account", "email"),
        Place::index("account", "account_email"),
        Place::directory("spool"),
        Place::file("conf.db"),
        Place::file("spool/a1.part"),
        Place::cookie("sid"),
        Place::browser(BrowserStorage::Session, "conf.guest.abc"),
        Place::browser(BrowserStorage::Local, "conf.name"),
    ]
}

#[test]
fn what_is_declared_and_there_may_start() {
    assert_eq!(check(&declared(), &seen(), &Policy::built_in()), []);
}

#[test]
fn without_a_database_no_table_is_missing() {
    let seen = [Place::directory("spool")];
    assert_eq!(check(&declared(), &seen, &Policy::built_in()), []);
}

struct Planted {
    what: &'static str,
    entries: Vec<Entry>,
    seen: Vec<Place>,
    policy: Policy,
}

fn plant(what: &'static str, change: impl FnOnce(&mut Planted)) -> Planted {
    let mut planted =
        Planted { what, entries: declared(), seen: seen(), policy: Policy::built_in() };
    change(&mut planted);
    planted
}

fn appears(what: &'static str, place: Place) -> Planted {
    plant(what, |it| it.seen.push(place))
}

fn vanishes(what: &'static str, place: &Place) -> Planted {
    plant(what, |it| it.seen.retain(|seen| seen != place))
}

fn declares(what: &'static str, place: Place, holds: Holds) -> Planted {
    plant(what, |it| {
        it.seen.push(place.clone());
        it.entries.push(Entry::new(place, holds));
    })
}

fn twenty() -> Vec<Planted> {
    let owned = |name: &str| Cow::Owned(name.to_owned());
    vec![
        appears("an extra table", Place::table("shadow")),
        appears("an extra column", Place::column("account", "birthday")),
        appears("an extra index", Place::index("account", "account_by_name")),
        appears("a view", Place::View { view: owned("everybody") }),
        appears("a trigger", Place::Trigger { trigger: owned("copy_rows") }),
        appears("a new folder", Place::directory("exports")),
        appears("a new log file", Place::file("access.log")),
        appears("a file of another kind in a declared folder", Place::file("spool/a1.txt")),
        appears("a folder below a declared one", Place::directory("spool/old")),
        appears("a second cookie", Place::cookie("tracker")),
        appears("a key that stays", Place::browser(BrowserStorage::Local, "conf.history")),
        appears("a key in another storage", Place::browser(BrowserStorage::IndexedDb, "conf.name")),
        vanishes("a missing column", &Place::column("account", "email")),
        vanishes("a missing index", &Place::index("account", "account_email")),
        declares("the chat in a file", Place::file("chat.log"), Holds::Category(SESSION_CHAT.id)),
        declares(
            "a kind nobody described",
            Place::file("mood"),
            Holds::Category(CategoryId("a.mood")),
        ),
        declares(
            "no reason in German",
            Place::file("misc"),
            Holds::NotPersonal { reason: Label::new("", "misc") },
        ),
        declares(
            "something lasting in the browser without consent",
            Place::browser(BrowserStorage::Local, "conf.guest"),
            Holds::Category(BROWSER_GUEST.id),
        ),
        plant("a place declared in two ways", |it| {
            it.entries.push(Entry::new(Place::file("conf.db"), PLAIN));
        }),
        plant("a kind without a rule", |it| {
            it.policy.categories.retain(|category| category.id != "account.session");
        }),
    ]
}

#[test]
fn twenty_planted_violations_are_twenty_found() {
    let planted = twenty();
    assert_eq!(planted.len(), 20);
    for Planted { what, entries, seen, policy } in planted {
        let found = check(&entries, &seen, &policy);
        assert_eq!(found.len(), 1, "{what}: {found:?}");
        let words = found.first().unwrap().to_string();
        assert!(words.contains(": ") || words.contains("basis"), "{what}: {words}");
    }
}

#[test]
fn a_policy_that_promises_what_the_code_does_not_do_is_refused() {
    let with = |change: fn(&mut Rule)| {
        let mut policy = Policy::built_in();
        let categories = policy.categories.iter_mut();
        change(
            categories
                .filter(|it| it.id == "account.session")
                .find_map(|it| it.rule.as_mut())
                .unwrap(),
        );
        check(&declared(), &seen(), &policy)
    };
    let shorter = with(|rule| rule.period = "PT1H".parse().unwrap());
    assert!(matches!(shorter[..], [Difference::NotCarriedOut { .. }]), "{shorter:?}");
    let hastier = with(|rule| rule.slack = "PT1S".parse().unwrap());
    assert!(matches!(hastier[..], [Difference::NotCarriedOut { .. }]), "{hastier:?}");
    assert_eq!(with(|rule| rule.slack = "P1D".parse().unwrap()), []);
    assert_eq!(with(|rule| rule.action = vec![Action::Drop]), []);
    // What is not kept yet may have any rule.
    let mut policy = Policy::built_in();
    policy.categories.iter_mut().filter(|it| it.id == "recording").for_each(|it| it.rule = None);
    assert_eq!(check(&declared(), &seen(), &policy), []);
}

#[test]
fn a_cookie_has_to_be_in_the_policy() {
    let mut policy = Policy::built_in();
    policy.cookies.clear();
    let found = check(&declared(), &seen(), &policy);
    assert_eq!(found, [Difference::CookieUnnamed(Place::cookie("sid"))]);
}

#[test]
fn rules_of_what_is_not_kept_yet_wait() {
    let (entries, policy) = (declared(), Policy::built_in());
    let waiting: Vec<_> = waiting(&entries, &policy).map(|it| it.id.as_str()).collect();
    assert!(waiting.contains(&"recording") && waiting.contains(&"log.access"), "{waiting:?}");
    assert!(!waiting.contains(&"session.content") && !waiting.contains(&"account.session"));
}
