//! Which kinds of personal data exist, and why each is needed.
//!
//! Each kind (Datenart) is declared once, as a constant: what people call it, what is stored, why.
//! Its purpose, its legal basis and its one rule of erasure are the policy's
//! (DIN EN ISO/IEC 27555); [`Declaration::rule_of`] says which category there. The page `/privacy` prints
//! both, and [`faults`] refuses a declaration that says too little. Where each kind is kept says
//! the [`inventory`](crate::inventory).

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
    /// The policy's category whose purpose, basis and rule hold for it.
    pub rule_of: CategoryId,
}

/// The name of a category: lower-case words with dots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategoryId(pub &'static str);

/// A short text in both languages of the notice; the German one is authoritative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// German.
    pub de: &'static str,
    /// English.
    pub en: &'static str,
}

impl Label {
    /// A text in German and in English.
    #[must_use]
    pub const fn new(de: &'static str, en: &'static str) -> Self {
        Self { de, en }
    }

    /// Whether neither language is missing.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        !self.de.is_empty() && !self.en.is_empty()
    }
}

/// What is wrong with a set of declarations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Two declarations have one name.
    #[error("category {} is declared twice", .0.0)]
    Twice(CategoryId),
    /// A name is not made of lower-case words with dots.
    #[error("category {:?} is not named in lower-case words with dots", .0.0)]
    Name(CategoryId),
    /// It does not say what is stored.
    #[error("category {} names no field", .0.0)]
    NoField(CategoryId),
    /// Label or reason is missing in one of the languages.
    #[error("category {} lacks label or reason in a language", .0.0)]
    NoLabel(CategoryId),
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
    let named = |id: CategoryId| id.0.split('.').count() > 1 && id.0.split('.').all(word);
    let label = declaration.label.is_whole() && declaration.reason.is_whole();
    [
        (!named(id)).then_some(Fault::Name(id)),
        (!named(declaration.rule_of)).then_some(Fault::Name(declaration.rule_of)),
        (declaration.fields.is_empty()).then_some(Fault::NoField(id)),
        (!label).then_some(Fault::NoLabel(id)),
    ]
    .into_iter()
    .flatten()
}

/// All categories there are, in the order in which the notice names them.
pub const ALL: &[Declaration] = &[
    SESSION_NAME,
    SESSION_CHAT,
    SESSION_MEDIA,
    SESSION_WAITING,
    SESSION_SECRET,
    ACCOUNT_PROFILE,
    ACCOUNT_ROOMS,
    ACCOUNT_SESSION,
    ACCOUNT_LINK,
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
    fields: &["display_name", "role", "presence", "joined_at", "hand", "device_state"],
    reason: Label::new(
        "Damit die anderen wissen, wer dabei ist",
        "So that the others know who is there",
    ),
    rule_of: SESSION_CONTENT,
};

/// What was written in the chat, by whom and when.
pub const SESSION_CHAT: Declaration = Declaration {
    id: CategoryId("session.chat"),
    label: Label::new("Chat", "Chat"),
    fields: &["text", "display_name", "sent_at"],
    reason: Label::new(
        "Damit alle lesen, was geschrieben wurde, auch wer später kommt",
        "So that all read what was written, also those who come later",
    ),
    rule_of: SESSION_CONTENT,
};

/// The latest packets of each source, so that lost ones can be sent again; a ring of fixed size
/// that the next packets overwrite.
pub const SESSION_MEDIA: Declaration = Declaration {
    id: CategoryId("session.media"),
    label: Label::new("Ton, Bild, geteilter Bildschirm", "Sound, picture, shared screen"),
    fields: &["audio_stream", "video_stream", "screenshare"],
    reason: Label::new(
        "Werden an die anderen weitergeleitet; nichts wird aufgezeichnet, im Speicher sind nur die letzten Pakete",
        "Forwarded to the others; nothing is recorded, only the latest packets are in memory",
    ),
    rule_of: CategoryId("session.media"),
};

/// Who waits to be let in.
pub const SESSION_WAITING: Declaration = Declaration {
    id: CategoryId("session.waiting"),
    label: Label::new(
        "Name und Wartezeit in der Lobby",
        "Your name and how long you have waited, in the lobby",
    ),
    fields: &["display_name", "since", "position"],
    reason: Label::new(
        "Damit die Moderation entscheidet, wer eintritt",
        "So that the moderators decide who comes in",
    ),
    rule_of: SESSION_CONTENT,
};

/// What proves that a browser belongs to a participant. Media tokens are not kept, only signed.
pub const SESSION_SECRET: Declaration = Declaration {
    id: CategoryId("session.secret"),
    label: Label::new("Zugangsgeheimnis Ihrer Teilnahme", "The secret of your participation"),
    fields: &["participant_secret", "media_credentials"],
    reason: Label::new(
        "Damit nur Sie in Ihrem Namen handeln",
        "So that nobody but you acts in your name",
    ),
    rule_of: CategoryId("session.secret"),
};

/// Who has an account. With the names of its rooms these are all the kinds of data it has.
pub const ACCOUNT_PROFILE: Declaration = Declaration {
    id: CategoryId("account.profile"),
    label: Label::new(
        "Konto: Name, E-Mail-Adresse, Passwort (nur als Hash), Zeitpunkt der letzten Anmeldung",
        "Account: name, e-mail address, password (only as a hash), time of the last sign-in",
    ),
    fields: &["name", "email", "password_hash", "last_sign_in"],
    reason: Label::new(
        "Damit Sie sich anmelden und Ihre Räume verwalten; von den Anmeldungen bleibt nur die letzte",
        "So that you can sign in and look after your rooms; of the sign-ins only the last is kept",
    ),
    rule_of: CategoryId("account.profile"),
};

