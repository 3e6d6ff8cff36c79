//! Every key a policy can have, and what each takes: one table.

use jiff::Timestamp;

use super::document::{Item, Value};
use super::fault::{PolicyFault, Problem};
use super::rule::{Action, Period, Start};

/// What a key takes.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Further keys.
    Section,
    /// A list of sections.
    Sections,
    /// A text.
    Text,
    /// A list of texts.
    Texts,
    /// A text or a list of texts.
    TextOrTexts,
    /// A German text, or one in German and English.
    Words,
    /// `true` or `false`.
    Flag,
    /// `true`: the server knows no other way.
    True,
    /// A whole number between these.
    Number(i64, i64),
    /// A date and time.
    Moment,
    /// A length of time.
    Period,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of these texts.
    SomeOf(&'static [&'static str]),
    /// What starts a term.
    Start,
    /// How data is erased.
    Actions,
}

/// Checks every key and value of a document against the table.
pub(super) fn check(document: &Item) -> Vec<PolicyFault> {
    let mut faults = Vec::new();
    check_keys(&mut Vec::new(), document, &mut faults);
    faults
}

/// A key as one writes it, `category."session.content".rule`.
pub(super) fn written(path: &[&str]) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let key = |key: &&str| {
        if key.chars().all(bare) { (*key).to_owned() } else { format!("{key:?}") }
    };
    path.iter().map(key).collect::<Vec<_>>().join(".")
}

fn check_keys<'a>(path: &mut Vec<&'a str>, section: &'a Item, faults: &mut Vec<PolicyFault>) {
    for (key, item) in section.entries() {
        path.push(key);
        match shape(path) {
            Some(shape) => check_value(path, item, shape, faults),
            None => {
                let problem =
                    Problem::UnknownKey { path: written(path), allowed: keys_beside(path) };
                faults.push(PolicyFault { line: item.line, problem });
            }
        }
        path.pop();
    }
}

fn check_value<'a>(
    path: &mut Vec<&'a str>,
    item: &'a Item,
    shape: Shape,
    faults: &mut Vec<PolicyFault>,
) {
    match (shape, &item.value) {
        (Shape::Section, Value::Table(_)) => check_keys(path, item, faults),
        (Shape::Sections, Value::List(sections))
            if sections.iter().all(|it| matches!(it.value, Value::Table(_))) =>
        {
            for section in sections {
                check_keys(path, section, faults);
            }
        }
        _ if accepts(shape, item) => {}
        _ => {
            let problem = Problem::Value { path: written(path), allowed: allowed(shape) };
            faults.push(PolicyFault { line: item.line, problem });
        }
    }
}

fn accepts(shape: Shape, item: &Item) -> bool {
    let all = |of: fn(&str) -> bool| item.items().iter().all(|it| it.text().is_some_and(of));
    match (shape, &item.value) {
        (Shape::Text | Shape::TextOrTexts, Value::Text(text)) => is_text(text),
        (Shape::Texts | Shape::TextOrTexts, Value::List(_)) => all(is_text),
        (Shape::Words, Value::Text(text)) => is_text(text),
        (Shape::Words, Value::Table(entries)) => {
            entries.iter().all(|(key, item)| {
                matches!(key.as_str(), "de" | "en") && item.text().is_some_and(is_text)
            }) && item.get("de").is_some()
                && item.get("en").is_some()
        }
        (Shape::Flag, Value::Flag(_)) | (Shape::True, Value::Flag(true)) => true,
        (Shape::Number(least, most), Value::Number(number)) => (least..=most).contains(number),
        (Shape::Moment, Value::Moment(text)) => text.parse::<Timestamp>().is_ok(),
        (Shape::Period, Value::Text(text)) => text.parse::<Period>().is_ok(),
        (Shape::OneOf(words), Value::Text(text)) => words.contains(&text.as_str()),
        (Shape::SomeOf(words), Value::List(items)) => {
            items.iter().all(|it| it.text().is_some_and(|text| words.contains(&text)))
        }
        (Shape::Start, Value::Text(text)) => Start::from_word(text).is_some(),
        (Shape::Actions, Value::Text(text)) => {
            text.split('+').all(|word| Action::from_word(word).is_some())
        }
        _ => false,
    }
}

fn is_text(text: &str) -> bool {
    text.chars().count() <= LONGEST_TEXT && !text.chars().any(char::is_control)
}

