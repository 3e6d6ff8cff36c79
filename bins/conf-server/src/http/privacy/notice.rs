//! The notice: who is responsible, what is processed and how long, who gets it, which rights.

use std::fmt::Write as _;
use std::time::Duration;

use conf_privacy::category::{self, Declaration};
use conf_privacy::inventory::{Entry, Holds, Place};
use conf_privacy::policy::{Controller, Policy};

use super::words::{Language, basis, purposes, term};
use super::{escaped, row, table};
use crate::inventory;

/// What is between the head of the page and its foot.
pub(super) fn main(
    policy: &Policy,
    grace: Duration,
    relays: &[String],
    language: Language,
) -> String {
    let mut page = format!("<h1>{}</h1>\n", language.pick("Datenschutz", "Privacy"));
    page.push_str(&who(policy, language));
    page.push_str(&why(policy, language));
    let what =
        language.pick("Was verarbeitet wird, und wie lange", "What is processed, and for how long");
    let _ = writeln!(page, "<h2 id=\"what\">{what}</h2>");
    page.push_str(&kinds(policy, language));
    let _ = writeln!(
        page,
        "<p><a href=\"/privacy/inventory?lang={}\">{}</a></p>",
        language.pick("de", "en"),
        language.pick(
            "Verzeichnis aller Orte, an denen etwas gespeichert wird",
            "The list of every place where something is kept",
        )
    );
    page.push_str(&end(grace, language));
    page.push_str(&cookies(policy, language));
    page.push_str(&recipients(policy, relays, language));
    page.push_str(&rights(policy, language));
    page.push_str(NOT.of(language));
    page
}

fn who(policy: &Policy, language: Language) -> String {
    let Some(controller) = &policy.controller else { return NOBODY.of(language).to_owned() };
    let mut text = section("who", language.pick("Wer verantwortlich ist", "Who is responsible"));
    let article = language
        .pick("Verantwortlich nach Art. 4 Nr. 7 DSGVO", "The controller under Art. 4(7) GDPR");
    let _ = writeln!(text, "<p>{article}: {}</p>", names(controller));
    if let Some(operator) = &controller.operator {
        let operated = language.pick("Betrieben von", "Operated by");
        let _ = writeln!(text, "<p>{operated} {}</p>", escaped(operator.reveal()));
    }
    if let Some(officer) = &policy.officer {
        let label = language.pick("Datenschutzbeauftragt", "The data protection officer");
        let (name, email) = (escaped(officer.name.reveal()), escaped(officer.email.reveal()));
        let _ = writeln!(text, "<p>{label}: {name}, <a href=\"mailto:{email}\">{email}</a></p>");
    }
    text
}

fn names(controller: &Controller) -> String {
    controller.names.iter().map(|name| escaped(name.reveal())).collect::<Vec<_>>().join(", ")
}

fn why(policy: &Policy, language: Language) -> String {
    let mut text = section("why", language.pick("Wozu", "What for"));
    text.push_str("<ul>\n");
    let entries = inventory::all();
    let used = |id: &str| {
        category::ALL
            .iter()
            .filter(|kind| is_kept(kind, &entries))
            .filter_map(|kind| policy.category(kind.rule_of.0))
            .any(|category| category.purposes.iter().any(|it| it == id))
    };
    for purpose in policy.purposes.iter().filter(|purpose| used(&purpose.id)) {
        let _ = writeln!(text, "<li>{}</li>", escaped(language.words(&purpose.words)));
    }
    text.push_str("</ul>\n");
    let interest = escaped(language.words(&policy.interest));
    let label = language.pick(
        "Berechtigtes Interesse, wo Art. 6 Abs. 1 lit. f DSGVO genannt ist",
        "The legitimate interest where Art. 6(1)(f) GDPR is named",
    );
    let _ = writeln!(text, "<p>{label}: {interest}.</p>");
    text
}

/// A row for each kind of personal data that is kept.
fn kinds(policy: &Policy, language: Language) -> String {
    let why = language.pick("Wozu", "What for");
    let long = language.pick("Wo und wie lange", "Where and how long");
    let entries = inventory::all();
    let mut rows = String::new();
    for kind in category::ALL.iter().filter(|kind| is_kept(kind, &entries)) {
        let Some(category) = policy.category(kind.rule_of.0) else { continue };
        let (Some(rule), Some(allowed)) = (&category.rule, &category.basis) else { continue };
        let reason = format!(
            "{}. {}; {}",
            language.of(kind.reason),
            escaped(&purposes(category, policy, language)),
            escaped(&basis(allowed, language))
        );
        let place = places(kind, &entries, language);
        let cells = [(why, reason), (long, format!("{place}: {}", term(rule, language)))];
        rows.push_str(&row(language.of(kind.label), &cells));
    }
    table("what", &[language.pick("Daten", "Data"), why, long], &rows)
}

