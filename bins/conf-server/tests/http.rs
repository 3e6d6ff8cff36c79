//! What every answer carries, what is served beside meetings, and that metrics have their own port.

mod support;

use serde_json::json;
use support::{exchange, get, start, start_with};

#[tokio::test]
async fn every_answer_carries_the_security_headers_and_no_cookie() {
    let running = start().await;
    let address = running.server.http();
    let room = format!("/r/{}", running.code);
    let paths = [
        "/",
        &room,
        "/privacy",
        "/privacy.css",
        "/privacy?lang=de&lang=en",
        "/favicon.svg",
        "/health",
        "/ready",
        "/api/v1/rooms/open",
        "/api/v1/rooms/%ff",
        "/api/meeting/ws",
        "/rtc/v1",
        "/rtc/v1/validate",
        "/nothing/here",
        "/%2e%2e/%2e%2e/secrets.toml",
    ];
    for path in paths {
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
        "conf_http_requests_total{status=\"2xx\"} 3",
        "conf_http_requests_total{status=\"4xx\"} 2",
        "conf_refusals_total{reason=\"room_unknown\"} 2",
        "conf_media_peers 0",
        "conf_media_round_trip_seconds_bucket{direction=\"out\",le=\"+Inf\"} 0",
        "conf_media_fraction_lost_count{direction=\"in\"} 0",
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

#[tokio::test]
async fn a_name_that_a_stranger_can_point_here_is_not_answered() {
    let running = start_with(|config| {
        config.public_url = conf_server::config::PublicUrl::parse("https://meet.example.org");
    })
    .await;
    let address = running.server.http();
    let ask = async |host: &str| {
        let head =
            format!("GET /api/v1/rooms/open HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        support::raw(address, &head).await
    };
    for host in ["evil.example:8080", "evil.example", "127.0.0.1\r\nhost: evil.example"] {
        let answer = ask(host).await;
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        assert!(answer.contains("host_foreign") && !answer.contains(&running.code), "{answer}");
        assert!(answer.contains("content-security-policy"), "{answer}");
    }
    for host in ["localhost", "meet.example.org", "[::1]:8080"] {
        assert!(ask(host).await.starts_with("HTTP/1.1 200 "), "{host}");
    }
    assert!(running.page().await.contains("conf_refusals_total{reason=\"host_foreign\"} 3\n"));
    running.server.stop().await;
}

#[tokio::test]
async fn heads_that_are_too_long_or_no_http_are_refused() {
    let running = start().await;
    let address = running.server.http();
    let long = format!("GET / HTTP/1.1\r\nhost: {address}\r\nx: {}\r\n\r\n", "x".repeat(200_000));
    let answer = support::raw_until_closed(address, &long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let answer = support::raw(address, "nonsense\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let smuggled = format!(
        "POST /api/v1/rooms/x/join HTTP/1.1\r\nhost: {address}\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nGET "
    );
    assert!(support::raw(address, &smuggled).await.starts_with("HTTP/1.1 400 "));
    assert_eq!(get(address, "/health", &[]).await.status, 200);
    running.server.stop().await;
}

#[tokio::test]
async fn the_metrics_port_serves_nothing_else() {
    let running = start().await;
    let metrics = running.server.metrics().unwrap();
    let page = get(metrics, "/metrics", &[]).await;
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(get(metrics, "/", &[]).await.status, 404);
    assert_eq!(get(metrics, "/api/v1/rooms/open", &[]).await.status, 404);
    running.server.stop().await;
}
