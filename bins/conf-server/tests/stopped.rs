//! A client that stands still: its process is stopped in mid-meeting, so that its sockets stay open
//! and nobody reads them. What waits for it is bounded, and the others notice nothing.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use support::program::{Started, start};
use support::{Folder, Socket, join_request, open, post};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// How long the client stands still.
const STOPPED: u64 = 10;
const SPEAKERS: usize = 12;
/// What the server may grow by meanwhile; the history of the chat, one mebibyte, is in it.
const GROWTH: u64 = 8 << 20;
/// Names the server to the process that will be stopped.
const VARIABLE: &str = "CONF_STOPPED_CLIENT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_is_stopped_for_ten_seconds_grows_nothing_and_holds_up_nobody() {
    let folder = Folder::new();
    let started = start(&folder, &[]);
    let (address, code) = (started.address(), started.code());
    let (mut client, mut says) = client(address, &code);
    assert_eq!(next(&mut says), "in");
    let mut people = Vec::new();
    for number in 0..SPEAKERS {
        people.push(enter(address, &code, &format!("Speaker {number}"), None).await);
    }
    signal("STOP", &client);
    let meeting: Vec<_> = people.into_iter().map(|socket| tokio::spawn(talk(socket))).collect();
    sleep(Duration::from_secs(2)).await;
    let early = resident(&started);
    let heard = all(meeting).await;
    let grown = resident(&started).saturating_sub(early);
    eprintln!("the server grew by {} KiB in {} s", grown >> 10, STOPPED - 2);
    assert!(grown < GROWTH, "{grown} bytes");
    // Everybody heard everybody, to the last message.
    assert_eq!(heard, [SPEAKERS * usize::try_from(STOPPED).unwrap(); SPEAKERS]);

    signal("CONT", &client);
    let end = next(&mut says);
    assert!(["cut off", "caught up"].contains(&end.as_str()), "{end}");
    client.wait().unwrap();
    let (_, ended) = started.terminate();
    assert!(ended.success(), "{ended}");
}

/// Says something long every second, and counts what everybody says.
async fn talk(socket: Socket) -> usize {
    let (mut sink, mut stream) = socket.0.split();
    let wanted = SPEAKERS * usize::try_from(STOPPED).unwrap();
    let hear = async {
        let mut heard = 0;
        while heard < wanted {
            let Some(Ok(Message::Text(text))) = stream.next().await else { continue };
            let message: Value = serde_json::from_str(&text).unwrap();
            heard += usize::from(message["event"]["type"] == "chat");
        }
        heard
    };
    let speak = async {
        let mut second = interval(Duration::from_secs(1));
        // Four bytes a letter.
        let command = json!({ "type": "send_chat", "text": "\u{1d11e}".repeat(2_000) });
        for request in 0..STOPPED {
            second.tick().await;
            let message = json!({ "type": "command", "request": request, "command": command });
            sink.send(Message::text(message.to_string())).await.unwrap();
        }
    };
    let (heard, ()) = tokio::join!(timeout(Duration::from_secs(60), hear), speak);
    heard.expect("everybody is heard in time")
}

async fn all(people: Vec<JoinHandle<usize>>) -> Vec<usize> {
    let mut heard = Vec::new();
    for one in people {
        heard.push(one.await.unwrap());
    }
    heard
}

/// Starts this program again, as the client below.
fn client(address: SocketAddr, code: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "the_client_that_is_stopped", "--nocapture"])
        .env(VARIABLE, format!("{address} {code}"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let says = BufReader::new(child.stdout.take().unwrap());
    (child, says)
}

/// The next thing it says, without what the test harness says around it.
fn next(says: &mut BufReader<std::process::ChildStdout>) -> String {
    let mut line = String::new();
    while says.read_line(&mut line).unwrap() > 0 {
        if let Some((_, said)) = line.trim().split_once("client: ") {
            return said.to_owned();
        }
        line.clear();
    }
    panic!("the client ended");
}

/// What runs in a process of its own: reads both its websockets, slowly if at all.
#[tokio::test]
#[ignore = "the test above starts it"]
#[expect(clippy::print_stdout, reason = "it talks to the test above")]
async fn the_client_that_is_stopped() {
    let Ok(server) = std::env::var(VARIABLE) else { return };
    let (address, code) = server.split_once(' ').unwrap();
    let address = address.parse().unwrap();
    let joined = join(address, code, "Stopped").await;
    let token = joined["media_token"].as_str().unwrap();
    let path = format!("/rtc/v1?access_token={token}&join_request={}", join_request());
    let mut signalling = open(address, &path, &[]).await.unwrap();
    tokio::spawn(async move { while signalling.next().await.is_some() {} });
    // A small window, so that what it does not read stays with the server.
    let mut socket = enter(address, code, "", Some((joined, 4_096))).await;
    println!("client: in");
    let mut heard = 0;
    let end = loop {
        match socket.frame().await {
            Some(message) if message["type"] == "goodbye" => break "cut off",
            Some(message) => heard += usize::from(message["event"]["type"] == "chat"),
            None => break "cut off",
        }
        if heard == SPEAKERS * usize::try_from(STOPPED).unwrap() {
            break "caught up";
        }
    };
    println!("client: {end}");
}

async fn join(address: SocketAddr, code: &str, name: &str) -> Value {
    let path = format!("/api/v1/rooms/{code}/join");
    post(address, &path, &json!({ "name": name })).await.json()
}

/// Enters the meeting, as somebody who joined already and with a receive buffer of so many bytes.
async fn enter(
    address: SocketAddr,
    code: &str,
    name: &str,
    joined: Option<(Value, u32)>,
) -> Socket {
    let socket = TcpSocket::new_v4().unwrap();
    let joined = match joined {
        Some((joined, window)) => {
            socket.set_recv_buffer_size(window).unwrap();
            joined
        }
        None => join(address, code, name).await,
    };
    let stream = socket.connect(address).await.unwrap();
    let request = format!("ws://{address}/api/meeting/ws").into_client_request().unwrap();
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let mut socket = Socket(socket);
    let hello = json!({
        "type": "hello", "version": conf_core::wire::VERSION, "room": code,
        "participant": joined["participant"], "secret": joined["secret"], "resume_from": null,
    });
    socket.send(&hello).await;
    socket.until("welcome").await;
    socket
}

fn signal(name: &str, process: &Child) {
    let id = process.id().to_string();
    assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
}

/// Memory that the server holds, bytes.
fn resident(server: &Started) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
