//! Rooms of an account over real HTTP, and what changing them does to a meeting that runs there.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use support::browser::{Browser, MEMBER};
use support::{Running, Socket, get, open, post, start, start_with};

async fn new_room(owner: &mut Browser, title: &str) -> Value {
    let made = owner.send("POST", "/api/v1/me/rooms", json!({ "title": title })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()
}

fn path(room: &Value) -> String {
    format!("/api/v1/me/rooms/{}", room["id"].as_str().unwrap())
}

/// Joins by a room's link, without an account.
async fn join(running: &Running, code: &Value, name: &str) -> support::Response {
    let path = format!("/api/v1/rooms/{}/join", code.as_str().unwrap());
    post(running.server.http(), &path, &json!({ "name": name })).await
}

async fn enter(running: &Running, code: &Value, joined: &Value) -> Socket {
    let mut socket = Socket(open(running.server.http(), "/api/meeting/ws", &[]).await.unwrap());
    let mut hello = running.hello(joined, Value::Null);
    hello["room"] = code.clone();
    socket.send(&hello).await;
    assert_eq!(socket.next().await["type"], "welcome");
    socket
}

#[tokio::test]
async fn the_life_of_a_room() {
    let running = start().await;
    let mut owner = running.administrator().await;
    assert_eq!(owner.get("/api/v1/me/rooms").await.body, "[]");
    let room = new_room(&mut owner, "  Algebra  I ").await;
    assert_eq!((&room["title"], &room["meeting"]), (&json!("Algebra I"), &Value::Null));
    let default = json!({ "mute_on_start": false, "lobby": "off", "start": "anyone" });
    assert_eq!(room["options"], default);
    let joined = join(&running, &room["code"], "Guest").await.json();
    let mut inside = enter(&running, &room["code"], &joined).await;
    let listed = owner.get("/api/v1/me/rooms").await.json();
    assert_eq!(listed[0]["meeting"]["participants"], 1);
    // Renamed, with other options: the meeting hears of them.
    let options = json!({ "mute_on_start": true, "lobby": "ask", "start": "anyone" });
    let change = json!({ "title": "Algebra II", "options": options });
    let changed = owner.send("PATCH", &path(&room), change).await.json();
    assert_eq!((&changed["title"], &changed["options"]), (&json!("Algebra II"), &options));
    let told = inside.until("options_changed").await;
    assert_eq!(told["event"]["options"], options);
    // Another code: the old link is dead, and those inside come back by it all the same.
    let moved = owner.send("POST", &format!("{}/code", path(&room)), json!({})).await.json();
    assert_ne!(moved["code"], room["code"]);
    assert_eq!(moved["meeting"]["participants"], 1);
    assert_eq!(join(&running, &room["code"], "Late").await.status, 404);
    let address = running.server.http();
    let old = format!("/api/v1/rooms/{}", room["code"].as_str().unwrap());
    assert_eq!(get(address, &old, &[]).await.status, 404);
    let back = json!({ "participant": joined["participant"], "secret": joined["secret"] });
    assert_eq!(post(address, &format!("{old}/join"), &back).await.status, 200);
    let mut inside = enter(&running, &room["code"], &joined).await;
    let late = join(&running, &moved["code"], "Late").await.json();
    assert_eq!((&late["waiting"], &late["media_token"]), (&json!(true), &Value::Null));
    // Removed: the meeting ends.
    assert_eq!(owner.send("DELETE", &path(&room), json!({})).await.status, 204);
    inside.until("goodbye").await;
    assert_eq!(owner.get("/api/v1/me/rooms").await.body, "[]");
    assert_eq!(join(&running, &moved["code"], "Late").await.status, 404);
    running.server.stop().await;
}

#[tokio::test]
async fn the_rooms_of_others_do_not_exist() {
    let running = start().await;
    let mut admin = running.administrator().await;
    let (mut ada, _) = running.member(&mut admin, MEMBER.0, MEMBER.1).await;
    let room = new_room(&mut ada, "Mine").await;
    let own = path(&room);
    for (method, path) in [
        ("PATCH", own.clone()),
        ("DELETE", own.clone()),
        ("POST", format!("{own}/code")),
        ("PATCH", "/api/v1/me/rooms/r-0000000000000000".to_owned()),
        ("DELETE", "/api/v1/me/rooms/r-0000000000000000".to_owned()),
        ("DELETE", "/api/v1/me/rooms/nonsense".to_owned()),
    ] {
        let answer = admin.send(method, &path, json!({})).await;
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("room_unknown")));
        let mut nobody = running.browser();
        assert_eq!(nobody.send(method, &path, json!({})).await.status, 401);
    }
    assert_eq!(admin.get("/api/v1/me/rooms").await.body, "[]");
    assert_eq!(ada.get("/api/v1/me/rooms").await.json()[0], room);
    running.server.stop().await;
}

#[tokio::test]
async fn the_meetings_in_the_rooms_of_a_removed_account_end() {
    let running = start().await;
    let mut admin = running.administrator().await;
    let (mut ada, id) = running.member(&mut admin, MEMBER.0, MEMBER.1).await;
    let room = new_room(&mut ada, "Hers").await;
    let joined = join(&running, &room["code"], "Guest").await.json();
    let mut inside = enter(&running, &room["code"], &joined).await;
    let removed = admin.send("DELETE", &format!("/api/v1/accounts/{id}"), json!({})).await;
    assert_eq!(removed.status, 204);
    inside.until("goodbye").await;
    assert_eq!(join(&running, &room["code"], "Late").await.status, 404);
    running.server.stop().await;
}

#[tokio::test]
async fn a_hundred_rooms_with_visible_titles_and_no_more() {
    let running = start().await;
    let mut owner = running.administrator().await;
    let long = "x".repeat(101);
    for title in ["", "  ", "\u{200b}", &long] {
        let answer = owner.send("POST", "/api/v1/me/rooms", json!({ "title": title })).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert_eq!(answer.json()["error"]["code"], "title_invalid");
        assert_eq!(answer.json()["error"]["limit"], 100);
    }
    for n in 0..100 {
        new_room(&mut owner, &format!("Room {n}")).await;
    }
    let answer = owner.send("POST", "/api/v1/me/rooms", json!({ "title": "More" })).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (409, &json!("too_many_rooms")));
    assert_eq!(answer.json()["error"]["limit"], 100);
    running.server.stop().await;
}

#[tokio::test]
async fn without_the_open_room_nobody_finds_one() {
    let running = start_with(|config| config.open_room = false).await;
    assert_eq!(running.server.open_room_link(), None);
    let answer = get(running.server.http(), "/api/v1/rooms/open", &[]).await;
    assert_eq!((answer.status, &answer.json()["error"]["code"]), (404, &json!("room_unknown")));
    running.server.stop().await;
}