fn is_kept(kind: &Declaration, entries: &[Entry]) -> bool {
    entries.iter().any(|entry| entry.holds == Holds::Category(kind.id))
}

/// Where a kind of data is, in a few words.
fn places(kind: &Declaration, entries: &[Entry], language: Language) -> String {
    let mut found: Vec<String> = Vec::new();
    for entry in entries.iter().filter(|entry| entry.holds == Holds::Category(kind.id)) {
        let words = match &entry.place {
            Place::Memory { .. } => {
                language.pick("im Arbeitsspeicher des Servers", "in the server’s memory").to_owned()
            }
            Place::Browser { storage, key } => format!(
                "{} ({storage} <code>{}</code>)",
                language.pick("in diesem Browser", "in this browser"),
                escaped(key)
            ),
            Place::Cookie { name } => format!("Cookie <code>{}</code>", escaped(name)),
            _ => {
                language.pick("in der Datenbank des Servers", "in the server’s database").to_owned()
            }
        };
        if !found.contains(&words) {
            found.push(words);
        }
    }
    found.join(", ")
}

fn end(grace: Duration, language: Language) -> String {
    let heading = language.pick("Ende einer Konferenz", "The end of a meeting");
    let seconds = grace.as_secs();
    let text = match language {
        Language::German => format!(
            "Eine Konferenz endet, wenn die Moderation sie beendet, oder {seconds} Sekunden nachdem die letzte Person gegangen ist. Ihr Inhalt steht auf keinem Datenträger und ist dann fort."
        ),
        Language::English => format!(
            "A meeting ends when a moderator ends it, or {seconds} seconds after the last person has left. Its content is on no disk, and is gone then."
        ),
    };
    format!("{}<p>{text}</p>\n", section("end", heading))
}

fn cookies(policy: &Policy, language: Language) -> String {
    let mut text = section("cookies", "Cookies");
    for cookie in &policy.cookies {
        let name = escaped(&cookie.name);
        let words = match language {
            Language::German => format!(
                "Ein einziges Cookie, <code>{name}</code>, hält Sie angemeldet. Es wird erst bei der Anmeldung gesetzt und beim Abmelden gelöscht, spätestens nach 24 Stunden. Es ist für den Dienst, den Sie verlangen, unbedingt nötig (§ 25 Abs. 2 Nr. 2 TDDDG). Ohne Konto wird kein Cookie gesetzt."
            ),
            Language::English => format!(
                "A single cookie, <code>{name}</code>, keeps you signed in. It is set only when you sign in and deleted when you sign out, after 24 hours at the latest. It is strictly necessary for the service you ask for (§ 25(2) no. 2 TDDDG). Without an account no cookie is set."
            ),
        };
        let _ = writeln!(text, "<p>{words}</p>");
    }
    text
}

fn recipients(policy: &Policy, relays: &[String], language: Language) -> String {
    let mut text = section("recipients", language.pick("Wer Daten erhält", "Who gets data"));
    // What no part of this version sends goes to nobody, whatever the policy would allow.
    text.push_str(language.pick(
        "<p>Die anderen in der Konferenz. Automatisch wird nichts an Dritte übermittelt; der Server ruft keine anderen Dienste mit Ihren Daten auf.</p>\n",
        "<p>The others in the meeting. Nothing is sent to third parties automatically; the server calls no other services with your data.</p>\n",
    ));
    text.push_str(&relay(policy, relays, language));
    if let Some(sites) = policy.sites.as_ref().filter(|sites| !sites.countries.is_empty()) {
        let countries = escaped(&sites.countries.join(", "));
        let label = language.pick("Standorte der Server (Land)", "Where the servers are (country)");
        let _ = write!(text, "<p>{label}: {countries}");
        if let Some(certificate) = &sites.certificate {
            let _ = write!(text, "; {}", escaped(certificate));
        }
        text.push_str("</p>\n");
    }
    text
}

/// The one host besides this server that a browser may be sent to.
fn relay(policy: &Policy, relays: &[String], language: Language) -> String {
    if relays.is_empty() {
        return String::new();
    }
    let hosts = escaped(&relays.join(", "));
    let operator = policy.recipients.iter().find(|it| it.connector == RELAY);
    let operator = operator.map(|it| format!(" ({})", escaped(it.name.reveal())));
    let operator = operator.unwrap_or_default();
    let words = match language {
        Language::German => format!(
            "Lässt Ihr Netz nichts anderes durch, schickt Ihr Browser Ton und Bild über ein Relais (TURN): <code>{hosts}</code>{operator}. Es sieht Ihre Netzadresse und verschlüsselte Pakete, weder Namen noch Inhalte; die Zugangsdaten dafür sind zufällig und laufen ab."
        ),
        Language::English => format!(
            "If your network lets nothing else through, your browser sends sound and pictures over a relay (TURN): <code>{hosts}</code>{operator}. It sees your network address and encrypted packets, neither names nor content; its credentials are random and expire."
        ),
    };
    format!("<p id=\"relay\">{words}</p>\n")
}

