//! The program itself: what it prints, what it logs, what it leaves on the disk, how it ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use conf_privacy::needle::Needles;
use serde_json::json;
use support::program::{run, start};
use support::{Folder, Socket, get, join_request, open, post};

#[test]
fn a_configuration_that_is_refused_ends_the_program_with_78_and_says_why() {
    let folder = Folder::new();
    for (variable, value, words) in [
        ("CONF_HTTP__LISTEN", "0.0.0.0:8080", "controller.names"),
        ("CONF_HTTP__LISTN", "127.0.0.1:8080", "CONF_HTTP__LISTN is no key"),
        ("CONF_LIMITS__PARTICIPANTS", "0", "limits.participants = 0 is refused"),
        ("CONF_API__KEY", "a", "CONF_API__SECRET is missing"),
    ] {
        let (code, text) = run(&folder, &[(variable, value)]);
        assert_eq!((code, text.contains(words)), (Some(78), true), "{variable}: {text}");
    }
    assert!(!folder.0.join("data").exists());
}

#[test]
fn the_file_in_the_working_folder_is_read_and_a_port_in_use_is_named() {
    let folder = Folder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    std::fs::write(folder.0.join("conf.toml"), "[log]\nlevel = \"error\"\n").unwrap();
    let (code, text) = run(&folder, &[("CONF_HTTP__LISTEN", &address.to_string())]);
    assert_eq!(code, Some(78));
    assert!(text.contains(&format!("http.listen = {address} cannot be listened on")), "{text}");
    std::fs::write(folder.0.join("conf.toml"), "[log]\nlevel = \"loud\"\n").unwrap();
    let (code, text) = run(&folder, &[]);
    assert_eq!((code, text.contains("log.level = \"loud\"")), (Some(78), true), "{text}");
}

#[test]
fn a_port_of_metrics_or_media_in_use_is_named_with_its_key() {
    let folder = Folder::new();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for (variable, key, address) in [
        ("CONF_METRICS__LISTEN", "metrics.listen", tcp.local_addr().unwrap()),
        ("CONF_MEDIA__LISTEN", "media.listen", udp.local_addr().unwrap()),
        ("CONF_MEDIA__LISTEN", "media.listen", tcp.local_addr().unwrap()),
    ] {
        let (code, text) = run(&folder, &[(variable, &address.to_string())]);
        let named = text.contains(key) && text.contains(&address.to_string());
        assert_eq!((code, named), (Some(78), true), "{text}");
    }
}

#[test]
fn the_configuration_is_explained() {
    let output = Command::new(env!("CARGO_BIN_EXE_conf-server"))
        .args(["config", "--explain"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("[media]") && text.contains("CONF_MEDIA__ADVERTISE"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_the_log_nor_the_disk_knows_anything_personal() {
    let folder = Folder::new();
    let started = start(&folder, &[("CONF_LOG__LEVEL", "trace")]);
    let (address, code) = (started.address(), started.code());
    let path = format!("/api/v1/rooms/{code}/join");
    let joined = post(address, &path, &json!({ "name": "Canary Goldfinch" })).await.json();
    let mut socket = Socket(open(address, "/api/meeting/ws", &[]).await.unwrap());
    let hello = json!({
        "type": "hello", "version": conf_core::wire::VERSION, "room": code, "participant": joined["participant"],
        "secret": joined["secret"], "resume_from": null,
    });
    socket.send(&hello).await;
    socket.until("welcome").await;
    socket.command(1, json!({ "type": "send_chat", "text": "the canary sings at dawn" })).await;
    socket.until("done").await;
    let token = joined["media_token"].as_str().unwrap();
    let signal = format!("/rtc/v1?access_token={token}&join_request={}", join_request());
    let _signal = open(address, &signal, &[]).await.unwrap();
    get(address, "/rtc/v1/validate?access_token=canary-token-canary-token", &[]).await;
    post(address, &path, &json!({ "name": "Canary Goldfinch", "secret": "x" })).await;
    socket.command(2, json!({ "type": "end" })).await;
    socket.until("goodbye").await;
    let (printed, status) = started.terminate();
    assert_eq!(status.code(), Some(0), "{printed}");
    assert!(printed.contains("meeting ended") && printed.contains("stopped"), "{printed}");
    let secret = joined["secret"].as_str().unwrap();
    let texts = [
        "Canary Goldfinch",
        "the canary sings at dawn",
        secret,
        token,
        "canary-token-canary-token",
    ];
    let needles = Needles::new(&texts).unwrap();
    assert!(needles.search(printed.as_bytes()).is_empty(), "{printed}");
    assert_eq!(printed.matches(&code).count(), 1, "the link and nothing else: {printed}");
    assert_eq!(printed.matches("127.0.0.1").count(), 2, "both links, nothing else: {printed}");
    assert!(!printed.contains(joined["participant"].as_str().unwrap()), "{printed}");
    let mut files = 0;
    search(&folder.0, &needles, &mut files);
    assert_eq!(files, 3, "secrets, lock and database");
}

fn search(folder: &Path, needles: &Needles, files: &mut u32) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            search(&path, needles, files);
        } else {
            *files += 1;
            let hits = needles.search(&std::fs::read(&path).unwrap());
            assert!(hits.is_empty(), "{}: {hits:?}", path.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_listens_soon_stops_soon_and_keeps_its_link() {
    let folder = Folder::new();
    let clock = tokio::time::Instant::now();
    let started = start(&folder, &[]);
    assert!(clock.elapsed() < Duration::from_secs(5), "{:?}", clock.elapsed());
    let code = started.code();
    assert_eq!(get(started.address(), "/ready", &[]).await.status, 200);
    let clock = tokio::time::Instant::now();
    let (printed, status) = started.terminate();
    assert_eq!(status.code(), Some(0), "{printed}");
    assert!(clock.elapsed() < Duration::from_secs(5), "{:?}", clock.elapsed());
    let again = start(&folder, &[]);
    assert_eq!(again.code(), code);
    again.terminate();
}
