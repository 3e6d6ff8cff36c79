//! The door of signalling: who is let in, who is not, and what the answer says.

mod support;

use conf_media::signal::livekit::MAX_MESSAGE_BYTES;
use conf_media::signal::livekit::token::Grants;
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use support::{get, join_request, open, refused, sign, start, start_with, token};
use tokio_tungstenite::tungstenite::Message;

fn path(token: &str) -> String {
    format!("/rtc/v1?access_token={token}&join_request={}", join_request())
}

#[tokio::test]
async fn a_token_that_is_missing_wrong_or_expired_is_refused_in_words() {
    let running = start().await;
    let address = running.server.http();
    let (status, text) = refused(address, "/rtc/v1", &[]).await;
    assert_eq!((status, text.contains("no access token")), (401, true), "{text}");
    let good = token("bot", "demo");
    let forged = format!("{}A{}", &good[..good.len() - 9], &good[good.len() - 8..]);
    let (status, text) = refused(address, &path(&forged), &[]).await;
    assert_eq!((status, text.contains("signature")), (401, true), "{text}");
    let hour_ago = support::jiff_now() - jiff::SignedDuration::from_hours(1);
    let expired = sign("bot", Grants::participant("demo"), hour_ago);
    let (status, text) = refused(address, &path(&expired), &[]).await;
    assert_eq!((status, text.contains("expired")), (401, true), "{text}");
    let bearer = format!("Bearer {expired}");
    let (status, _) = refused(address, "/rtc/v1", &[("authorization", &bearer)]).await;
    assert_eq!(status, 401);
    running.server.stop().await;
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_a_bad_request_and_changes_nothing() {
    let running = start().await;
    let address = running.server.http();
    let token = token("bot", &running.code);
    for (query, word) in [
        (format!("access_token={token}"), "missing"),
        (format!("access_token={token}&join_request=%%%"), ""),
        (format!("access_token={token}&join_request=AAAA"), ""),
        (format!("access_token={token}&join_request=!"), "base64url"),
    ] {
        let (status, text) = refused(address, &format!("/rtc/v1?{query}"), &[]).await;
        assert_eq!((status, text.contains(word)), (400, true), "{query}: {text}");
    }
    let room = get(address, &format!("/api/v1/rooms/{}", running.code), &[]).await.json();
    assert_eq!(room["meeting"], serde_json::Value::Null);
    running.server.stop().await;
}

#[tokio::test]
async fn a_token_without_the_right_to_join_or_with_a_reserved_identity_is_forbidden() {
    let running = start().await;
    let address = running.server.http();
    let now = support::jiff_now();
    let lookers = sign("bot", Grants { room_join: false, ..Grants::participant("demo") }, now);
    assert_eq!(refused(address, &path(&lookers), &[]).await.0, 403);
    let ada = running.join("Ada").await;
    let thief = token(ada["participant"].as_str().unwrap(), &running.code);
    let (status, text) = refused(address, &path(&thief), &[]).await;
    assert_eq!((status, text.contains("belong to this server")), (403, true), "{text}");
    running.server.stop().await;
}

#[tokio::test]
async fn an_api_token_opens_a_meeting_from_a_page_of_any_origin() {
    let running = start().await;
    let foreign = [("origin", "https://integrator.example")];
    let path = path(&token("bot", "demo"));
    let mut socket = open(running.server.http(), &path, &foreign).await.unwrap();
    let Message::Binary(first) = socket.next().await.unwrap().unwrap() else { panic!("binary") };
    let response = livekit_protocol::SignalResponse::decode(first).unwrap();
    let Some(livekit_protocol::signal_response::Message::Join(join)) = response.message else {
        panic!("the first message is join");
    };
    assert_eq!(join.participant.unwrap().identity, "bot");
    assert_eq!(join.room.unwrap().name, "demo");
    let page = running.page().await;
    assert!(page.contains("conf_meetings 1\n") && page.contains("conf_participants 1\n"), "{page}");
    socket.close(None).await.unwrap();
    running.server.stop().await;
}

#[tokio::test]
async fn whoever_joins_is_told_of_the_relay_with_credentials_of_its_own() {
    let running = start_with(|config| config.turn = Some(support::turn())).await;
    let mut names = Vec::new();
    for name in ["one", "two"] {
        let path = path(&token(name, "demo"));
        let mut socket = open(running.server.http(), &path, &[]).await.unwrap();
        let Message::Binary(first) = socket.next().await.unwrap().unwrap() else {
            panic!("binary")
        };
        let response = livekit_protocol::SignalResponse::decode(first).unwrap();
        let Some(livekit_protocol::signal_response::Message::Join(join)) = response.message else {
            panic!("the first message is join");
        };
        let [relay] = &join.ice_servers[..] else { panic!("one relay") };
        assert_eq!(relay.urls, ["turn:turn.example.org?transport=tcp"]);
        assert!(support::is_granted(&relay.username, &relay.credential), "{relay:?}");
        names.push(relay.username.clone());
        socket.close(None).await.unwrap();
    }
    assert_ne!(names[0], names[1]);
    running.server.stop().await;
}

#[tokio::test]
async fn holders_of_api_tokens_and_web_clients_meet_in_the_open_room() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let bot = path(&token("bot", &running.code));
    let _bot = open(running.server.http(), &bot, &[]).await.unwrap();
    let joined = ada_socket.until("participant_joined").await;
    assert_eq!(joined["event"]["participant"]["name"], "bot");
    let own = path(ada["media_token"].as_str().unwrap());
    let (status, _) =
        refused(running.server.http(), &own, &[("origin", "https://evil.example")]).await;
    assert_eq!(status, 403);
    let mut own = open(running.server.http(), &own, &[]).await.unwrap();
    let Message::Binary(first) = own.next().await.unwrap().unwrap() else { panic!("binary") };
    let response = livekit_protocol::SignalResponse::decode(first).unwrap();
    let Some(livekit_protocol::signal_response::Message::Join(join)) = response.message else {
        panic!("the first message is join");
    };
    let me = join.participant.unwrap();
    assert_eq!((&*me.identity, &*me.name), (ada["participant"].as_str().unwrap(), "Ada"));
    assert_eq!(join.other_participants.len(), 1);
    running.server.stop().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_read_does_not_harm_the_meeting() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let own = path(ada["media_token"].as_str().unwrap());
    let mut signal = open(running.server.http(), &own, &[]).await.unwrap();
    signal.send(Message::binary(vec![0xff; 1_000])).await.unwrap();
    let _refused_while_sending = signal.send(Message::binary(vec![0; MAX_MESSAGE_BYTES + 1])).await;
    while let Some(Ok(_)) = signal.next().await {}
    ada_socket.send(&serde_json::json!({ "type": "ping" })).await;
    ada_socket.until("pong").await;
    running.server.stop().await;
}

