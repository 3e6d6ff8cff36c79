//! Meetings over real HTTP and websockets: joining, talking, coming back, ending.

mod support;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use support::{exchange, get, open, post, refused, start, start_with};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn two_people_join_and_one_reads_what_the_other_writes() {
    let running = start().await;
    let ada = running.join("Ada").await;
    assert_eq!(ada["role"], "moderator");
    let (mut ada_socket, welcome) = running.enter(&ada).await;
    assert_eq!(welcome["you"], ada["participant"]);
    let bob = running.join("  Bob ").await;
    assert_eq!(bob["role"], "viewer");
    let (mut bob_socket, welcome) = running.enter(&bob).await;
    assert_eq!(welcome["snapshot"]["participants"].as_array().unwrap().len(), 2);
    let joined = ada_socket.until("participant_joined").await;
    assert_eq!(joined["event"]["participant"]["name"], "Bob");
    bob_socket.command(1, json!({ "type": "send_chat", "text": "Grüße" })).await;
    let chat = ada_socket.until("chat").await;
    assert_eq!(chat["event"]["message"]["text"], "Grüße");
    assert_eq!(chat["event"]["message"]["from"], bob["participant"]);
    bob_socket.until("done").await;
    bob_socket.command(2, json!({ "type": "end" })).await;
    let refusal = bob_socket.until("refused").await;
    assert_eq!(
        (&refusal["request"], &refusal["refusal"]["type"]),
        (&json!(2), &json!("not_allowed"))
    );
    bob_socket.send(&json!({ "type": "ping" })).await;
    bob_socket.until("pong").await;
    running.server.stop().await;
}

#[tokio::test]
async fn a_room_says_how_many_are_in_and_what_it_takes() {
    let running = start_with(|config| config.participants = 7).await;
    let address = running.server.http();
    let open_room = get(address, "/api/v1/rooms/open", &[]).await.json();
    assert_eq!(open_room["code"], running.code.as_str());
    let path = format!("/api/v1/rooms/{}", running.code);
    let limits = json!({ "participants": 7, "name_chars": 60 });
    let options = json!({ "mute_on_start": false, "lobby": "off", "start": "anyone" });
    let empty = json!({
        "code": running.code, "title": null, "options": options, "meeting": null, "limits": limits,
        "you": null,
    });
    assert_eq!(get(address, &path, &[]).await.json(), empty);
    running.join("Ada").await;
    assert_eq!(get(address, &path, &[]).await.json()["meeting"], json!({ "participants": 1 }));
    running.server.stop().await;
}

#[tokio::test]
async fn joining_is_refused_with_a_code_and_the_limit() {
    let running = start_with(|config| config.participants = 1).await;
    let address = running.server.http();
    let path = format!("/api/v1/rooms/{}/join", running.code);
    let error = |response: support::Response| (response.status, response.json()["error"].clone());
    let (status, unknown) =
        error(post(address, "/api/v1/rooms/AAAAAAAAAAAAAAAA/join", &json!({ "name": "a" })).await);
    assert_eq!((status, &unknown["code"]), (404, &json!("room_unknown")));
    assert_eq!(get(address, "/api/v1/rooms/nonsense", &[]).await.status, 404);
    for name in [" \u{200b} ".to_owned(), "x".repeat(61)] {
        let (status, refused) = error(post(address, &path, &json!({ "name": name })).await);
        assert_eq!(
            (status, &refused["code"], &refused["limit"]),
            (422, &json!("name_invalid"), &json!(60))
        );
    }
    let ada = running.join("Ada").await;
    let (status, full) = error(post(address, &path, &json!({ "name": "Bob" })).await);
    assert_eq!((status, &full["code"], &full["limit"]), (409, &json!("meeting_full"), &json!(1)));
    let wrong = json!({ "participant": ada["participant"], "secret": "x".repeat(32) });
    let (status, refused) = error(post(address, &path, &wrong).await);
    assert_eq!((status, &refused["code"]), (401, &json!("secret_wrong")));
    let gone = json!({ "participant": "p-0000000000000001", "secret": ada["secret"] });
    let (status, refused) = error(post(address, &path, &gone).await);
    assert_eq!((status, &refused["code"]), (410, &json!("participant_gone")));
    running.server.stop().await;
}

#[tokio::test]
async fn whoever_is_in_gets_a_new_media_token_with_the_secret() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let path = format!("/api/v1/rooms/{}/join", running.code);
    let back = json!({ "participant": ada["participant"], "secret": ada["secret"] });
    let response = post(running.server.http(), &path, &back).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["participant"], ada["participant"]);
    assert!(response.json()["media_token"].as_str().unwrap().split('.').count() == 3);
    running.server.stop().await;
}