fn allowed(shape: Shape) -> String {
    match shape {
        Shape::Section => "a table of further keys".into(),
        Shape::Sections => "a list of tables".into(),
        Shape::Text => format!("a text of up to {LONGEST_TEXT} characters in one line"),
        Shape::Texts => format!("a list of texts of up to {LONGEST_TEXT} characters"),
        Shape::TextOrTexts => "a text or a list of texts".into(),
        Shape::Words => "a German text, or { de = \"…\", en = \"…\" }".into(),
        Shape::Flag => "true or false".into(),
        Shape::True => "true".into(),
        Shape::Number(least, most) => format!("{least} to {most}"),
        Shape::Moment => "a date and time such as 2026-11-23T00:00:00Z".into(),
        Shape::Period => "a length of time such as \"PT60S\", \"P3D\" or \"P8Y\"".into(),
        Shape::OneOf(words) => words.join(", "),
        Shape::SomeOf(words) => format!("a list of {}", words.join(", ")),
        Shape::Start => Start::words(),
        Shape::Actions => Action::words(),
    }
}

fn shape(path: &[&str]) -> Option<Shape> {
    KEYS.iter().find(|(pattern, _)| fits(pattern, path)).map(|(_, shape)| *shape)
}

fn fits(pattern: &str, path: &[&str]) -> bool {
    pattern.split('.').count() == path.len() && begins(pattern, path)
}

fn begins(pattern: &str, path: &[&str]) -> bool {
    let mut wanted = pattern.split('.');
    path.iter().all(|key| wanted.next().is_some_and(|want| want == "*" || want == *key))
}

/// The keys that the last one of a path could have been.
fn keys_beside(path: &[&str]) -> String {
    let parent = path.split_last().map_or(&[][..], |(_, parent)| parent);
    let beside = KEYS
        .iter()
        .filter(|(pattern, _)| pattern.split('.').count() == path.len() && begins(pattern, parent));
    let names: Vec<_> = beside.filter_map(|(pattern, _)| pattern.rsplit('.').next()).collect();
    names.join(", ")
}

const LONGEST_TEXT: usize = 1_000;
const GROUNDS: &[&str] = &["a", "b", "c", "f"];
const HOLDS: &[&str] = &[
    "contract_open",
    "warranty",
    "guarantee",
    "claim",
    "statutory_retention",
    "law_otherwise",
    "epoc_preservation",
    "incident_evidence",
];
const PROOFS: &[&str] = &["V0", "V1", "V2", "V3"];

