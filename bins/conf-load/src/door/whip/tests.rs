//! Against a small HTTP server on loopback that answers what a test tells it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use super::*;
use crate::door::sample::{description, wish};
use crate::plan::DoorKind;

/// Answers one connection's requests in turn; gives what was asked.
fn server(answers: Vec<String>) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        answers.iter().map(|answer| exchange(&mut stream, answer)).collect()
    });
    (url, thread)
}

fn exchange(stream: &mut std::net::TcpStream, answer: &str) -> String {
    let (mut asked, mut buffer) = (String::new(), [0; 4_096]);
    while !is_whole(&asked) {
        let len = stream.read(&mut buffer).unwrap();
        assert!(len > 0, "the client hung up");
        asked.push_str(std::str::from_utf8(&buffer[..len]).unwrap());
    }
    stream.write_all(answer.as_bytes()).unwrap();
    asked
}

fn is_whole(request: &str) -> bool {
    let Some((head, body)) = request.split_once("\r\n\r\n") else { return false };
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.map_or(0, |length| length.parse().unwrap()) <= body.len()
}

fn door(url: &str) -> Whip {
    let credentials = Some(Credentials { key: "key".into(), secret: "secret".into() });
    let plan = DoorPlan { kind: DoorKind::Whip, url: url.into(), credentials, room: "r".into() };
    Whip::new(&plan).unwrap()
}

fn created() -> String {
    let body = description();
    let length = body.len();
    format!("HTTP/1.1 201 Created\r\nlocation: /whep/r/x\r\ncontent-length: {length}\r\n\r\n{body}")
}

#[tokio::test]
async fn entering_and_leaving_share_one_connection_and_carry_a_token() {
    let gone = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_owned();
    let (url, server) = server(vec![created(), gone]);
    let door = door(&url);
    let entered = door.subscribe(&wish()).await.unwrap();
    assert_eq!(entered.remote.sections.len(), 1);
    door.leave(&entered.session).await.unwrap();
    let asked = server.join().unwrap();
    assert!(asked[0].starts_with("POST /whep/r HTTP/1.1\r\n"), "{}", asked[0]);
    assert!(asked[0].contains("authorization: Bearer ey"), "{}", asked[0]);
    assert!(asked[0].contains("content-type: application/sdp"), "{}", asked[0]);
    assert!(asked[1].starts_with("DELETE /whep/r/x HTTP/1.1\r\n"), "{}", asked[1]);
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_with_a_hint() {
    let refusal = "HTTP/1.1 401 Unauthorized\r\ncontent-length: 10\r\n\r\nbad token\n".to_owned();
    let (url, server) = server(vec![refusal]);
    let error = door(&url).subscribe(&wish()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the server refused subscribing (WHEP): 401 bad token (are --key and --secret those of the server?)"
    );
    server.join().unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = door(&format!("http://{free}")).subscribe(&wish()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("no connection to http://{free}"));
}

#[test]
fn an_address_that_is_none_is_refused() {
    for url in ["127.0.0.1:80", "https://x:1", "http://x", "http://:80"] {
        assert!(matches!(Http::new(url), Err(DoorError::Url { .. })), "{url}");
    }
}
