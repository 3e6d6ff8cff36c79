//! Which kinds of personal data exist, why, and when they go.
//!
//! Each kind (Datenart) is declared once, as a constant, with exactly one purpose, one legal basis
//! and one rule of erasure (DIN 66398, ISO/IEC 27555). The table on the page `/privacy` is
//! made of these, and [`faults`] refuses a declaration that says too little.

use std::time::Duration;

/// One kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Its name everywhere, `session.chat`.
    pub id: CategoryId,
    /// What people call it.
    pub label: Label,
    /// What is stored of whom: one word a field.
    pub fields: &'static [&'static str],
    /// Why it is needed, in the words of the notice.
    pub reason: Label,
    /// What it is for.
    pub purpose: Purpose,
    /// What allows it.
    pub basis: LegalBasis,
    /// Where it is while it is.
    pub place: Place,
    /// When it goes.
    pub rule: Rule,
}

/// The name of a category: lower-case words with dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryId(pub &'static str);

/// A short text in both languages of the notice; the German one is authoritative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// German.
    pub de: &'static str,
    /// English.
    pub en: &'static str,
}

impl Label {
    const fn new(de: &'static str, en: &'static str) -> Self {
        Self { de, en }
    }

    const fn is_whole(self) -> bool {
        !self.de.is_empty() && !self.en.is_empty()
    }
}

/// What data is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Holding audio and video conferences.
    Conference,
    /// Keeping the service working and defending it.
    Security,
}

/// What allows the processing (GDPR, Article 6(1)); public interest (e) does not occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegalBasis {
    /// (a) The person agreed to this one purpose.
    Consent,
    /// (b) The conference itself could not be held without it.
    Contract,
    /// (c) A law demands it.
    Law {
        /// Which.
        citation: &'static str,
    },
    /// (f) An interest that was weighed against the person's.
    Interest {
        /// Which.
        interest: &'static str,
    },
}

/// Where data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// In the memory of the server; never on a disk.
    Memory,
    /// In the person's own browser (TDDDG, section 25).
    Browser {
        /// Which storage.
        storage: BrowserStorage,
        /// The key, with `<code>` for the room's.
        key: &'static str,
    },
}

/// The storages of a browser that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BrowserStorage {
    /// Gone with the tab.
    Session,
    /// Stays until it is removed.
    Local,
}

/// When data goes: a term that starts with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    /// What starts the term.
    pub start: Start,
    /// How long it may still be used.
    pub period: Duration,
    /// How long the erasure itself may take.
    pub slack: Duration,
}

/// What starts the term of erasure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Start {
    /// The connection it belongs to is closed.
    ConnectionEnd,
    /// The participant is no longer present.
    Departure,
    /// The meeting ended.
    MeetingEnd,
    /// The browser tab was closed, or the person left the meeting in it.
    TabClosed,
    /// The person takes it back.
    Withdrawal,
}

/// What is wrong with a set of declarations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Two declarations have one name.
    #[error("category {} is declared twice", .0.0)]
    Twice(CategoryId),
    /// The name is not made of lower-case words with dots.
    #[error("category {:?} is not named in lower-case words with dots", .0.0)]
    Name(CategoryId),
    /// It does not say what is stored.
    #[error("category {} names no field", .0.0)]
    NoField(CategoryId),
    /// Label or reason is missing in one of the languages.
    #[error("category {} lacks label or reason in a language", .0.0)]
    NoLabel(CategoryId),
    /// A law without its citation, or an interest that is not named.
    #[error("category {} does not say what its legal basis rests on", .0.0)]
    NoReason(CategoryId),
    /// What stays in the browser beyond the tab needs the person's consent.
    #[error("category {} stays in the browser without consent", .0.0)]
    StaysWithoutConsent(CategoryId),
}

/// Checks declarations that are to stand together; no fault: they may.
#[must_use]
pub fn faults(declarations: &[Declaration]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, declaration) in declarations.iter().enumerate() {
        let id = declaration.id;
        if declarations.iter().take(index).any(|earlier| earlier.id == id) {
            faults.push(Fault::Twice(id));
        }
        faults.extend(faults_of(declaration));
    }
    faults
}