/// All keys; `*` stands for a name of the policy's own.
const KEYS: &[(&str, Shape)] = &[
    ("version", Shape::Number(1, 1_000_000)),
    ("valid_from", Shape::Moment),
    ("timezone", Shape::Text),
    ("default", Shape::OneOf(&["deny"])),
    ("four_eyes", Shape::OneOf(&["required", "recorded"])),
    ("controller", Shape::Section),
    ("controller.names", Shape::Texts),
    ("controller.operator", Shape::Text),
    ("dpo", Shape::Section),
    ("dpo.required", Shape::Flag),
    ("dpo.name", Shape::Text),
    ("dpo.email", Shape::Text),
    ("authority", Shape::Section),
    ("authority.name", Shape::Text),
    ("authority.address", Shape::Text),
    ("authority.url", Shape::Text),
    ("purposes", Shape::Section),
    ("purposes.*", Shape::Words),
    ("bases", Shape::Section),
    ("bases.a", Shape::Section),
    ("bases.a.use", Shape::Text),
    ("bases.b", Shape::Section),
    ("bases.b.use", Shape::Text),
    ("bases.c", Shape::Section),
    ("bases.c.use", Shape::Text),
    ("bases.c.citation_required", Shape::True),
    ("bases.d", Shape::Section),
    ("bases.d.use", Shape::Text),
    ("bases.d.flow", Shape::OneOf(&["break_glass"])),
    ("bases.f", Shape::Section),
    ("bases.f.use", Shape::Text),
    ("bases.f.lia_required", Shape::Flag),
    ("bases.f.interest", Shape::Words),
    ("category", Shape::Section),
    ("category.*", Shape::Section),
    ("category.*.fields", Shape::Texts),
    ("category.*.other", Shape::Texts),
    ("category.*.purpose", Shape::TextOrTexts),
    ("category.*.basis", Shape::OneOf(&["a", "b", "c", "d", "f"])),
    ("category.*.citation", Shape::Text),
    ("category.*.storage", Shape::OneOf(&["ram", "disk"])),
    ("category.*.capture", Shape::OneOf(&["after_click_only"])),
    ("category.*.personal", Shape::Flag),
    ("category.*.k_min", Shape::Number(2, 1_000)),
    ("category.*.ip", Shape::OneOf(&["full", "truncate24/48", "none"])),
    ("category.*.isp_source", Shape::OneOf(&["offline_asn"])),
    ("category.*.separate_from", Shape::Texts),
    ("category.*.inference", Shape::OneOf(&["forbidden"])),
    ("category.*.rule", Shape::Section),
    ("category.*.rule.start", Shape::Start),
    ("category.*.rule.period", Shape::Period),
    ("category.*.rule.slack", Shape::Period),
    ("category.*.rule.action", Shape::Actions),
    ("category.*.rule.unless", Shape::OneOf(&["hold:law_otherwise"])),
    ("category.*.rule.meanwhile", Shape::OneOf(&["restrict"])),
    ("holds", Shape::Section),
    ("holds.allowed", Shape::SomeOf(HOLDS)),
    (
        "holds.require",
        Shape::SomeOf(&[
            "citation_or_claim_id",
            "selector",
            "categories",
            "until",
            "two_approvers",
        ]),
    ),
    ("holds.max", Shape::Section),
    ("holds.max.*", Shape::Period),
    ("disclosure", Shape::Section),
    ("disclosure.grounds", Shape::SomeOf(GROUNDS)),
    ("disclosure.emergency", Shape::OneOf(&["d"])),
    ("disclosure.ledger", Shape::OneOf(&["per_subject"])),
    ("disclosure.manual", Shape::Section),
    ("disclosure.manual.approvers", Shape::Number(1, 9)),
    ("disclosure.manual.document_hash", Shape::Flag),
    ("disclosure.automatic", Shape::Sections),
    ("disclosure.automatic.connector", Shape::Text),
    ("disclosure.automatic.recipient", Shape::Text),
    ("disclosure.automatic.ground", Shape::OneOf(GROUNDS)),
    ("disclosure.automatic.categories", Shape::Texts),
    ("disclosure.automatic.header_allow", Shape::Texts),
    ("egress", Shape::Section),
    ("egress.allow", Shape::Texts),
    ("egress.external_embeds", Shape::OneOf(&["click_to_load"])),
    ("sites", Shape::Section),
    ("sites.country_allow", Shape::Texts),
    ("sites.certificate", Shape::Text),
    ("sites.certificate_alarm", Shape::Period),
    ("cookies", Shape::Section),
    ("cookies.session", Shape::Section),
    ("cookies.session.name", Shape::Text),
    ("cookies.session.purpose", Shape::Text),
    ("cookies.session.set_on", Shape::OneOf(&["login"])),
    ("cookies.session.delete_on", Shape::OneOf(&["logout"])),
    ("cookies.session.http_only", Shape::True),
    ("cookies.session.secure", Shape::True),
    ("cookies.session.same_site", Shape::OneOf(&["Lax"])),
    ("cookies.session.ground", Shape::OneOf(&["TDDDG25_2_2"])),
    ("cookies.tracking", Shape::OneOf(&["none"])),
    ("provision", Shape::Section),
    ("provision.label_fields", Shape::SomeOf(&["law", "contract", "voluntary"])),
    ("provision.contact_before_provision", Shape::Flag),
    ("rights", Shape::Section),
    ("rights.access", Shape::Section),
    ("rights.access.self_service", Shape::OneOf(&["24/7"])),
    ("rights.access.who", Shape::SomeOf(&["account", "guest", "phone", "visitor"])),
    ("rights.rectification", Shape::Section),
    ("rights.rectification.self_service", Shape::Flag),
    ("rights.erasure", Shape::Section),
    ("rights.erasure.self_service", Shape::Flag),
    ("rights.erasure.blocked_by", Shape::SomeOf(HOLDS)),
    ("rights.erasure.when_blocked", Shape::OneOf(&["restrict_and_resume"])),
    ("rights.restriction", Shape::Section),
    ("rights.restriction.enforced_in", Shape::OneOf(&["store"])),
    ("rights.objection", Shape::Section),
    ("rights.objection.field", Shape::Text),
    ("rights.objection.pending", Shape::OneOf(&["restrict"])),
    ("rights.objection.decision", Shape::OneOf(&["written_balancing"])),
    ("rights.portability", Shape::Section),
    ("rights.portability.bases", Shape::SomeOf(&["a", "b"])),
    ("rights.portability.format", Shape::OneOf(&["conf-portability-1"])),
    ("rights.complaint", Shape::Section),
    ("rights.complaint.print", Shape::OneOf(&["authority"])),
    ("rights.deadline", Shape::Section),
    ("rights.deadline.months", Shape::Number(1, 1)),
    ("rights.deadline.extension_months", Shape::Number(0, 2)),
    ("rights.deadline.calendar", Shape::OneOf(&["DE"])),
    ("rights.identity", Shape::Section),
    ("rights.identity.written", Shape::OneOf(PROOFS)),
    ("rights.identity.login", Shape::OneOf(PROOFS)),
    ("rights.identity.otherwise", Shape::OneOf(&["challenge"])),
    ("rights.identity.release_min", Shape::OneOf(PROOFS)),
    ("rights.identity.keep_evidence", Shape::Flag),
    ("notice", Shape::Section),
    ("notice.url", Shape::OneOf(&["/privacy"])),
    ("notice.languages", Shape::SomeOf(&["de", "en"])),
    ("notice.authoritative", Shape::OneOf(&["de"])),
    ("notice.publish", Shape::OneOf(&["on_policy_change"])),
];
