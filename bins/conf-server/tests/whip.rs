//! The door of tools: one offer, one answer, and packets through the real server.

mod support;

use std::time::Duration;

use conf_media::signal::livekit::token::Grants;
use support::tool::{Tool, ask, until_heard};
use support::{Socket, exchange, join_request, open, sign, start, start_with, token};

const MICROPHONE: &[(&str, &str, u32)] = &[("audio", "sendonly", 7)];
const ONE_OF_EACH: &[(&str, &str, u32)] = &[("audio", "recvonly", 0), ("video", "recvonly", 0)];

#[tokio::test]
async fn what_one_tool_publishes_another_plays_in_slots_that_stay() {
    let running = start().await;
    let at = running.server.http();
    let mut player = Tool::new().await;
    let offer = player.offer(ONE_OF_EACH);
    player.enter(at, "/whep/demo", &token("ear", "demo"), &offer).await;
    assert!(player.session.starts_with("/whep/demo/"), "{}", player.session);
    let audio = player.sources()[0];
    let mut last = None;
    for name in ["first", "second"] {
        let mut publisher = Tool::new().await;
        let (offer, token) = (publisher.offer(MICROPHONE), token(name, "demo"));
        publisher.enter(at, "/whip/demo", &token, &offer).await;
        let heard = until_heard(&mut publisher, 7, &mut player, name.as_bytes()).await;
        assert_eq!(heard.ssrc, audio, "the slot keeps its number");
        let before = last.replace(heard.sequence);
        assert!(
            before.is_none_or(|before| heard.sequence.wrapping_sub(before) < 1_000),
            "and its numbering"
        );
        assert_eq!(publisher.leave(at, &token).await.status, 200);
        assert_eq!(publisher.leave(at, &token).await.status, 404);
    }
    let page = running.page().await;
    assert!(page.contains("conf_players 1\n") && page.contains("conf_participants 0\n"), "{page}");
    assert_eq!(
        player.leave(at, &token("other", "demo")).await.status,
        200,
        "any token of the room"
    );
    assert!(running.page().await.contains("conf_players 0\n"));
    running.server.stop().await;
}

#[tokio::test]
async fn a_tool_is_told_of_the_relay() {
    let running = start_with(|config| config.turn = Some(support::turn())).await;
    let tool = Tool::new().await;
    let offer = tool.offer(MICROPHONE);
    let answer = ask(running.server.http(), "/whip/demo", &token("bot", "demo"), &offer).await;
    let link = answer.header("link").unwrap();
    let parts: Vec<&str> = link.split("; ").collect();
    let [url, rel, username, credential, kind] = parts[..] else { panic!("{link}") };
    assert_eq!((url, rel), ("<turn:turn.example.org?transport=tcp>", "rel=\"ice-server\""));
    assert_eq!(kind, "credential-type=\"password\"");
    let value = |part: &str, name: &str| {
        let quoted = part.strip_prefix(name).and_then(|rest| rest.strip_prefix("=\""));
        quoted.and_then(|rest| rest.strip_suffix('"')).unwrap().to_owned()
    };
    let (username, credential) = (value(username, "username"), value(credential, "credential"));
    assert!(support::is_granted(&username, &credential), "{link}");
    running.server.stop().await;
}

/// Waits until somebody's microphone is this.
async fn microphone(socket: &mut Socket, state: &str) {
    let is = |changed: &serde_json::Value| {
        changed.pointer("/event/participant/microphone").is_some_and(|now| now == state)
    };
    while !is(&socket.until("participant_changed").await) {}
}