/// The category with this name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Declaration> {
    ALL.iter().find(|declaration| declaration.id.0 == id)
}

fn faults_of(declaration: &Declaration) -> impl Iterator<Item = Fault> {
    let id = declaration.id;
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let named = id.0.split('.').count() > 1 && id.0.split('.').all(word);
    let label = declaration.label.is_whole() && declaration.reason.is_whole();
    let reason = match declaration.basis {
        LegalBasis::Law { citation: text } | LegalBasis::Interest { interest: text } => {
            !text.is_empty()
        }
        LegalBasis::Consent | LegalBasis::Contract => true,
    };
    let local = matches!(declaration.place, Place::Browser { storage: BrowserStorage::Local, .. });
    let stays = local && declaration.basis != LegalBasis::Consent;
    [
        (!named).then_some(Fault::Name(id)),
        (declaration.fields.is_empty()).then_some(Fault::NoField(id)),
        (!label).then_some(Fault::NoLabel(id)),
        (!reason).then_some(Fault::NoReason(id)),
        stays.then_some(Fault::StaysWithoutConsent(id)),
    ]
    .into_iter()
    .flatten()
}

/// All categories there are.
pub const ALL: &[Declaration] = &[
    SESSION_NAME,
    SESSION_CHAT,
    SESSION_MEDIA,
    SESSION_SECRET,
    NETWORK_ADDRESS,
    BROWSER_GUEST,
    BROWSER_NAME,
    BROWSER_PREFERENCES,
];

