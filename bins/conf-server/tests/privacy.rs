//! What is declared is what the page says, and what the client keeps in the browser.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::path::Path;

use conf_privacy::category::ALL;
use support::{get, start};

#[tokio::test]
async fn the_page_has_a_row_for_each_kind_of_personal_data() {
    let running = start().await;
    for (language, word) in [("de", "Wozu"), ("en", "What for")] {
        let page = get(running.server.http(), &format!("/privacy?lang={language}"), &[]).await.body;
        assert_eq!(page.matches("scope=\"row\"").count(), ALL.len(), "{page}");
        assert!(page.contains(word) && !page.contains("{rows}") && !page.contains("{grace}"));
        for kind in ALL {
            let label = if language == "de" { kind.label.de } else { kind.label.en };
            assert!(page.contains(&format!(">{label}</th>")), "{label}");
        }
    }
    running.server.stop().await;
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
    let mut declared = ["conf.guest.", "conf.name", "conf.preferences"].to_vec();
    declared.sort_unstable();
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
