//! The list of every declared place: what it holds, what for, by which rule it goes.

use std::fmt::Write as _;

use conf_privacy::category::{self, Label};
use conf_privacy::gate;
use conf_privacy::inventory::{Holds, Place};
use conf_privacy::policy::Policy;

use super::words::{Language, basis, purposes, term};
use super::{escaped, row, table};
use crate::inventory;

/// What is between the head of the page and its foot.
pub(super) fn main(policy: &Policy, language: Language) -> String {
    let entries = inventory::all();
    let heading = language.pick("Verzeichnis der Speicherorte", "The list of places");
    let mut page = format!("<h1 id=\"list\">{heading}</h1>\n<p>{}</p>\n", INTRO.of(language));
    let holds = language.pick("Enthält", "Holds");
    let purpose = language.pick("Zweck und Rechtsgrundlage", "Purpose and legal basis");
    let rule = language.pick("Regel oder Grund", "Rule or reason");
    let mut rows = String::new();
    for entry in &entries {
        let [what, why, until] = match entry.holds {
            Holds::NotPersonal { reason } => [
                language.pick("nichts Personenbezogenes", "nothing personal").to_owned(),
                "–".to_owned(),
                language.of(reason).to_owned(),
            ],
            Holds::Category(id) => personal(id.0, policy, language),
        };
        let head = format!(
            "{} <code>{}</code>",
            language.of(kind(&entry.place)),
            escaped(&entry.place.name())
        );
        rows.push_str(&row(&head, &[(holds, what), (purpose, why), (rule, until)]));
    }
    page.push_str(&table("list", &[language.pick("Ort", "Place"), holds, purpose, rule], &rows));
    let heading = language.pick("Regeln, die warten", "Rules that wait");
    let _ = writeln!(page, "<h2 id=\"waiting\">{heading}</h2>\n<p>{}</p>\n<ul>", WAIT.of(language));
    for category in gate::waiting(&entries, policy) {
        let _ = write!(page, "<li><code>{}</code>", escaped(&category.id));
        if let Some(rule) = &category.rule {
            let _ = write!(page, ": {}", term(rule, language));
        }
        page.push_str("</li>\n");
    }
    page.push_str("</ul>\n");
    page
}

fn personal(id: &str, policy: &Policy, language: Language) -> [String; 3] {
    let declared = category::find(id);
    let category = declared.and_then(|it| policy.category(it.rule_of.0));
    let label = declared.map_or(id, |it| language.of(it.label));
    let why = category.map(|it| {
        let allowed = it.basis.as_ref().map(|it| basis(it, language)).unwrap_or_default();
        format!("{}; {}", escaped(&purposes(it, policy, language)), escaped(&allowed))
    });
    let until = category.and_then(|it| it.rule.as_ref()).map(|rule| term(rule, language));
    let label = format!("{label} (<code>{}</code>)", escaped(id));
    [label, why.unwrap_or_default(), until.unwrap_or_default()]
}

const fn kind(place: &Place) -> Label {
    match place {
        Place::Table { .. } => Label::new("Tabelle", "Table"),
        Place::Column { .. } => Label::new("Spalte", "Column"),
        Place::Index { .. } => Label::new("Index", "Index"),
        Place::View { .. } => Label::new("Sicht", "View"),
        Place::Trigger { .. } => Label::new("Auslöser", "Trigger"),
        Place::Directory { .. } => Label::new("Ordner", "Folder"),
        Place::File { .. } => Label::new("Datei", "File"),
        Place::Cookie { .. } => Label::new("Cookie", "Cookie"),
        Place::Browser { .. } => Label::new("Speicher des Browsers", "Storage of the browser"),
        Place::Memory { .. } => Label::new("Arbeitsspeicher", "Memory"),
        Place::Log { .. } => Label::new("Protokoll", "Log"),
    }
}

struct Block(Label);

impl Block {
    const fn of(&self, language: Language) -> &'static str {
        language.of(self.0)
    }
}

const INTRO: Block = Block(Label::new(
    "Alles, was dieser Server speichert oder einen Browser speichern lässt. Kommt etwas hinzu, das hier nicht steht, startet er nicht.",
    "Everything this server keeps, or lets a browser keep. If there were anything that is not here, it would not start.",
));
const WAIT: Block = Block(Label::new(
    "Für diese Arten von Daten gibt es schon eine Regel; diese Version speichert nichts davon.",
    "There is a rule for these kinds of data already; this version keeps nothing of them.",
));
