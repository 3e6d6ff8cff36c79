//! What every answer carries, what is served beside meetings, and that metrics have their own port.

mod support;

use serde_json::json;
use support::{exchange, get, start, start_with};

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_no_cookie() {
    let running = start().await;
    let address = running.server.http();
    let room = format!("/r/{}", running.code);
    for path in ["/", &room, "/privacy", "/health", "/api/v1/rooms/open", "/nothing/here"] {
        let response = get(address, path, &[]).await;
        let policy = response.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'self';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        let sockets = format!("connect-src 'self' ws://{address} wss://{address}");
        assert!(policy.ends_with(&sockets), "{path}: {policy}");
        assert_eq!(response.header("referrer-policy"), Some("no-referrer"), "{path}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(response.header("permissions-policy").unwrap().contains("camera=(self)"));
        assert_eq!(response.header("cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(response.header("set-cookie"), None, "{path}");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn a_strange_host_does_not_get_into_the_content_policy() {
    let running = start().await;
    let address = running.server.http();
    let head = "GET / HTTP/1.1\r\nhost: a.example;script-src *\r\nconnection: close\r\n\r\n";
    let policy = support::raw(address, head).await;
    assert!(!policy.contains("script-src"), "{policy}");
    running.server.stop().await;
}

#[tokio::test]
async fn head_of_the_start_page_is_ok_for_pages_of_any_origin() {
    let running = start().await;
    let response = exchange(running.server.http(), "HEAD", "/", &[], "").await;
    assert_eq!((response.status, &*response.body), (200, ""));
    assert_eq!(response.header("access-control-allow-origin"), Some("*"));
    running.server.stop().await;
}

#[tokio::test]
async fn unknown_addresses_and_methods_are_refused_as_json() {
    let running = start().await;
    let address = running.server.http();
    let unknown = get(address, "/api/v1/nothing", &[]).await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("not_found")));
    let wrong = exchange(address, "DELETE", "/api/v1/rooms/open", &[], "").await;
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (405, &json!("method_not_allowed")));
    assert_eq!(get(address, "/metrics", &[]).await.status, 404);
    assert_eq!(get(address, "/../secrets.toml", &[]).await.status, 404);
    running.server.stop().await;
}

#[tokio::test]
async fn the_privacy_page_says_in_both_languages_that_no_operator_is_named() {
    let running = start().await;
    let address = running.server.http();
    let german = get(address, "/privacy", &[("accept-language", "de-AT, en;q=0.5")]).await;
    assert!(german.body.contains("kein Betreiber benannt"), "{}", german.body);
    let english = get(address, "/privacy?lang=en", &[("accept-language", "de")]).await;
    assert!(english.body.contains("No operator is named"), "{}", english.body);
    assert!(english.body.contains("30 seconds after"), "{}", english.body);
    assert!(!english.body.contains(['{', '}']), "{}", english.body);
    assert_eq!(get(address, "/privacy.css", &[]).await.status, 200);
    running.server.stop().await;
}

#[tokio::test]
async fn health_readiness_and_metrics_answer() {
    let running = start().await;
    let address = running.server.http();
    assert_eq!(get(address, "/health", &[]).await.body, "ok\n");
    assert_eq!(get(address, "/ready", &[]).await.body, "ready\n");
    running.join("Ada").await;
    assert_eq!(get(address, "/api/v1/rooms/AAAAAAAAAAAAAAAA", &[]).await.status, 404);
    let unknown = "/api/v1/rooms/AAAAAAAAAAAAAAAA/join";
    support::post(address, unknown, &json!({ "name": "Bob" })).await;
    let page = running.page().await;
    for line in [
        "conf_meetings 1",
        "conf_participants 1",
        "conf_joins_total 1",
        "conf_refusals_total{reason=\"room_unknown\"} 1",
        "conf_media_peers 0",
        "conf_media_drops_total{reason=\"unknown_user\"} 0",
    ] {
        assert!(page.lines().any(|it| it == line), "{line} is missing in\n{page}");
    }
    running.server.stop().await;
}

#[tokio::test]
async fn an_address_that_joins_too_often_is_told_when_to_come_back() {
    let running = start_with(|config| config.participants = 500).await;
    let path = format!("/api/v1/rooms/{}/join", running.code);
    for _ in 0..130 {
        let response = support::post(running.server.http(), &path, &json!({ "name": "Ada" })).await;
        if response.status == 429 {
            assert_eq!(response.json()["error"]["code"], "too_many_requests");
            assert_eq!(response.header("retry-after"), Some("1"));
            return running.server.stop().await;
        }
        assert_eq!(response.status, 201);
    }
    panic!("130 joins within a moment were all taken");
}