/// How a policy names the part of the server that tells of a relay.
const RELAY: &str = "turn";

fn rights(policy: &Policy, language: Language) -> String {
    let mut text = section("rights", language.pick("Ihre Rechte", "Your rights"));
    text.push_str(RIGHTS.of(language));
    let deadline = policy.deadline;
    let (months, more) = (deadline.months, deadline.extension_months);
    let answer = match language {
        Language::German => format!(
            "Eine Antwort erhalten Sie innerhalb von {months} Monat, in schwierigen Fällen nach einer Mitteilung bis zu {more} Monate später."
        ),
        Language::English => format!(
            "You get an answer within {months} month, in difficult cases and after a message up to {more} months later."
        ),
    };
    let _ = writeln!(text, "<p>{answer}</p>");
    if let Some(authority) = &policy.authority {
        let label = language.pick("Zuständige Aufsichtsbehörde", "The supervisory authority");
        let name = escaped(authority.name.reveal());
        let _ = write!(text, "<p>{label}: {name}");
        if let Some(address) = &authority.address {
            let _ = write!(text, ", {}", escaped(address.reveal()));
        }
        if let Some(url) = authority.url.as_ref().map(|url| escaped(url.reveal())) {
            let _ = write!(text, ", <a href=\"{url}\" rel=\"noreferrer\">{url}</a>");
        }
        text.push_str("</p>\n");
    }
    text
}

fn section(id: &str, heading: &str) -> String {
    format!("<h2 id=\"{id}\">{heading}</h2>\n")
}

/// A block of the page in both languages.
struct Block {
    de: &'static str,
    en: &'static str,
}

impl Block {
    const fn of(&self, language: Language) -> &'static str {
        language.pick(self.de, self.en)
    }
}

const NOBODY: Block = Block {
    de: "<p class=\"notice\"><strong>Für diesen Server ist kein Betreiber benannt.</strong> Er läuft mit der eingebauten Richtlinie und nimmt deshalb nur Verbindungen des eigenen Rechners an. Wer ihn für andere öffnet, muss vorher benennen, wer verantwortlich ist.</p>\n",
    en: "<p class=\"notice\"><strong>No operator is named for this server.</strong> It runs with the built-in policy and therefore takes connections from its own machine only. Whoever opens it to others must first name who is responsible.</p>\n",
};
const RIGHTS: Block = Block {
    de: "<p>Sie haben das Recht auf Auskunft (Art. 15 DSGVO), Berichtigung (Art. 16), Löschung (Art. 17), Einschränkung der Verarbeitung (Art. 18), Datenübertragbarkeit (Art. 20) und Widerspruch (Art. 21). Eine Einwilligung können Sie jederzeit mit Wirkung für die Zukunft widerrufen (Art. 7 Abs. 3). Wenden Sie sich dafür an die oben Genannten. Sie können sich außerdem bei einer Aufsichtsbehörde beschweren (Art. 77).</p>\n",
    en: "<p>You have the right of access (Art. 15 GDPR), rectification (Art. 16), erasure (Art. 17), restriction of processing (Art. 18), data portability (Art. 20) and objection (Art. 21). You can withdraw a consent at any time for the future (Art. 7(3)). For that, turn to those named above. You can also complain to a supervisory authority (Art. 77).</p>\n",
};
const NOT: Block = Block {
    de: "<h2 id=\"not\">Was es nicht gibt</h2>\n<p>Keine Cookies zur Nachverfolgung, keine Reichweitenmessung, keine Inhalte von anderen Servern. Protokolle enthalten keine Namen, keine Adressen und keine Inhalte.</p>\n<p>Ton und Bild sind auf dem Weg zum Server und von dort zu den anderen verschlüsselt (DTLS-SRTP), auf dem Server selbst nicht.</p>\n",
    en: "<h2 id=\"not\">What there is not</h2>\n<p>No tracking cookies, no analytics, nothing loaded from other servers. Logs hold no names, no addresses and no content.</p>\n<p>Sound and picture are encrypted on the way to the server and from there to the others (DTLS-SRTP), but not on the server itself.</p>\n<p>The German text is the authoritative one.</p>\n",
};
