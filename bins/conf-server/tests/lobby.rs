//! Rooms that belong to somebody: waiting and being let in, options, a new link, over real HTTP.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use serde_json::{Value, json};
use support::browser::{Browser, MEMBER};
use support::{
    Response, Running, Socket, exchange, get, join_request, post, refused, start, token,
};

/// A server, its owner of a room, and the room.
struct Scene {
    running: Running,
    owner: Browser,
    room: Value,
}

async fn scene(options: Value) -> Scene {
    let running = start().await;
    let mut admin = running.administrator().await;
    let (mut owner, _) = running.member(&mut admin, MEMBER.0, MEMBER.1).await;
    let body = json!({ "title": "Seminar", "options": options });
    let made = owner.send("POST", "/api/v1/me/rooms", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    Scene { running, owner, room: made.json() }
}

fn options(lobby: &str, start: &str) -> Value {
    json!({ "mute_on_start": false, "lobby": lobby, "start": start })
}

impl Scene {
    fn code(&self) -> String {
        self.room["code"].as_str().unwrap().to_owned()
    }

    fn join_path(&self) -> String {
        format!("/api/v1/rooms/{}/join", self.code())
    }

    async fn ask(&self, body: Value) -> Response {
        post(self.running.server.http(), &self.join_path(), &body).await
    }

    async fn guest(&self, name: &str) -> Value {
        let joined = self.ask(json!({ "name": name })).await;
        assert_eq!(joined.status, 201, "{}", joined.body);
        joined.json()
    }

    async fn back(&self, joined: &Value) -> Response {
        let (participant, secret) = (&joined["participant"], &joined["secret"]);
        self.ask(json!({ "participant": participant, "secret": secret })).await
    }

    async fn owner_joins(&mut self) -> (Value, Socket) {
        let joined = self.owner.send("POST", &self.join_path(), json!({ "name": "Ada" })).await;
        assert_eq!(joined.status, 201, "{}", joined.body);
        let joined = joined.json();
        assert_eq!((&joined["role"], &joined["waiting"]), (&json!("moderator"), &json!(false)));
        let (mut socket, code) = (self.running.meeting_socket().await, self.code());
        socket.send(&self.hello(&joined, &code)).await;
        assert_eq!(socket.next().await["type"], "welcome");
        (joined, socket)
    }

    fn hello(&self, joined: &Value, code: &str) -> Value {
        let mut hello = self.running.hello(joined, Value::Null);
        hello["room"] = json!(code);
        hello
    }

    /// The websocket of a guest after hello, and the first answer.
    async fn knock(&self, joined: &Value) -> (Socket, Value) {
        let mut socket = self.running.meeting_socket().await;
        socket.send(&self.hello(joined, &self.code())).await;
        let first = socket.next().await;
        (socket, first)
    }

    async fn new_code(&mut self) {
        let path = format!("/api/v1/me/rooms/{}/code", self.room["id"].as_str().unwrap());
        let renewed = self.owner.send("POST", &path, json!({})).await;
        assert_eq!(renewed.status, 200, "{}", renewed.body);
        self.room = renewed.json();
    }

    async fn signalling(&self, token: &str) -> u16 {
        let path = format!("/rtc/v1?access_token={token}&join_request={}", join_request());
        refused(self.running.server.http(), &path, &[]).await.0
    }
}

#[tokio::test]
async fn a_guest_waits_without_a_media_token_until_a_moderator_lets_them_in() {
    let mut scene = scene(options("ask", "anyone")).await;
    let guest = scene.guest("Ben").await;
    assert_eq!((&guest["waiting"], &guest["media_token"]), (&json!(true), &Value::Null));
    let (mut guest_socket, first) = scene.knock(&guest).await;
    assert_eq!(first, json!({ "type": "waiting", "position": 1, "reason": "lobby" }));
    let back = scene.back(&guest).await;
    assert_eq!((back.status, &back.json()["media_token"]), (200, &Value::Null));
    let (_, mut owner_socket) = scene.owner_joins().await;
    let admit = json!({ "type": "admit", "participant": guest["participant"] });
    owner_socket.command(1, admit).await;
    owner_socket.until("waiting_removed").await;
    let welcome = guest_socket.until("welcome").await;
    assert_eq!(welcome["you"], guest["participant"]);
    let back = scene.back(&guest).await.json();
    assert_eq!(back["waiting"], false);
    assert!(back["media_token"].is_string());
    scene.running.server.stop().await;
}

#[tokio::test]
async fn whoever_is_turned_away_hears_so_and_has_no_way_back() {
    let mut scene = scene(options("ask", "anyone")).await;
    let guest = scene.guest("Ben").await;
    let (mut guest_socket, _) = scene.knock(&guest).await;
    let (_, mut owner_socket) = scene.owner_joins().await;
    let deny = json!({ "type": "deny", "participant": guest["participant"] });
    owner_socket.command(1, deny).await;
    let denied = json!({ "type": "goodbye", "reason": "denied" });
    assert_eq!(guest_socket.until("goodbye").await, denied);
    assert_eq!(guest_socket.frame().await, None);
    assert_eq!(scene.knock(&guest).await.1, denied);
    let back = scene.back(&guest).await;
    assert_eq!((back.status, &back.json()["error"]["code"]), (410, &json!("participant_gone")));
    scene.running.server.stop().await;
}

#[tokio::test]
async fn before_the_owner_is_there_all_wait_and_then_come_in_by_themselves() {
    let mut scene = scene(options("off", "owner")).await;
    let guest = scene.guest("Ben").await;
    let (mut socket, first) = scene.knock(&guest).await;
    assert_eq!(first, json!({ "type": "waiting", "position": 1, "reason": "not_started" }));
    let info = get(scene.running.server.http(), &room_path(&scene), &[]).await.json();
    assert_eq!(info["meeting"], json!({ "participants": 0 }), "who waits does not count");
    scene.owner_joins().await;
    assert_eq!(socket.until("welcome").await["you"], guest["participant"]);
    let later = scene.guest("Cleo").await;
    assert_eq!((&later["waiting"], &later["role"]), (&json!(false), &json!("viewer")));
    scene.running.server.stop().await;
}

fn room_path(scene: &Scene) -> String {
    format!("/api/v1/rooms/{}", scene.code())
}

#[tokio::test]
async fn a_room_tells_its_options_and_who_asks() {
    let mut scene = scene(options("ask", "owner")).await;
    let path = room_path(&scene);
    let owner = scene.owner.get(&path).await.json();
    assert_eq!((&owner["title"], &owner["options"]), (&json!("Seminar"), &options("ask", "owner")));
    assert_eq!(owner["you"], json!({ "name": "Ada", "owner": true }));
    let open_room = format!("/api/v1/rooms/{}", scene.running.code);
    assert_eq!(scene.owner.get(&open_room).await.json()["you"]["owner"], false);
    let guest = get(scene.running.server.http(), &path, &[]).await.json();
    assert_eq!(guest["you"], Value::Null);
    scene.running.server.stop().await;
}

#[tokio::test]
async fn options_changed_by_the_owner_hold_in_the_running_meeting() {
    let mut scene = scene(options("off", "anyone")).await;
    let (_, mut owner_socket) = scene.owner_joins().await;
    let path = format!("/api/v1/me/rooms/{}", scene.room["id"].as_str().unwrap());
    let change = json!({ "options": options("ask", "anyone") });
    assert_eq!(scene.owner.send("PATCH", &path, change).await.status, 200);
    let changed = owner_socket.until("options_changed").await;
    assert_eq!(changed["event"]["options"], options("ask", "anyone"));
    assert_eq!(scene.guest("Ben").await["waiting"], true);
    assert_eq!(scene.owner.send("DELETE", &path, json!({})).await.status, 204);
    assert_eq!(owner_socket.until("goodbye").await["reason"], "ended");
    scene.running.server.stop().await;
}

#[tokio::test]
async fn a_new_link_shuts_newcomers_out_and_nobody_who_is_inside() {
    let mut scene = scene(options("off", "anyone")).await;
    let (_, mut owner_socket) = scene.owner_joins().await;
    let guest = scene.guest("Ben").await;
    let (before, address) = (scene.code(), scene.running.server.http());
    let before_path = scene.join_path();
    scene.new_code().await;
    let newcomer = post(address, &before_path, &json!({ "name": "Cleo" })).await;
    let unknown = json!("room_unknown");
    assert_eq!((newcomer.status, &newcomer.json()["error"]["code"]), (404, &unknown));
    assert_eq!(get(address, &format!("/api/v1/rooms/{before}"), &[]).await.status, 404);
    let mut socket = scene.running.meeting_socket().await;
    socket.send(&scene.hello(&guest, &before)).await;
    assert_eq!(socket.next().await["type"], "welcome");
    let back = json!({ "participant": guest["participant"], "secret": guest["secret"] });
    let back = post(address, &before_path, &back).await;
    assert_eq!(back.status, 200, "{}", back.body);
    for token in [&guest["media_token"], &back.json()["media_token"]] {
        let token = token.as_str().unwrap();
        let path = format!("/rtc/v1?access_token={token}&join_request={}", join_request());
        support::open(address, &path, &[]).await.unwrap();
    }
    assert_eq!(scene.signalling(&token("bot", &before)).await, 410, "a newcomer with a token");
    let newcomer = scene.guest("Cleo").await;
    owner_socket.until("participant_joined").await;
    let joined = owner_socket.until("participant_joined").await;
    assert_eq!(joined["event"]["participant"]["id"], newcomer["participant"], "one meeting");
    scene.running.server.stop().await;
}

#[tokio::test]
async fn a_full_lobby_refuses_with_its_limit_and_lets_the_owner_in() {
    let mut scene = scene(options("ask", "anyone")).await;
    for number in 0..100 {
        scene.guest(&format!("Guest {number}")).await;
    }
    let full = scene.ask(json!({ "name": "one more" })).await;
    let error = &full.json()["error"];
    assert_eq!(
        (full.status, &error["code"], &error["limit"]),
        (409, &json!("lobby_full"), &json!(100))
    );
    scene.owner_joins().await;
    scene.running.server.stop().await;
}

#[tokio::test]
async fn the_cookie_of_somebody_else_or_from_a_strangers_page_makes_no_owner() {
    let scene = scene(options("ask", "anyone")).await;
    let mut other = scene.owner.clone();
    other.cookie = Some("sid=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned());
    let joined = other.send("POST", &scene.join_path(), json!({ "name": "Eve" })).await.json();
    assert_eq!(joined["waiting"], true);
    let cookie = scene.owner.cookie.clone().unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("cookie", &*cookie),
        ("origin", "https://evil.example"),
    ];
    let address = scene.running.server.http();
    let path = scene.join_path();
    let forged = exchange(address, "POST", &path, &headers, "{\"name\":\"Eve\"}").await;
    assert_eq!(forged.status, 403);
    scene.running.server.stop().await;
}

#[tokio::test]
async fn somebody_who_was_put_out_does_not_come_back_with_their_access_token() {
    let mut scene = scene(options("ask", "owner")).await;
    let (_, mut owner_socket) = scene.owner_joins().await;
    let (address, token) = (scene.running.server.http(), token("bot-7", &scene.code()));
    let path = format!("/rtc/v1?access_token={token}&join_request={}", join_request());
    let signalling = support::open(address, &path, &[]).await.unwrap();
    let joined = owner_socket.until("participant_joined").await;
    let participant = &joined["event"]["participant"]["id"];
    owner_socket.command(1, json!({ "type": "remove", "participant": participant })).await;
    owner_socket.until("participant_left").await;
    drop(signalling);
    let (status, text) = refused(address, &path, &[]).await;
    assert_eq!((status, &*text), (410, "the participant was removed"));
    let other = support::token("bot-8", &scene.code());
    let path = format!("/rtc/v1?access_token={other}&join_request={}", join_request());
    support::open(address, &path, &[]).await.unwrap();
    scene.running.server.stop().await;
}
