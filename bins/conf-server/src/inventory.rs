//! Every place where this server keeps something, or lets a browser keep it, and what.
//!
//! The stores declare their own; what is declared here is everything else. The gate checks the list
//! at the start, `/privacy` and `/privacy/inventory` are printed from it.

use conf_privacy::category::{
    ACCOUNT_LINK, ACCOUNT_PROFILE, ACCOUNT_ROOMS, ACCOUNT_SESSION, BROWSER_GUEST, BROWSER_NAME,
    BROWSER_PREFERENCES, Declaration, NETWORK_ADDRESS, SESSION_CHAT, SESSION_MEDIA, SESSION_NAME,
    SESSION_SECRET, SESSION_WAITING,
};
use conf_privacy::inventory::{BrowserStorage, Entry, Holds, Place};
use conf_store::spool::Spool;
use conf_store::{Folder, sql};

use crate::http::COOKIE;
use crate::secrets;

/// Everything that is declared.
#[must_use]
pub fn all() -> Vec<Entry> {
    let mut entries = sql::describe();
    entries.extend(Folder::describe());
    entries.extend(Spool::describe());
    entries.extend(secrets::describe());
    entries.extend(OURS.map(|(place, holds)| Entry::new(place, holds)));
    entries
}

const OURS: [(Place, Holds); 22] = [
    (Place::directory("acme"), CERTIFICATE),
    (Place::file("acme/*"), CERTIFICATE),
    (Place::cookie(COOKIE), held(&ACCOUNT_SESSION)),
    (Place::browser(BrowserStorage::Session, "conf.guest.<code>"), held(&BROWSER_GUEST)),
    (Place::browser(BrowserStorage::Local, "conf.name"), held(&BROWSER_NAME)),
    (Place::browser(BrowserStorage::Local, "conf.preferences"), held(&BROWSER_PREFERENCES)),
    (Place::memory("meeting: participants"), held(&SESSION_NAME)),
    (Place::memory("meeting: identities of players"), held(&SESSION_NAME)),
    (Place::memory("meeting: chat"), held(&SESSION_CHAT)),
    (Place::memory("meeting: lobby"), held(&SESSION_WAITING)),
    (Place::memory("meeting: secrets of participants"), held(&SESSION_SECRET)),
    (Place::memory("media: latest packets of a track"), held(&SESSION_MEDIA)),
    (Place::memory("media: credentials of a peer"), held(&SESSION_SECRET)),
    (Place::memory("media: addresses of a peer"), held(&NETWORK_ADDRESS)),
    (Place::memory("media: open TCP connections"), held(&NETWORK_ADDRESS)),
    (Place::memory("http: open connections"), held(&NETWORK_ADDRESS)),
    (Place::memory("http: counted attempts, under a keyed hash"), held(&NETWORK_ADDRESS)),
    (Place::memory("http: account of a request"), held(&ACCOUNT_PROFILE)),
    (Place::memory("http: rooms of a request"), held(&ACCOUNT_ROOMS)),
    (Place::memory("http: link of a request"), held(&ACCOUNT_LINK)),
    (Place::memory("metrics"), FIGURES),
    (Place::log("application log on standard output"), LOG),
];

const fn held(declaration: &Declaration) -> Holds {
    Holds::Category(declaration.id)
}

const CERTIFICATE: Holds = Holds::not_personal(
    "Zertifikat und Schlüssel des Servers für HTTPS",
    "The server’s certificate and keys for HTTPS",
);
const FIGURES: Holds = Holds::not_personal(
    "Zähler für den Betrieb, ohne Namen, Adressen und Räume",
    "Counters for operation, without names, addresses and rooms",
);
const LOG: Holds = Holds::not_personal(
    "Meldungen über den Betrieb des Programms, auf jeder Stufe ohne Namen, Adressen und Inhalte",
    "Messages about the running of the program, at every level without names, addresses and content",
);

#[cfg(test)]
mod tests {
    use conf_privacy::gate;
    use conf_privacy::policy::Policy;

    use super::*;

    #[test]
    fn everything_declared_has_a_rule_of_the_built_in_policy_or_a_reason() {
        assert_eq!(gate::check(&all(), &[], &Policy::built_in()), []);
    }

    #[test]
    fn every_kind_of_personal_data_is_kept_somewhere() {
        let entries = all();
        for kind in conf_privacy::category::ALL {
            let kept = entries.iter().any(|entry| entry.holds == Holds::Category(kind.id));
            assert!(kept, "{}", kind.id.0);
        }
    }
}