#[tokio::test]
async fn bodies_that_are_too_long_or_no_json_are_refused() {
    let running = start().await;
    let address = running.server.http();
    let path = format!("/api/v1/rooms/{}/join", running.code);
    let json_type = [("content-type", "application/json; charset=utf-8")];
    let long = format!("{{\"name\":\"{}\"}}", "x".repeat(20_000));
    let response = exchange(address, "POST", &path, &json_type, &long).await;
    assert_eq!((response.status, &response.json()["error"]["limit"]), (413, &json!(16_384)));
    assert_eq!(exchange(address, "POST", &path, &json_type, "{").await.status, 400);
    assert_eq!(exchange(address, "POST", &path, &[], "{\"name\":\"a\"}").await.status, 415);
    let foreign = [("content-type", "application/json"), ("origin", "https://evil.example")];
    assert_eq!(exchange(address, "POST", &path, &foreign, "{\"name\":\"a\"}").await.status, 403);
    running.server.stop().await;
}

#[tokio::test]
async fn a_wrong_hello_is_answered_with_goodbye() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let hello = running.hello(&ada, Value::Null);
    let with = |key: &str, value: Value| {
        let mut hello = hello.clone();
        hello[key] = value;
        hello
    };
    for (hello, reason) in [
        (with("secret", json!("x".repeat(32))), "unknown"),
        (with("room", json!("AAAAAAAAAAAAAAAA")), "unknown"),
        (with("participant", json!("p-0000000000000001")), "unknown"),
        (with("version", json!(conf_core::wire::VERSION + 1)), "version"),
        (json!({ "type": "ping" }), "unknown"),
    ] {
        let mut socket = running.meeting_socket().await;
        socket.send(&hello).await;
        assert_eq!(socket.next().await, json!({ "type": "goodbye", "reason": reason }));
        assert_eq!(socket.frame().await, None);
    }
    running.server.stop().await;
}

#[tokio::test]
async fn a_page_of_another_origin_opens_no_websocket() {
    let running = start().await;
    let address = running.server.http();
    let foreign = [("origin", "https://evil.example")];
    let (status, text) = refused(address, "/api/meeting/ws", &foreign).await;
    assert_eq!(status, 403, "{text}");
    let own = format!("http://{address}");
    open(address, "/api/meeting/ws", &[("origin", &own)]).await.unwrap();
    running.server.stop().await;
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_with_the_limit_and_the_participant_can_come_back() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let (mut socket, welcome) = running.enter(&ada).await;
    socket.command(1, json!({ "type": "send_chat", "text": "x".repeat(17_000) })).await;
    assert_eq!(socket.closed().await, (1009, "a message has at most 16384 bytes".to_owned()));
    let mut again = running.meeting_socket().await;
    again.send(&running.hello(&ada, welcome["sequence"].clone())).await;
    assert_eq!(again.next().await["type"], "resumed");
    assert!(running.page().await.contains("{reason=\"message_too_large\"} 1\n"));
    running.server.stop().await;
}

#[tokio::test]
async fn a_frame_that_is_none_of_ours_closes_with_the_reason() {
    let running = start().await;
    let ada = running.join("Ada").await;
    for (frame, code, word) in [
        (Message::text("{\"type\":\"dance\"}"), 1007, "message_unreadable"),
        (Message::text("no json"), 1007, "message_unreadable"),
        (Message::binary(vec![1, 2, 3]), 1003, "message_of_wrong_kind"),
    ] {
        let (mut socket, _) = running.enter(&ada).await;
        socket.0.send(frame).await.unwrap();
        assert_eq!(socket.closed().await.0, code);
        assert!(running.page().await.contains(word));
    }
    running.server.stop().await;
}