/// Who took part: names, and what others saw of them in the list of participants.
pub const SESSION_NAME: Declaration = Declaration {
    id: CategoryId("session.name"),
    label: Label::new(
        "Name, den Sie eingeben, und Ihr Platz in der Liste der Teilnehmenden",
        "The name you type, and your place in the list of participants",
    ),
    reason: Label::new(
        "Damit die anderen wissen, wer dabei ist",
        "So that the others know who is there",
    ),
    fields: &["display_name", "role", "presence", "joined_at", "hand", "device_state"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Contract,
    place: Place::Memory,
    rule: Rule { start: Start::MeetingEnd, period: Duration::ZERO, slack: MINUTE },
};

/// What was written in the chat, by whom and when.
pub const SESSION_CHAT: Declaration = Declaration {
    id: CategoryId("session.chat"),
    label: Label::new("Chat", "Chat"),
    reason: Label::new(
        "Damit alle lesen, was geschrieben wurde, auch wer später kommt",
        "So that all read what was written, also those who come later",
    ),
    fields: &["text", "display_name", "sent_at"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Contract,
    place: Place::Memory,
    rule: Rule { start: Start::MeetingEnd, period: Duration::ZERO, slack: MINUTE },
};

/// The latest packets of each source, so that lost ones can be sent again; a ring of fixed size
/// that the next packets overwrite.
pub const SESSION_MEDIA: Declaration = Declaration {
    id: CategoryId("session.media"),
    label: Label::new("Ton, Bild, geteilter Bildschirm", "Sound, picture, shared screen"),
    reason: Label::new(
        "Werden an die anderen weitergeleitet; nichts wird aufgezeichnet, im Speicher sind nur die letzten Pakete",
        "Forwarded to the others; nothing is recorded, only the latest packets are in memory",
    ),
    fields: &["audio", "video", "screen"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Contract,
    place: Place::Memory,
    rule: Rule { start: Start::Departure, period: Duration::ZERO, slack: MINUTE },
};

/// What proves that a browser belongs to a participant. Media tokens are not kept, only signed.
pub const SESSION_SECRET: Declaration = Declaration {
    id: CategoryId("session.secret"),
    label: Label::new("Zugangsgeheimnis Ihrer Teilnahme", "The secret of your participation"),
    reason: Label::new(
        "Damit nur Sie in Ihrem Namen handeln",
        "So that nobody but you acts in your name",
    ),
    fields: &["participant_secret", "media_credentials"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Contract,
    place: Place::Memory,
    rule: Rule { start: Start::Departure, period: Duration::ZERO, slack: MINUTE },
};

/// Where packets go to and requests come from; attempts are counted for a minute, under a hash
/// with a key that lives as long as the process.
pub const NETWORK_ADDRESS: Declaration = Declaration {
    id: CategoryId("network.address"),
    label: Label::new("Netzwerkadresse (IP)", "Network address (IP)"),
    reason: Label::new(
        "Um Daten zuzustellen und zu häufige Anfragen abzuwehren",
        "To deliver data, and to refuse requests that come too often",
    ),
    fields: &["ip", "port"],
    purpose: Purpose::Security,
    basis: LegalBasis::Interest { interest: "delivering packets and limiting abuse" },
    place: Place::Memory,
    rule: Rule { start: Start::ConnectionEnd, period: MINUTE, slack: MINUTE },
};

/// Lets a reload of the page come back as the same participant.
pub const BROWSER_GUEST: Declaration = Declaration {
    id: CategoryId("browser.guest"),
    label: Label::new(
        "Ihre Teilnahme, mit Zugangsgeheimnis",
        "Your participation, with its secret",
    ),
    reason: Label::new(
        "Damit Sie nach dem Neuladen wieder dabei sind",
        "So that you are still in after reloading the page",
    ),
    fields: &["participant_id", "participant_secret"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Contract,
    place: Place::Browser { storage: BrowserStorage::Session, key: "conf.guest.<code>" },
    rule: Rule { start: Start::TabClosed, period: Duration::ZERO, slack: Duration::ZERO },
};

/// Saves typing the name again, where the person ticked that.
pub const BROWSER_NAME: Declaration = Declaration {
    id: CategoryId("browser.name"),
    label: Label::new("Ihr Name in diesem Browser", "Your name in this browser"),
    reason: Label::new(
        "Damit Sie ihn nicht erneut eingeben müssen",
        "So that you need not type it again",
    ),
    fields: &["display_name"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Consent,
    place: Place::Browser { storage: BrowserStorage::Local, key: "conf.name" },
    rule: Rule { start: Start::Withdrawal, period: Duration::ZERO, slack: Duration::ZERO },
};

/// What the person chose for next time; written only once something was chosen, never sent.
pub const BROWSER_PREFERENCES: Declaration = Declaration {
    id: CategoryId("browser.preferences"),
    label: Label::new(
        "Sprache, Erscheinungsbild, Tastenkürzel, gewählte Geräte",
        "Language, appearance, shortcuts, chosen devices",
    ),
    reason: Label::new(
        "Damit Ihre Wahl beim nächsten Mal gilt",
        "So that your choice holds the next time",
    ),
    fields: &["theme", "language", "shortcuts", "microphone", "camera", "speaker"],
    purpose: Purpose::Conference,
    basis: LegalBasis::Consent,
    place: Place::Browser { storage: BrowserStorage::Local, key: "conf.preferences" },
    rule: Rule { start: Start::Withdrawal, period: Duration::ZERO, slack: Duration::ZERO },
};

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_says_what_why_and_until_when() {
        assert_eq!(faults(ALL), []);
        assert_eq!(find("session.chat"), Some(&SESSION_CHAT));
        assert_eq!(find("session.mood"), None);
    }

    #[test]
    fn a_declaration_that_says_too_little_is_refused() {
        let id = CategoryId("x");
        let bad = Declaration {
            id,
            label: Label::new("X", ""),
            fields: &[],
            basis: LegalBasis::Law { citation: "" },
            ..BROWSER_NAME
        };
        let expected = [
            Fault::Name(id),
            Fault::NoField(id),
            Fault::NoLabel(id),
            Fault::NoReason(id),
            Fault::StaysWithoutConsent(id),
        ];
        assert_eq!(faults(&[bad]), expected);
        assert_eq!(faults(&[SESSION_CHAT, SESSION_CHAT]), [Fault::Twice(SESSION_CHAT.id)]);
    }

    #[test]
    fn nothing_of_a_session_outlives_the_meeting_by_more_than_a_minute() {
        let session = ALL.iter().filter(|d| d.id.0.starts_with("session."));
        for Declaration { rule, place, .. } in session {
            assert!(rule.period + rule.slack <= MINUTE);
            assert_eq!(*place, Place::Memory);
        }
    }
}
