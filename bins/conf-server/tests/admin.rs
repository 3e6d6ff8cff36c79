//! Accounts and the real program: links from its command line, and what it logs and leaves on the
//! disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::path::Path;
use std::process::ExitStatus;

use conf_privacy::needle::Needles;
use serde_json::{Value, json};
use support::Folder;
use support::browser::{ADMIN, Browser, MEMBER};
use support::program::{Started, program, start};

/// What `conf-server admin …` prints beside a running server.
fn admin(folder: &Folder, running: &Started, words: &[&str]) -> (ExitStatus, String) {
    let address = running.address().to_string();
    let mut command = program(folder, &[("CONF_HTTP__LISTEN", &address)]);
    let output = command.arg("admin").args(words).output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status, String::from_utf8(printed).unwrap())
}

/// The address in it.
fn link(printed: &str) -> &str {
    printed.lines().map(str::trim).find(|line| line.starts_with("http://")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_are_made_from_the_command_line_beside_a_running_server() {
    let folder = Folder::new();
    let mut running = start(&folder, &[]);
    let printed_at_start = running.welcome();
    let mut browser = Browser::new(running.address());
    let (status, printed) = admin(&folder, &running, &["link"]);
    assert!(status.success(), "{printed}");
    let body = json!({ "name": "Root", "email": ADMIN.0, "password": ADMIN.1 });
    let old = format!("#{printed_at_start}");
    assert_eq!(browser.use_link(&old, body.clone()).await.status, 404, "only the newest works");
    assert_eq!(browser.use_link(link(&printed), body).await.status, 201);
    let (status, printed) = admin(&folder, &running, &["link"]);
    assert!(!status.success() && printed.contains("an administrator already"), "{printed}");
    let (status, printed) = admin(&folder, &running, &["link", "eve@example.org"]);
    assert!(!status.success() && printed.contains("no account has"), "{printed}");
    let (status, printed) = admin(&folder, &running, &["link", "Root@example.org"]);
    assert!(status.success(), "{printed}");
    let password = json!({ "password": MEMBER.1 });
    assert_eq!(browser.clone().use_link(link(&printed), password).await.status, 201);
    assert_eq!(browser.account().await, Value::Null, "the sessions before ended");
    assert_eq!(browser.sign_in(ADMIN.0, MEMBER.1).await.status, 201);
    let (status, printed) = admin(&folder, &running, &["delete", "everything"]);
    assert_eq!(status.code(), Some(64), "{printed}");
    running.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_names_nobody_and_the_disk_knows_no_password_and_no_token() {
    let folder = Folder::new();
    let mut running = start(&folder, &[("CONF_LOG__LEVEL", "trace")]);
    let first = running.welcome();
    let mut browser = Browser::new(running.address());
    let email = "canary.goldfinch@example.org";
    let body = json!({ "name": "Canary Goldfinch", "email": email, "password": "sings at dawn 1" });
    assert_eq!(browser.use_link(&format!("#{first}"), body).await.status, 201);
    let body = json!({ "name": "Canary Siskin", "email": "siskin@example.org", "role": "member" });
    let invited = browser.send("POST", "/api/v1/accounts", body).await.json();
    let room = browser.send("POST", "/api/v1/me/rooms", json!({ "title": "Canary Cage" })).await;
    let mut cookies = vec![browser.cookie.clone().unwrap()];
    browser.sign_in(email, "sings at noon 12").await;
    browser.sign_in("nobody.canary@example.org", "sings at noon 12").await;
    browser.sign_in(email, "sings at dawn 1").await;
    cookies.push(browser.cookie.clone().unwrap());
    let body = json!({ "current": "sings at dawn 1", "new": "sings at night 1" });
    assert_eq!(browser.send("PUT", "/api/v1/me/password", body).await.status, 204);
    cookies.push(browser.cookie.clone().unwrap());
    browser.send("DELETE", "/api/v1/session", json!({})).await;
    let (printed, status) = running.terminate();
    assert_eq!(status.code(), Some(0), "{printed}");
    let invitation = invited["link"].as_str().unwrap().split_once('#').unwrap().1.to_owned();
    let mut secrets: Vec<String> =
        ["sings at dawn 1", "sings at noon 12", "sings at night 1"].map(str::to_owned).into();
    secrets.extend(cookies.iter().map(|cookie| cookie.trim_start_matches("sid=").to_owned()));
    secrets.push(invitation);
    let names = [
        "Canary Goldfinch",
        "Canary Siskin",
        "Canary Cage",
        email,
        "siskin@example.org",
        "nobody.canary@example.org",
        room.json()["code"].as_str().unwrap(),
        room.json()["id"].as_str().unwrap(),
    ]
    .map(str::to_owned);
    let logged = Needles::new(&[&secrets[..], &names].concat()).unwrap();
    assert!(logged.search(printed.as_bytes()).is_empty(), "{printed}");
    assert_eq!(printed.matches(&first).count(), 1, "the first link is printed once: {printed}");
    secrets.push(first);
    search(&folder.0, &Needles::new(&secrets).unwrap());
}

fn search(folder: &Path, needles: &Needles) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needles);
        } else {
            let hits = needles.search(&std::fs::read(&path).unwrap());
            assert!(hits.is_empty(), "{}: {hits:?}", path.display());
        }
    }
}