#[tokio::test]
async fn validate_says_what_is_wrong_to_pages_of_any_origin_and_lets_nobody_in() {
    let running = start().await;
    let address = running.server.http();
    let token = token("bot", &running.code);
    for path in ["/rtc/v1/validate", "/rtc/validate"] {
        let good = get(address, &format!("{path}?access_token={token}"), &[]).await;
        assert_eq!((good.status, &*good.body), (200, "success"));
        assert_eq!(good.header("access-control-allow-origin"), Some("*"));
        let bad = get(address, &format!("{path}?access_token=nonsense"), &[]).await;
        assert_eq!((bad.status, bad.body.is_empty()), (401, false));
        assert_eq!(bad.header("access-control-allow-origin"), Some("*"));
    }
    let room = get(address, &format!("/api/v1/rooms/{}", running.code), &[]).await.json();
    assert_eq!(room["meeting"], serde_json::Value::Null);
    assert_eq!(get(address, "/rtc", &[]).await.status, 404);
    assert_eq!(get(address, "/rtc/v1", &[]).await.status, 404);
    running.server.stop().await;
}

#[tokio::test]
async fn a_full_meeting_and_too_many_meetings_refuse_api_tokens_too() {
    let running = start_with(|config| {
        config.participants = 1;
        config.meetings = 1;
    })
    .await;
    let address = running.server.http();
    let _first = open(address, &path(&token("a", "demo")), &[]).await.unwrap();
    assert_eq!(refused(address, &path(&token("b", "demo")), &[]).await.0, 409);
    assert_eq!(refused(address, &path(&token("c", "other")), &[]).await.0, 503);
    let _again = open(address, &path(&token("a", "demo")), &[]).await.unwrap();
    running.server.stop().await;
}