#[tokio::test]
async fn a_tool_is_a_participant_whom_moderators_see_mute_and_remove() {
    let running = start().await;
    let at = running.server.http();
    let ada = running.join("Ada").await;
    let (mut ada_socket, _) = running.enter(&ada).await;
    let mut publisher = Tool::new().await;
    let (offer, camera) = (publisher.offer(MICROPHONE), token("camera", &running.code));
    let path = format!("/whip/{}", running.code);
    publisher.enter(at, &path, &camera, &offer).await;
    let joined = ada_socket.until("participant_joined").await;
    assert_eq!(joined["event"]["participant"]["name"], "camera");
    microphone(&mut ada_socket, "on").await;
    let mut player = Tool::new().await;
    let one = format!("/whep/{}/camera", running.code);
    let listen = player.offer(ONE_OF_EACH);
    player.enter(at, &one, &token("ear", &running.code), &listen).await;
    until_heard(&mut publisher, 7, &mut player, b"sound").await;
    let id = joined["event"]["participant"]["id"].clone();
    ada_socket.command(1, serde_json::json!({ "type": "mute", "participant": id })).await;
    microphone(&mut ada_socket, "muted").await;
    while player.receive(Duration::from_millis(300)).await.is_some() {}
    publisher.send(7, 1_000, b"sound").await;
    assert_eq!(player.receive(Duration::from_millis(300)).await, None);
    ada_socket.command(2, serde_json::json!({ "type": "remove", "participant": id })).await;
    ada_socket.until("participant_left").await;
    assert_eq!(ask(at, &path, &camera, &offer).await.status, 410);
    assert_eq!(ask(at, &path.replace("whip", "whep"), &camera, &listen).await.status, 410);
    assert_eq!(publisher.leave(at, &camera).await.status, 404);
    running.server.stop().await;
}

#[tokio::test]
async fn clients_of_the_signalling_see_a_tool_with_its_tracks() {
    use futures_util::StreamExt as _;
    use livekit_protocol::signal_response::Message as Said;
    use prost::Message as _;
    use tokio_tungstenite::tungstenite::Message;

    let running = start().await;
    let at = running.server.http();
    let path =
        format!("/rtc/v1?access_token={}&join_request={}", token("bot", "demo"), join_request());
    let mut bot = open(at, &path, &[]).await.unwrap();
    let mut publisher = Tool::new().await;
    let offer = publisher.offer(MICROPHONE);
    publisher.enter(at, "/whip/demo", &token("camera", "demo"), &offer).await;
    loop {
        let Message::Binary(bytes) = bot.next().await.unwrap().unwrap() else { panic!("binary") };
        let response = livekit_protocol::SignalResponse::decode(bytes).unwrap();
        let Some(Said::Update(update)) = response.message else { continue };
        if let Some(camera) = update.participants.iter().find(|info| info.identity == "camera") {
            assert_eq!(camera.tracks.len(), 1);
            break;
        }
    }
    running.server.stop().await;
}

