//! `kill -9` in the middle of a meeting: nothing of the meeting is readable afterwards, and what
//! was stored is whole. Ten times; `CONF_KILLS` for more (`cargo xtask soak` does a hundred).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::cell::Cell;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use conf_privacy::needle::Needles;
use serde_json::{Value, json};
use support::browser::{ADMIN, Browser};
use support::program::{Started, run, start};
use support::{Folder, Socket, open, post};
use tokio::time::{Instant, sleep};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_meeting_that_died_with_the_process_left_nothing_and_what_is_stored_is_whole() {
    let kills = std::env::var("CONF_KILLS").map_or(10, |text| text.parse().unwrap());
    let folder = Folder::new();
    let mut started = start(&folder, &[]);
    let mut owner = Browser::new(started.address());
    let room = first_room(&mut owner, &started.welcome()).await;
    let path = format!("/api/v1/me/rooms/{}", room["id"].as_str().unwrap());
    let (mut gate, mut cleaning) = (Vec::new(), Duration::ZERO);
    let written = Cell::new(0_u64);
    for round in 0..kills {
        owner.address = started.address();
        let mut people = meet(&started).await;
        let work = async {
            loop {
                let title = format!("Raum {}", written.get() + 1);
                let changed = owner.send("PATCH", &path, json!({ "title": title })).await;
                assert_eq!(changed.status, 200, "{}", changed.body);
                written.set(written.get() + 1);
                say(&mut people[0]).await;
            }
        };
        // Another moment of the work each time.
        tokio::select! {
            () = work => {}
            () = sleep(Duration::from_millis(10 + round * 37 % 230)) => {}
        }
        started.kill();
        cleaning = cleaning.max(nothing_is_left(&folder));
        started = start(&folder, &[]);
        gate.push(milliseconds(&started));
        owner.address = started.address();
        assert_eq!(owner.account().await["email"], ADMIN.0, "the session is still there");
        let rooms = owner.get("/api/v1/me/rooms").await.json();
        let [title, next] = [0, 1].map(|more| json!(format!("Raum {}", written.get() + more)));
        let found = &rooms[0]["title"];
        assert!(*found == next || (*found == title && written.get() > 0), "{found}: {title}");
        assert_eq!((&rooms[0]["id"], &rooms[0]["code"]), (&room["id"], &room["code"]));
        if *found == next {
            written.set(written.get() + 1);
        }
    }
    let slowest = gate.iter().max().unwrap();
    eprintln!("{kills} kills, {} changes; gate at most {slowest} ms", written.get());
    eprintln!("cleaned up, and gone, in at most {cleaning:?} with the start of the program");
    assert!(*slowest <= 200, "the gate took {slowest} ms");
}

/// The first administrator, signed in, with a room.
async fn first_room(owner: &mut Browser, token: &str) -> Value {
    let body = json!({ "name": "Root", "email": ADMIN.0, "password": ADMIN.1 });
    let made = owner.use_link(&format!("#{token}"), body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let room = owner.send("POST", "/api/v1/me/rooms", json!({ "title": "Raum 0" })).await;
    assert_eq!(room.status, 201, "{}", room.body);
    room.json()
}

/// Two people in the open room, and what one of them says.
async fn meet(started: &Started) -> Vec<Socket> {
    let (address, code) = (started.address(), started.code());
    let mut people = Vec::new();
    for name in [NAMES[0], NAMES[1]] {
        people.push(enter(address, &code, name).await);
    }
    say(&mut people[0]).await;
    people[1].until("chat").await;
    people
}

async fn enter(address: SocketAddr, code: &str, name: &str) -> Socket {
    let path = format!("/api/v1/rooms/{code}/join");
    let joined = post(address, &path, &json!({ "name": name })).await.json();
    let mut socket = Socket(open(address, "/api/meeting/ws", &[]).await.unwrap());
    let hello = json!({
        "type": "hello", "version": conf_core::wire::VERSION, "room": code,
        "participant": joined["participant"], "secret": joined["secret"], "resume_from": null,
    });
    socket.send(&hello).await;
    socket.until("welcome").await;
    socket
}

async fn say(socket: &mut Socket) {
    socket.command(1, json!({ "type": "send_chat", "text": SAID })).await;
}

/// Starts the program where it cannot open its port: what it does before that must be enough.
fn nothing_is_left(folder: &Folder) -> Duration {
    let data = folder.0.join("data");
    let needles = Needles::new(&[NAMES[0], NAMES[1], SAID]).unwrap();
    assert_eq!(found(&data, &needles), 0, "a meeting was on the disk");
    // As if a meeting had put something there without encrypting it.
    fs::write(data.join("spool/0123456789abcdef"), SAID).unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let clock = Instant::now();
    let (code, text) = run(folder, &[("CONF_HTTP__LISTEN", &address)]);
    let took = clock.elapsed();
    assert_eq!((code, text.contains("cannot be listened on")), (Some(78), true), "{text}");
    assert_eq!(found(&data, &needles), 0, "before the port opens nothing is left");
    assert_eq!(fs::read_dir(data.join("spool")).unwrap().count(), 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
    took
}

fn found(folder: &Path, needles: &Needles) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let hits = entries.map(|path| match path.is_dir() {
        true => found(&path, needles),
        false => needles.search(&fs::read(path).unwrap()).len(),
    });
    hits.sum()
}

/// How long the gate took, by the log.
fn milliseconds(started: &Started) -> u64 {
    let line = started.printed.lines().find(|line| line.contains("is what is declared")).unwrap();
    let (_, number) = line.split_once("ms=").unwrap();
    number.split_whitespace().next().unwrap().parse().unwrap()
}

const NAMES: [&str; 2] = ["Canary Goldfinch", "Canary Siskin"];
const SAID: &str = "the canary sings at dawn";
