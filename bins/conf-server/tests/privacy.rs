//! What is declared is what the page says, and what the client keeps in the browser.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::path::Path;

use conf_privacy::category::ALL;
use conf_privacy::inventory::Place;
use conf_privacy::policy::Policy;
use conf_server::{inventory, policy};
use support::{get, start, start_with};

#[tokio::test]
async fn the_page_has_a_row_for_each_kind_of_personal_data() {
    let running = start().await;
    for (language, word) in [("de", "Wo und wie lange"), ("en", "Where and how long")] {
        let page = get(running.server.http(), &format!("/privacy?lang={language}"), &[]).await.body;
        assert_eq!(page.matches("scope=\"row\"").count(), ALL.len(), "{page}");
        assert!(page.contains(word) && !page.contains("{main}") && !page.contains("{path}"));
        for kind in ALL {
            let label = if language == "de" { kind.label.de } else { kind.label.en };
            assert!(page.contains(&format!(">{label}</th>")), "{label}");
        }
        assert!(page.contains("<code>sid</code>") && page.contains("<code>conf.name</code>"));
        assert!(!page.contains("Besprechung"), "the word is Konferenz");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn without_a_policy_the_page_says_that_nobody_is_named() {
    let running = start().await;
    let page = get(running.server.http(), "/privacy?lang=de", &[]).await.body;
    assert!(page.contains("kein Betreiber benannt") && !page.contains("Art. 4 Nr. 7"));
    running.server.stop().await;
}

#[tokio::test]
async fn an_operators_policy_is_what_the_page_says() {
    let running = start_with(|config| {
        let path = config.data_dir.with_extension("policy.toml");
        let text = include_str!("../../../conf-privacy/policy.example.toml");
        std::fs::write(&path, text.replace("Beispiel GmbH", "Bei<b>spiel & Söhne")).unwrap();
        config.policy = Some(path);
    })
    .await;
    for language in ["de", "en"] {
        let page = get(running.server.http(), &format!("/privacy?lang={language}"), &[]).await.body;
        for said in [
            "Erika Mustermann, Max Mustermann, Verein für Beispiele e. V.",
            "Bei&lt;b&gt;spiel &amp; Söhne",
            "mailto:datenschutz@example.org",
            "Aufsichtsbehörde des Landes Beispiel",
            "ISO/IEC 27001",
        ] {
            assert!(page.contains(said), "{said}: {page}");
        }
        assert!(!page.contains("class=\"notice\""), "an operator is named");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn the_host_of_a_relay_is_named_and_who_runs_it() {
    let running = start_with(|config| {
        let path = config.data_dir.with_extension("policy.toml");
        std::fs::write(&path, include_str!("../../../conf-privacy/policy.example.toml")).unwrap();
        config.policy = Some(path);
        config.turn = Some(support::turn());
    })
    .await;
    for language in ["de", "en"] {
        let page = get(running.server.http(), &format!("/privacy?lang={language}"), &[]).await.body;
        let named = page.contains("<code>turn.example.org</code> (Beispiel-Relais)");
        assert!(named, "{page}");
    }
    running.server.stop().await;
    let running = start().await;
    let page = get(running.server.http(), "/privacy?lang=en", &[]).await.body;
    assert!(!page.contains("id=\"relay\""), "there is none");
    running.server.stop().await;
}

#[tokio::test]
async fn the_list_of_places_has_a_row_for_each_with_purpose_or_reason() {
    let running = start().await;
    let entries = inventory::all();
    for (language, word) in
        [("de", "Spalte <code>accounts.email"), ("en", "Column <code>accounts.email")]
    {
        let path = format!("/privacy/inventory?lang={language}");
        let page = get(running.server.http(), &path, &[]).await.body;
        assert_eq!(page.matches("scope=\"row\"").count(), entries.len(), "{page}");
        assert!(page.contains(word) && page.contains("<code>log.access</code>"), "{page}");
        assert!(page.contains(&format!("/privacy?lang={language}")));
    }
    running.server.stop().await;
}

#[test]
fn no_place_of_the_inventory_lacks_both_purpose_and_reason() {
    let rows = policy::inventory(&Policy::built_in());
    assert!(rows.len() > 40, "{}", rows.len());
    for row in rows {
        let personal = row.category.is_some();
        assert_eq!(
            row.purpose.as_deref().is_some_and(|it| !it.is_empty()),
            personal,
            "{}",
            row.name
        );
        assert_eq!(row.rule.is_some() && row.basis.is_some(), personal, "{}", row.name);
        assert_eq!(
            row.reason.as_deref().is_some_and(|it| !it.is_empty()),
            !personal,
            "{}",
            row.name
        );
    }
}

#[test]
fn what_the_code_does_is_what_the_policy_says() {
    let policy = Policy::built_in();
    let term = |id: &str| policy.category(id).unwrap().rule.as_ref().unwrap().period.seconds();
    assert_eq!(term("account.session"), conf_core::account::SESSION_LIFE.as_secs());
    assert_eq!(term("account.link"), conf_core::account::LINK_LIFE.as_secs());
}

/// Every text in the client's sources that begins like a key of ours is a declared one, and no
/// file but those two writes to a storage.
#[test]
fn the_client_keeps_in_the_browser_what_is_declared_and_nothing_else() {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
    let mut used = Vec::new();
    let mut writers = Vec::new();
    for folder in ["src", "public"] {
        read(&web.join(folder), &mut |name, text| {
            for quote in ['\'', '"', '`'] {
                let start = format!("{quote}conf.");
                let keys = text.split(&start).skip(1);
                used.extend(keys.map(|rest| {
                    let end = rest.find(['\'', '"', '`', '$', '<']).unwrap();
                    format!("conf.{}", &rest[..end])
                }));
            }
            if ["Storage.setItem", "document.cookie", "indexedDB"]
                .iter()
                .any(|it| text.contains(it))
            {
                writers.push(name.to_owned());
            }
        });
    }
    used.sort();
    used.dedup();
    let entries = inventory::all();
    let mut declared: Vec<_> = entries
        .iter()
        .filter_map(|entry| match &entry.place {
            Place::Browser { key, .. } => Some(key.split('<').next().unwrap().to_owned()),
            _ => None,
        })
        .collect();
    declared.sort();
    assert_eq!(used, declared);
    writers.sort();
    assert_eq!(writers, ["guest.ts", "prefs.svelte.ts"]);
}

fn read(folder: &Path, each: &mut impl FnMut(&str, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, each);
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            each(path.file_name().unwrap().to_str().unwrap(), &text);
        }
    }
}