#[tokio::test]
async fn each_refusal_has_its_status_and_says_what_was_wrong() {
    let running = start().await;
    let at = running.server.http();
    let tool = Tool::new().await;
    let (publish, play) = (tool.offer(MICROPHONE), tool.offer(ONE_OF_EACH));
    let now = support::jiff_now();
    let hour_ago = now - jiff::SignedDuration::from_hours(1);
    let good = token("tool", "demo");
    let grants = |change: fn(&mut Grants)| {
        let mut grants = Grants::participant("demo");
        change(&mut grants);
        sign("tool", grants, now)
    };
    let mute = grants(|grants| grants.can_publish = Some(false));
    let deaf = grants(|grants| grants.can_subscribe = Some(false));
    let outside = grants(|grants| grants.room_join = false);
    let late = sign("tool", Grants::participant("demo"), hour_ago);
    let broken = publish.replace("a=fingerprint", "a=x");
    for (path, token, offer, status, word) in [
        ("/whip/demo", "nonsense", &publish, 401, "token"),
        ("/whip/demo", &late, &publish, 401, "expired"),
        ("/whip/other", &good, &publish, 403, "another room"),
        ("/whip/demo", &mute, &publish, 403, "does not allow"),
        ("/whep/demo", &deaf, &play, 403, "does not allow"),
        ("/whip/demo", &outside, &publish, 403, "roomJoin"),
        ("/whip/demo", &good, &play, 400, "sends"),
        ("/whep/demo", &good, &publish, 400, "receives"),
        ("/whip/demo", &good, &broken, 400, "fingerprint"),
        ("/whip/demo", &good, &"v=1".to_owned(), 400, "v=0"),
        ("/whip/demo", &good, &"a".repeat(1_100_000), 413, "1048576 bytes"),
        ("/whep/demo/nobody", &good, &play, 404, "unknown"),
    ] {
        let response = ask(at, path, token, offer).await;
        let said = (response.status, response.body.contains(word));
        assert_eq!(said, (status, true), "{path}: {}", response.body);
    }
    let bearer = format!("bearer {good}");
    let typed = |kind: &'static str, accept: &'static str| {
        [
            ("authorization", bearer.clone()),
            ("content-type", kind.into()),
            ("accept", accept.into()),
        ]
    };
    for (headers, status) in [
        (typed("application/json", "*/*"), 415),
        (typed("application/sdp", "text/html"), 406),
        (typed("application/sdp; charset=utf-8", "text/html, application/SDP;q=0.5"), 201),
    ] {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        let response = exchange(at, "POST", "/whip/demo", &headers, &publish).await;
        assert_eq!(response.status, status, "{}", response.body);
    }
    let nobody =
        exchange(at, "POST", "/whip/demo", &[("content-type", "application/sdp")], "").await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, Some("Bearer")));
    running.server.stop().await;
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_taken() {
    let running = start().await;
    let at = running.server.http();
    for (method, path, allowed) in [
        ("GET", "/whip/demo", "POST"),
        ("PUT", "/whep/demo", "POST"),
        ("PATCH", "/whip/demo/0123456789abcdef", "DELETE"),
        ("PATCH", "/whep/demo/0123456789abcdef", "DELETE"),
    ] {
        let response = exchange(at, method, path, &[], "").await;
        let allow = response.header("allow").unwrap_or_default().to_owned();
        assert_eq!((response.status, allow.contains(allowed)), (405, true), "{path}: {allow}");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_and_read_the_answer() {
    let running = start().await;
    let at = running.server.http();
    let asks = [
        ("origin", "https://tools.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ];
    for path in ["/whip/demo", "/whip/demo/1", "/whep/demo", "/whep/demo/1"] {
        let answer = exchange(at, "OPTIONS", path, &asks, "").await;
        assert_eq!(answer.status, 204);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let allowed = answer.header("access-control-allow-headers").unwrap();
        assert!(allowed.contains("authorization") && allowed.contains("content-type"));
        assert!(answer.header("access-control-allow-methods").unwrap().contains("DELETE"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    let tool = Tool::new().await;
    let answer = ask(at, "/whip/demo", "nonsense", &tool.offer(MICROPHONE)).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("location"));
    running.server.stop().await;
}

#[tokio::test]
async fn a_full_meeting_refuses_and_players_have_a_cap_of_their_own() {
    let running = start_with(|config| {
        config.participants = 1;
        config.players = 1;
        config.meetings = 1;
    })
    .await;
    let at = running.server.http();
    let tool = Tool::new().await;
    let (publish, play) = (tool.offer(MICROPHONE), tool.offer(ONE_OF_EACH));
    for (path, name, offer, status) in [
        ("/whip/demo", "a", &publish, 201),
        ("/whip/demo", "b", &publish, 409),
        ("/whip/demo", "a", &publish, 201),
        ("/whep/demo", "b", &play, 201),
        ("/whep/demo", "c", &play, 409),
    ] {
        let response = ask(at, path, &token(name, "demo"), offer).await;
        assert_eq!(response.status, status, "{path} {name}: {}", response.body);
    }
    let other = ask(at, "/whip/other", &token("a", "other"), &publish).await;
    assert_eq!(other.status, 503);
    running.server.stop().await;
}