#[tokio::test]
async fn each_refusal_is_counted_under_its_own_word() {
    let running = start().await;
    let (ada, bob) = (running.join("Ada").await, running.join("Bob").await);
    let (mut ada_socket, _) = running.enter(&ada).await;
    let (mut socket, _) = running.enter(&bob).await;
    let nobody = "p-0000000000000001";
    for (command, word) in [
        (json!({ "type": "end" }), "not_allowed"),
        (json!({ "type": "send_chat", "text": " " }), "chat_empty"),
        (json!({ "type": "send_chat", "text": "x".repeat(2_001) }), "chat_too_long"),
    ] {
        socket.command(1, command).await;
        assert_eq!(socket.until("refused").await["refusal"]["type"], word);
    }
    ada_socket.command(1, json!({ "type": "mute", "participant": nobody })).await;
    ada_socket.until("refused").await;
    let path = format!("/api/v1/rooms/{}/join", running.code);
    post(running.server.http(), &path, &json!({ "name": "" })).await;
    let wrong = json!({ "participant": ada["participant"], "secret": "x".repeat(32) });
    post(running.server.http(), &path, &wrong).await;
    refused(running.server.http(), "/rtc/v1?access_token=nonsense", &[]).await;
    refused(running.server.http(), "/api/meeting/ws", &[("origin", "https://evil.example")]).await;
    let mut stranger = running.meeting_socket().await;
    stranger.send(&json!({ "type": "ping" })).await;
    stranger.until("goodbye").await;
    let page = running.page().await;
    for word in [
        "not_allowed",
        "chat_empty",
        "chat_too_long",
        "participant_unknown",
        "name_invalid",
        "secret_wrong",
        "token_invalid",
        "origin_foreign",
        "hello_unknown",
    ] {
        let line = format!("conf_refusals_total{{reason=\"{word}\"}} 1\n");
        assert!(page.contains(&line), "{word} is missing in\n{page}");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn after_a_cut_the_missed_events_come_in_order() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let bob = running.join("Bob").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let (bob_socket, welcome) = running.enter(&bob).await;
    let last = welcome["sequence"].as_u64().unwrap();
    drop(bob_socket);
    for number in 0..3 {
        let text = number.to_string();
        ada_socket.command(number, json!({ "type": "send_chat", "text": text })).await;
        ada_socket.until("done").await;
    }
    let mut bob_socket = running.meeting_socket().await;
    bob_socket.send(&running.hello(&bob, json!(last))).await;
    assert_eq!(bob_socket.next().await, json!({ "type": "resumed", "sequence": last }));
    let mut texts = Vec::new();
    let mut sequence = last;
    while texts.len() < 3 {
        let message = bob_socket.until("event").await;
        sequence += 1;
        assert_eq!(message["sequence"], sequence);
        if message["event"]["type"] == "chat" {
            texts.push(message["event"]["message"]["text"].clone());
        }
    }
    assert_eq!(texts, ["0", "1", "2"]);
    running.server.stop().await;
}

#[tokio::test]
async fn a_second_connection_replaces_the_first() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let (mut first, _) = running.enter(&ada).await;
    let (_second, _) = running.enter(&ada).await;
    assert_eq!(first.until("goodbye").await["reason"], "replaced");
    assert_eq!(first.frame().await, None);
    running.server.stop().await;
}

#[tokio::test]
async fn the_moderator_ends_the_meeting_for_all_and_the_room_is_empty_again() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let bob = running.join("Bob").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let (mut bob_socket, _) = running.enter(&bob).await;
    ada_socket.command(9, json!({ "type": "end" })).await;
    for socket in [&mut ada_socket, &mut bob_socket] {
        let ended = socket.until("meeting_ended").await;
        assert_eq!(ended["event"]["reason"], "moderator");
        assert_eq!(socket.until("goodbye").await["reason"], "ended");
        assert_eq!(socket.frame().await, None);
    }
    let path = format!("/api/v1/rooms/{}", running.code);
    assert_eq!(get(running.server.http(), &path, &[]).await.json()["meeting"], Value::Null);
    let cara = running.join("Cara").await;
    assert_eq!(cara["role"], "moderator");
    let (_, welcome) = running.enter(&cara).await;
    assert_eq!(welcome["snapshot"]["participants"].as_array().unwrap().len(), 1);
    running.server.stop().await;
}

#[tokio::test]
async fn whoever_is_put_out_stays_out() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let bob = running.join("Bob").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let (mut bob_socket, _) = running.enter(&bob).await;
    ada_socket.command(1, json!({ "type": "remove", "participant": bob["participant"] })).await;
    assert_eq!(bob_socket.until("goodbye").await["reason"], "removed");
    let path = format!("/api/v1/rooms/{}/join", running.code);
    let back = json!({ "participant": bob["participant"], "secret": bob["secret"] });
    assert_eq!(post(running.server.http(), &path, &back).await.status, 410);
    let token = bob["media_token"].as_str().unwrap();
    let path = format!("/rtc/v1?access_token={token}&join_request={}", support::join_request());
    let (status, text) = refused(running.server.http(), &path, &[]).await;
    assert_eq!(status, 410, "{text}");
    running.server.stop().await;
}

#[tokio::test]
async fn stopping_the_server_ends_meetings_with_a_reason_and_closes_the_sockets() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let (mut socket, _) = running.enter(&ada).await;
    let mut silent = running.meeting_socket().await;
    running.server.stop().await;
    assert_eq!(socket.until("meeting_ended").await["event"]["reason"], "operator");
    assert_eq!(socket.until("goodbye").await["reason"], "ended");
    assert_eq!(socket.frame().await, None);
    assert_eq!(silent.next().await, json!({ "type": "goodbye", "reason": "ended" }));
    assert_eq!(silent.frame().await, None);
}