/// The lasting places an account owns.
pub const ACCOUNT_ROOMS: Declaration = Declaration {
    id: CategoryId("account.rooms"),
    label: Label::new("Ihre Räume: Name, Link, Einstellungen", "Your rooms: name, link, settings"),
    fields: &["room_name", "room_code", "room_options"],
    reason: Label::new(
        "Damit andere Sie immer unter demselben Link treffen",
        "So that others always meet you at the same link",
    ),
    rule_of: CategoryId("account.profile"),
};

/// That a browser is signed in. The server has a digest of the cookie's value, not the value.
pub const ACCOUNT_SESSION: Declaration = Declaration {
    id: CategoryId("account.session"),
    label: Label::new("Ihre Anmeldung", "Your being signed in"),
    fields: &["session_token", "ends_at"],
    reason: Label::new(
        "Damit Sie angemeldet bleiben, bis Sie sich abmelden; endet auch mit einem neuen Passwort",
        "So that you stay signed in until you sign out; a new password ends it too",
    ),
    rule_of: CategoryId("account.session"),
};

/// That somebody may make an account or set a new password, once.
pub const ACCOUNT_LINK: Declaration = Declaration {
    id: CategoryId("account.link"),
    label: Label::new(
        "Einmal-Link für Einladung oder neues Passwort",
        "One-time link for an invitation or a new password",
    ),
    fields: &["link_token", "ends_at"],
    reason: Label::new(
        "Damit nur Sie Ihr Passwort festlegen; der Link gilt einmal",
        "So that nobody but you sets your password; the link works once",
    ),
    rule_of: CategoryId("account.link"),
};

/// Where packets go to and requests come from; attempts are counted for a minute, under a hash
/// with a key that lives as long as the process.
pub const NETWORK_ADDRESS: Declaration = Declaration {
    id: CategoryId("network.address"),
    label: Label::new("Netzwerkadresse (IP)", "Network address (IP)"),
    fields: &["ip", "port"],
    reason: Label::new(
        "Um Daten zuzustellen und zu häufige Anfragen abzuwehren; wird nicht protokolliert",
        "To deliver data, and to refuse requests that come too often; not logged",
    ),
    rule_of: CategoryId("network.address"),
};

/// Lets a reload of the page come back as the same participant.
pub const BROWSER_GUEST: Declaration = Declaration {
    id: CategoryId("browser.guest"),
    label: Label::new(
        "Ihre Teilnahme, mit Zugangsgeheimnis",
        "Your participation, with its secret",
    ),
    fields: &["participant_id", "participant_secret"],
    reason: Label::new(
        "Damit Sie nach dem Neuladen wieder dabei sind",
        "So that you are still in after reloading the page",
    ),
    rule_of: CategoryId("browser.guest"),
};

/// Saves typing the name again, where the person ticked that.
pub const BROWSER_NAME: Declaration = Declaration {
    id: CategoryId("browser.name"),
    label: Label::new("Ihr Name in diesem Browser", "Your name in this browser"),
    fields: &["display_name"],
    reason: Label::new(
        "Damit Sie ihn nicht erneut eingeben müssen",
        "So that you need not type it again",
    ),
    rule_of: CategoryId("browser.name"),
};

/// What the person chose for next time; written only once something was chosen, never sent.
pub const BROWSER_PREFERENCES: Declaration = Declaration {
    id: CategoryId("browser.preferences"),
    label: Label::new(
        "Sprache, Erscheinungsbild, Tastenkürzel, gewählte Geräte",
        "Language, appearance, shortcuts, chosen devices",
    ),
    fields: &["theme", "language", "shortcuts", "sounds", "microphone", "camera", "speaker"],
    reason: Label::new(
        "Damit Ihre Wahl beim nächsten Mal gilt",
        "So that your choice holds the next time",
    ),
    rule_of: CategoryId("browser.preferences"),
};

/// The policy's category of all that a meeting is made of.
const SESSION_CONTENT: CategoryId = CategoryId("session.content");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_category_says_what_and_why() {
        assert_eq!(faults(ALL), []);
        assert_eq!(find("session.chat"), Some(&SESSION_CHAT));
        assert_eq!(find("session.mood"), None);
    }

    #[test]
    fn a_declaration_that_says_too_little_is_refused() {
        let id = CategoryId("x");
        let bad = Declaration { id, label: Label::new("X", ""), fields: &[], ..BROWSER_NAME };
        let expected = [Fault::Name(id), Fault::NoField(id), Fault::NoLabel(id)];
        assert_eq!(faults(&[bad]), expected);
        assert_eq!(faults(&[SESSION_CHAT, SESSION_CHAT]), [Fault::Twice(SESSION_CHAT.id)]);
    }

    #[test]
    fn an_account_has_the_five_kinds_of_data_of_the_notice_and_no_more() {
        let kinds = ALL.iter().filter(|it| it.rule_of.0 == "account.profile");
        let fields: Vec<_> = kinds.flat_map(|it| it.fields).copied().collect();
        let expected = ["name", "email", "password_hash", "last_sign_in"];
        let rooms = ["room_name", "room_code", "room_options"];
        assert_eq!(fields, [&expected[..], &rooms[..]].concat());
    }
}