#[tokio::test]
async fn an_address_that_signals_too_often_waits_and_others_do_not() {
    let proxy = [127, 0, 0, 1].into();
    let running = start_with(|config| config.trusted_proxies = vec![proxy]).await;
    let address = running.server.http();
    let path = path("nonsense");
    let mut answer =
        get(address, &path.replace("v1?", "v1/validate?"), &[("x-forwarded-for", "192.0.2.1")])
            .await;
    let mut asked = 1;
    while answer.status != 429 {
        assert_eq!((answer.status, asked < 3_000), (401, true), "{}", answer.body);
        answer =
            get(address, &path.replace("v1?", "v1/validate?"), &[("x-forwarded-for", "192.0.2.1")])
                .await;
        asked += 1;
    }
    assert!(asked > 1_000, "a large meeting behind one address comes back: {asked}");
    // One more is allowed each 20 ms, so a slow machine may meet a moment in which one is.
    let mut answers = Vec::new();
    while answers.len() < 100 && !answers.iter().any(|(status, _)| *status == 429) {
        answers.push(refused(address, &path, &[("x-forwarded-for", "192.0.2.1")]).await);
    }
    let (status, text) = answers.last().unwrap();
    assert_eq!((*status, text.contains("too many requests")), (429, true), "{text}");
    assert_eq!(refused(address, &path, &[("x-forwarded-for", "192.0.2.2")]).await.0, 401);
    running.server.stop().await;
}

#[tokio::test]
async fn messages_of_signalling_that_offend_close_with_a_reason_and_are_counted() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let own = path(ada["media_token"].as_str().unwrap());
    let mut signal = support::Socket(open(running.server.http(), &own, &[]).await.unwrap());
    signal.0.send(Message::binary(vec![0xff; 100])).await.unwrap();
    signal.0.send(Message::text("text")).await.unwrap();
    assert_eq!(signal.closed().await.0, 1003);
    let page = running.page().await;
    for word in ["signal_malformed", "message_of_wrong_kind"] {
        assert!(page.contains(&format!("{{reason=\"{word}\"}} 1\n")), "{word}: {page}");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn whoever_came_with_a_token_is_away_when_cut_and_gone_when_it_leaves() {
    let running = start().await;
    let ada = running.join("Ada").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let bot = path(&token("bot", &running.code));
    let mut socket = open(running.server.http(), &bot, &[]).await.unwrap();
    let presence = |message: &serde_json::Value| {
        message["event"]["participant"]["presence"].as_str().unwrap().to_owned()
    };
    ada_socket.until("participant_joined").await;
    assert_eq!(presence(&ada_socket.until("participant_changed").await), "connected");
    socket.close(None).await.unwrap();
    assert_eq!(presence(&ada_socket.until("participant_changed").await), "reconnecting");
    let mut socket = open(running.server.http(), &bot, &[]).await.unwrap();
    assert_eq!(presence(&ada_socket.until("participant_changed").await), "connected");
    let leave = livekit_protocol::signal_request::Message::Leave(Default::default());
    let leave = livekit_protocol::SignalRequest { message: Some(leave) };
    socket.send(Message::binary(leave.encode_to_vec())).await.unwrap();
    let left = ada_socket.until("participant_left").await;
    assert_eq!(left["event"]["reason"], "left");
    running.server.stop().await;
}
