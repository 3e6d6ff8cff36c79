//! Accounts over real HTTP: links, signing in and out, passwords, administration, and what is
//! refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::browser::{ADMIN, Browser, MEMBER};
use support::{Response, Running, exchange, start, start_with};

fn code(response: &Response) -> (u16, String) {
    let code = response.json()["error"]["code"].as_str().unwrap_or_default().to_owned();
    (response.status, code)
}

fn is(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

async fn counted(running: &Running, name: &str) -> u64 {
    let page = running.page().await;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_life_of_an_account() {
    let running = start().await;
    // The first administrator.
    let link = running.server.first_administrator_link().unwrap().to_owned();
    let token = link.split_once("/welcome#").unwrap().1;
    let mut admin = running.browser();
    let seen = admin.send("POST", "/api/v1/links/look", json!({ "token": token })).await;
    let expected = json!({ "purpose": "first_administrator", "email": null, "name": null });
    assert_eq!(seen.json(), expected);
    let body = json!({ "name": "Root", "email": ADMIN.0, "password": ADMIN.1 });
    let made = admin.use_link(&link, body.clone()).await;
    assert_eq!((made.status, &made.json()["account"]["role"]), (201, &json!("administrator")));
    assert_eq!(code(&running.browser().use_link(&link, body).await), is(404, "link_unknown"));
    // An invitation.
    let body = json!({ "name": "Ada L.", "email": " ADA@example.org", "role": "member" });
    let invited = admin.send("POST", "/api/v1/accounts", body).await;
    assert_eq!((invited.status, &invited.json()["account"]["active"]), (201, &json!(false)));
    let link = invited.json()["link"].as_str().unwrap().to_owned();
    let id = invited.json()["account"]["id"].as_str().unwrap().to_owned();
    assert!(link.starts_with(&format!("http://{}/welcome#", running.server.http())), "{link}");
    let token = json!({ "token": link.split_once('#').unwrap().1 });
    let mut ada = running.browser();
    let seen = ada.send("POST", "/api/v1/links/look", token).await.json();
    assert_eq!(seen, json!({ "purpose": "invitation", "email": MEMBER.0, "name": "Ada L." }));
    assert_eq!(code(&ada.sign_in(MEMBER.0, MEMBER.1).await), is(401, "sign_in_wrong"));
    let made = ada.use_link(&link, json!({ "name": "Ada", "password": MEMBER.1 })).await;
    assert_eq!((made.status, ada.account().await["name"].clone()), (201, json!("Ada")));
    // A password change ends the other sessions, and gives this browser another.
    let mut phone = running.browser();
    assert_eq!(phone.sign_in(" Ada@Example.org ", MEMBER.1).await.status, 201);
    let before = ada.clone();
    let body = json!({ "current": MEMBER.1, "new": "another of Ada's" });
    let changed = ada.send("PUT", "/api/v1/me/password", body).await;
    assert_eq!((changed.status, changed.body.as_str()), (204, ""));
    assert_ne!(ada.cookie, before.cookie);
    assert_eq!(ada.account().await["email"], MEMBER.0);
    for mut ended in [phone, before] {
        assert_eq!(ended.account().await, Value::Null);
    }
    let mut again = running.browser();
    assert_eq!(again.sign_in(MEMBER.0, MEMBER.1).await.status, 401);
    assert_eq!(again.sign_in(MEMBER.0, "another of Ada's").await.status, 201);
    // A reset by the administrator ends them too.
    let reset = admin.send("POST", &format!("/api/v1/accounts/{id}/link"), json!({})).await;
    assert_eq!(reset.status, 201);
    let link = reset.json()["link"].as_str().unwrap().to_owned();
    assert_ne!(ada.account().await, Value::Null);
    let mut tablet = running.browser();
    assert_eq!(tablet.use_link(&link, json!({ "password": MEMBER.1 })).await.status, 201);
    assert_eq!((ada.account().await, again.account().await), (Value::Null, Value::Null));
    assert_eq!(tablet.account().await["name"], "Ada");
    // Removal.
    let path = format!("/api/v1/accounts/{id}");
    assert_eq!(admin.send("DELETE", &path, json!({})).await.status, 204);
    assert_eq!(code(&admin.send("DELETE", &path, json!({})).await), is(404, "account_unknown"));
    assert_eq!(tablet.account().await, Value::Null);
    assert_eq!(code(&tablet.sign_in(MEMBER.0, MEMBER.1).await), is(401, "sign_in_wrong"));
    running.server.stop().await;
}

#[tokio::test]
async fn nobody_learns_whether_there_is_an_account() {
    let running = start().await;
    let mut admin = running.administrator().await;
    let body = json!({ "name": "Bob", "email": "bob@example.org", "role": "member" });
    admin.send("POST", "/api/v1/accounts", body).await;
    let mut stranger = running.browser();
    let mut answers = Vec::new();
    // Wrong password, no password yet, no account, no address.
    let emails = [ADMIN.0, "bob@example.org", "eve@example.org", "eve"];
    let mut fastest = [Duration::MAX; 4];
    for _ in 0..8 {
        for (email, best) in emails.iter().zip(&mut fastest) {
            let before = counted(&running, "conf_password_hashes_total").await;
            let clock = tokio::time::Instant::now();
            let answer = stranger.sign_in(email, "none of their passwords").await;
            *best = clock.elapsed().min(*best);
            let after = counted(&running, "conf_password_hashes_total").await;
            assert_eq!(after - before, 1, "{email}");
            answers.push((answer.status, answer.body, answer.head.lines().count()));
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0, 401);
    let (least, most) = (fastest.iter().min().unwrap(), fastest.iter().max().unwrap());
    // Without a hash it would be a twentieth.
    assert!(*most < *least * 3, "{fastest:?}");
    assert_eq!(counted(&running, "conf_sign_ins_total{outcome=\"wrong\"}").await, 32);
    running.server.stop().await;
}

#[tokio::test]
async fn the_cookie_is_new_at_every_sign_in_and_dead_after_sign_out() {
    let running = start().await;
    running.administrator().await;
    let mut browser = running.browser();
    let before = browser.get("/api/v1/session").await;
    assert_eq!((before.header("set-cookie"), &before.body[..]), (None, "{\"account\":null}"));
    assert_eq!(before.header("cache-control"), Some("no-store"));
    // A planted cookie is not taken over.
    let planted = format!("sid={}", "A".repeat(43));
    browser.cookie = Some(planted.clone());
    let answer = browser.sign_in(ADMIN.0, ADMIN.1).await;
    let set = answer.header("set-cookie").unwrap();
    assert!(set.ends_with("; Max-Age=86400; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    assert_ne!(browser.cookie, Some(planted.clone()));
    let mut planter = Browser { cookie: Some(planted), ..running.browser() };
    assert_eq!(planter.account().await, Value::Null);
    assert_eq!(planter.cookie, None, "a void cookie is taken away");
    // Another sign-in: another token, and the one before is dead.
    let first = browser.clone();
    browser.sign_in(ADMIN.0, ADMIN.1).await;
    assert_ne!(browser.cookie, first.cookie);
    assert_eq!(first.clone().account().await, Value::Null);
    // Sign-out, and a replay.
    let mut replay = browser.clone();
    let out = browser.send("DELETE", "/api/v1/session", json!({})).await;
    assert_eq!((out.status, browser.cookie.clone()), (204, None));
    assert!(out.header("set-cookie").unwrap().starts_with("sid=; Max-Age=0;"));
    assert_eq!(replay.clone().account().await, Value::Null);
    assert_eq!(code(&replay.get("/api/v1/me/rooms").await), is(401, "not_signed_in"));
    running.server.stop().await;
}

#[tokio::test]
async fn the_cookie_is_secure_where_the_server_is() {
    let url = "https://meet.example.org";
    let running = start_with(|config| {
        config.public_url = conf_server::config::PublicUrl::parse(url);
    })
    .await;
    let link = running.server.first_administrator_link().unwrap();
    assert!(link.starts_with("https://meet.example.org/welcome#"), "{link}");
    let browser = running.administrator().await;
    let address = running.server.http();
    let cookie = browser.cookie.unwrap();
    let headers = [("cookie", &*cookie), ("origin", url), ("content-type", "application/json")];
    let out = exchange(address, "DELETE", "/api/v1/session", &headers, "{}").await;
    assert!(out.header("set-cookie").unwrap().ends_with("; Secure"), "{}", out.head);
    running.server.stop().await;
}

#[tokio::test]
async fn what_does_not_come_from_a_page_of_ours_changes_nothing() {
    let running = start().await;
    let admin = running.administrator().await;
    let address = running.server.http();
    let (own, cookie) = (format!("http://{address}"), admin.cookie.clone().unwrap());
    let json_type = ("content-type", "application/json");
    let evil = ("origin", "https://evil.example");
    let credentials = json!({ "email": ADMIN.0, "password": ADMIN.1 }).to_string();
    let join = format!("/api/v1/rooms/{}/join", running.code);
    for (method, path, body) in [
        ("POST", "/api/v1/session", &*credentials),
        ("DELETE", "/api/v1/session", "{}"),
        ("POST", "/api/v1/links/use", "{}"),
        ("PUT", "/api/v1/me/password", "{}"),
        ("POST", "/api/v1/me/rooms", "{\"title\":\"Planted\"}"),
        ("POST", "/api/v1/accounts", "{}"),
        ("POST", &join, "{\"name\":\"Planted\"}"),
    ] {
        let cookie = ("cookie", &*cookie);
        let cases: [(&[(&str, &str)], &str); 6] = [
            (&[cookie, json_type, evil], "origin_foreign"),
            (&[cookie, json_type, ("origin", "null")], "origin_foreign"),
            (
                &[cookie, json_type, ("origin", &own), ("sec-fetch-site", "cross-site")],
                "origin_foreign",
            ),
            (&[cookie, json_type, ("sec-fetch-site", "same-site")], "origin_foreign"),
            (&[cookie, json_type], "origin_missing"),
            (&[json_type, evil], "origin_foreign"),
        ];
        for (headers, word) in cases {
            let answer = exchange(address, method, path, headers, body).await;
            assert_eq!(code(&answer), is(403, word), "{method} {path} {headers:?}");
            assert_eq!(answer.header("set-cookie"), None);
        }
        let form = [cookie, ("origin", &*own), ("content-type", "text/plain")];
        let answer = exchange(address, method, path, &form, body).await;
        assert_eq!(code(&answer), is(415, "not_json"), "{method} {path}");
    }
    let mut admin = admin;
    assert_eq!(admin.get("/api/v1/me/rooms").await.body, "[]");
    assert_eq!(admin.account().await["email"], ADMIN.0, "still signed in");
    running.server.stop().await;
}

#[tokio::test]
async fn strange_bodies_and_foreign_hosts_are_refused() {
    let running = start().await;
    let mut admin = running.administrator().await;
    for (method, path, body) in [
        ("POST", "/api/v1/session", json!({ "email": "a@b", "password": "x", "admin": true })),
        ("POST", "/api/v1/session", json!({ "email": "a@b" })),
        ("POST", "/api/v1/links/use", json!({ "token": 1, "password": "x" })),
        ("PUT", "/api/v1/me/password", json!([])),
        ("PATCH", "/api/v1/me", json!({ "role": "administrator" })),
        ("POST", "/api/v1/me/rooms", json!({ "title": "a", "owner": "a-0000000000000001" })),
        ("POST", "/api/v1/me/rooms", json!({ "title": "a", "options": { "lobby": "off" } })),
        ("POST", "/api/v1/accounts", json!({ "name": "a", "email": "a@b", "role": "owner" })),
    ] {
        let answer = admin.send(method, path, body.clone()).await;
        assert_eq!(code(&answer), is(400, "body_invalid"), "{path} {body}");
    }
    let long = json!({ "email": "a@b", "password": "x".repeat(20_000) });
    let answer = admin.send("POST", "/api/v1/session", long).await;
    assert_eq!(code(&answer), is(413, "body_too_large"));
    let answer = admin
        .send("POST", "/api/v1/accounts", json!({ "name": " ", "email": "a@b", "role": "member" }))
        .await;
    assert_eq!(code(&answer), is(422, "name_invalid"));
    let answer = admin
        .send("POST", "/api/v1/accounts", json!({ "name": "a", "email": "a", "role": "member" }))
        .await;
    assert_eq!(code(&answer), is(422, "email_invalid"));
    assert_eq!(code(&admin.get("/api/v1/accounts?after=x").await), is(400, "query_invalid"));
    let address = running.server.http();
    let head = "POST /api/v1/session HTTP/1.1\r\nhost: evil.example\r\norigin: http://evil.example\r\n\
        content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    let answer = support::raw(address, head).await;
    assert!(answer.starts_with("HTTP/1.1 421 "), "{answer}");
    running.server.stop().await;
}

#[tokio::test]
async fn guessing_from_one_address_does_not_lock_the_account_elsewhere() {
    let running = start_with(|config| {
        config.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    })
    .await;
    running.administrator().await;
    let from = |address: &str| {
        let mut browser = running.browser();
        browser.headers = vec![("x-forwarded-for", address.to_owned())];
        browser
    };
    let mut guesser = from("192.0.2.1");
    for _ in 0..10 {
        assert_eq!(guesser.sign_in(ADMIN.0, "a guess of many").await.status, 401);
    }
    let refused = guesser.sign_in(ADMIN.0, ADMIN.1).await;
    assert_eq!(code(&refused), is(429, "too_many_requests"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(guesser.sign_in("other@example.org", "a guess").await.status, 401);
    assert_eq!(from("192.0.2.2").sign_in(ADMIN.0, ADMIN.1).await.status, 201);
    running.server.stop().await;
}

#[tokio::test]
async fn only_administrators_administer_and_the_last_one_stays() {
    let running = start().await;
    let mut admin = running.administrator().await;
    let (mut ada, ada_id) = running.member(&mut admin, MEMBER.0, MEMBER.1).await;
    assert_eq!(code(&running.browser().get("/api/v1/accounts").await), is(401, "not_signed_in"));
    for (method, path) in [
        ("GET", "/api/v1/accounts".to_owned()),
        ("POST", "/api/v1/accounts".to_owned()),
        ("POST", format!("/api/v1/accounts/{ada_id}/link")),
        ("PATCH", format!("/api/v1/accounts/{ada_id}")),
        ("DELETE", format!("/api/v1/accounts/{ada_id}")),
    ] {
        let answer = ada.send(method, &path, json!({ "role": "administrator" })).await;
        assert_eq!(code(&answer), is(403, "not_allowed"), "{method} {path}");
    }
    let own = format!("/api/v1/accounts/{}", admin.account().await["id"].as_str().unwrap());
    for (method, body) in [("DELETE", json!({})), ("PATCH", json!({ "role": "member" }))] {
        let answer = admin.send(method, &own, body).await;
        assert_eq!(code(&answer), is(409, "last_administrator"));
    }
    // Another role ends the sessions of the account.
    let path = format!("/api/v1/accounts/{ada_id}");
    let promoted = admin.send("PATCH", &path, json!({ "role": "administrator" })).await;
    assert_eq!(promoted.json()["role"], "administrator");
    assert_eq!(ada.account().await, Value::Null);
    ada.sign_in(MEMBER.0, MEMBER.1).await;
    assert_eq!(ada.send("DELETE", &own, json!({})).await.status, 204);
    assert_eq!(admin.account().await, Value::Null);
    running.server.stop().await;
}

#[tokio::test]
async fn accounts_are_listed_in_pages_and_keep_the_last_sign_in_only() {
    let running = start().await;
    let mut admin = running.administrator().await;
    for name in ["ada", "bob", "eve"] {
        let body =
            json!({ "name": name, "email": format!("{name}@example.org"), "role": "member" });
        assert_eq!(admin.send("POST", "/api/v1/accounts", body).await.status, 201);
    }
    let body = json!({ "name": "x", "email": "BOB@example.org", "role": "member" });
    assert_eq!(code(&admin.send("POST", "/api/v1/accounts", body).await), is(409, "email_taken"));
    let mut listed = Vec::new();
    let mut next = String::new();
    loop {
        let page = admin.get(&format!("/api/v1/accounts?limit=2{next}")).await.json();
        listed.extend(page["accounts"].as_array().unwrap().clone());
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    assert_eq!(listed.len(), 4);
    let root = listed.iter().find(|one| one["email"] == ADMIN.0).unwrap();
    let mut keys: Vec<_> = root.as_object().unwrap().keys().cloned().collect();
    keys.sort();
    assert_eq!(keys, ["active", "email", "id", "last_sign_in", "name", "role"]);
    let first = root["last_sign_in"].clone();
    assert!(first.is_string(), "{root}");
    running.browser().sign_in(ADMIN.0, ADMIN.1).await;
    let listed = admin.get("/api/v1/accounts").await.json();
    let root = listed["accounts"].as_array().unwrap().iter().find(|one| one["email"] == ADMIN.0);
    assert_ne!(root.unwrap()["last_sign_in"], first);
    running.server.stop().await;
}

#[tokio::test]
async fn a_link_works_once_even_for_two_at_the_same_time() {
    let running = start().await;
    let link = running.server.first_administrator_link().unwrap();
    let attempts = (0..4).map(|n| {
        let mut browser = running.browser();
        let email = format!("root{n}@example.org");
        let body = json!({ "name": "Root", "email": email, "password": ADMIN.1 });
        async move { browser.use_link(link, body).await.status }
    });
    let mut statuses = futures_util::future::join_all(attempts).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 404, 404, 404]);
    running.server.stop().await;
}

#[tokio::test]
async fn an_unfit_password_is_refused_with_its_reason_and_the_link_stays() {
    let running = start().await;
    let link = running.server.first_administrator_link().unwrap();
    let mut browser = running.browser();
    let body = |password: &str| json!({ "name": "Root", "email": ADMIN.0, "password": password });
    let long = "ab".repeat(200);
    for (password, reason, limit) in [
        ("short", "too_short", json!(12)),
        (&*long, "too_long", json!(256)),
        ("aaaaaaaaaaaaaaaa", "too_simple", Value::Null),
        (ADMIN.0, "too_simple", Value::Null),
    ] {
        let answer = browser.use_link(link, body(password)).await;
        assert_eq!(code(&answer), is(422, "password_unfit"));
        let error = &answer.json()["error"];
        assert_eq!((&error["reason"], &error["limit"]), (&json!(reason), &limit));
    }
    assert_eq!(browser.use_link(link, body(ADMIN.1)).await.status, 201);
    let wrong = json!({ "current": "not this one", "new": "quite a good one" });
    let answer = browser.send("PUT", "/api/v1/me/password", wrong).await;
    assert_eq!(code(&answer), is(401, "password_wrong"));
    let short = json!({ "current": ADMIN.1, "new": "short" });
    let answer = browser.send("PUT", "/api/v1/me/password", short).await;
    assert_eq!(code(&answer), is(422, "password_unfit"));
    let renamed = browser.send("PATCH", "/api/v1/me", json!({ "name": "  Ruth " })).await;
    assert_eq!(renamed.json()["name"], "Ruth");
    running.server.stop().await;
}
