//! HTTPS: what is served over it, which files are refused, how certificates change, who is cut off.
#![allow(clippy::unwrap_used, reason = "this is a test")]

mod support;

use std::process::Command;
use std::time::Duration;

use conf_server::Server;
use conf_server::config::{Tls, TlsFiles};
use serde_json::json;
use support::tls::{Authority, NAME, Pair, file, mode, serve, shown};
use support::{Folder, Response, Running, Socket, config, raw, start_with};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

async fn start(pair: &Pair) -> (Running, TlsFiles, Folder) {
    let folder = Folder::new();
    let files = pair.write(&folder.0);
    let running = start_with(|config| serve(config, files.clone())).await;
    (running, files, folder)
}

#[tokio::test]
async fn pages_come_over_tls_1_2_and_1_3_with_hsts() {
    let authority = Authority::new();
    let (running, _files, _folder) = start(&authority.good()).await;
    let address = running.server.http();
    let page = authority.get(address, "/ready").await;
    assert_eq!((page.status, page.body.as_str()), (200, "ready\n"));
    assert_eq!(page.header("strict-transport-security"), Some("max-age=31536000"));
    assert!(running.server.open_room_link().unwrap().starts_with("https://meet.example.org/r/"));
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = authority.client(&[version], &[b"h2", b"http/1.1"]);
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = client.connect(NAME.try_into().unwrap(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
    running.server.stop().await;
}

#[tokio::test]
async fn without_tls_nothing_is_said_about_it() {
    let running = support::start().await;
    let page = support::get(running.server.http(), "/ready", &[]).await;
    assert_eq!(page.header("strict-transport-security"), None);
    running.server.stop().await;
    // Behind a proxy the configuration says what browsers see; no header does.
    let public = conf_server::config::PublicUrl::parse("https://meet.example.org");
    let running = start_with(|config| config.public_url = public).await;
    let page = support::get(running.server.http(), "/ready", &[("x-forwarded-proto", "http")]);
    assert!(page.await.header("strict-transport-security").is_some());
    running.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_versions_other_protocols_and_plain_http_are_refused_and_counted() {
    let authority = Authority::new();
    let (running, _files, _folder) = start(&authority.good()).await;
    let address = running.server.http();
    let old = tokio::task::spawn_blocking(move || {
        let to = address.to_string();
        let words =
            ["s_client", "-connect", &to, "-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0", "-brief"];
        Command::new("openssl").args(words).stdin(std::process::Stdio::null()).output().unwrap()
    });
    let old = old.await.unwrap();
    let text = String::from_utf8_lossy(&old.stderr).into_owned();
    assert!(!old.status.success() && text.contains("alert"), "{text}");
    let client = authority.client(rustls::ALL_VERSIONS, &[b"h2"]);
    let stream = TcpStream::connect(address).await.unwrap();
    assert!(client.connect(NAME.try_into().unwrap(), stream).await.is_err());
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _reset = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let page = running.page().await;
    assert!(page.contains("conf_refusals_total{reason=\"handshake_failed\"} 3\n"), "{page}");
    running.server.stop().await;
}

#[tokio::test]
async fn people_meet_over_wss() {
    let authority = Authority::new();
    let (running, _files, _folder) = start(&authority.good()).await;
    let address = running.server.http();
    let body = json!({ "name": "Ada" }).to_string();
    let head = format!(
        "POST /api/v1/rooms/{}/join HTTP/1.1\r\nhost: {NAME}\r\norigin: https://{NAME}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        running.code,
        body.len()
    );
    let joined = Response::read(&authority.raw(address, &head).await);
    assert_eq!(joined.status, 201, "{}", joined.body);
    let stream = authority.connect(address).await.unwrap();
    let request = format!("wss://{NAME}/api/meeting/ws");
    let (socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let mut socket = Socket(socket);
    socket.send(&running.hello(&joined.json(), serde_json::Value::Null)).await;
    assert_eq!(socket.next().await["type"], "welcome");
    running.server.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_served_stop_the_start_with_words() {
    let authority = Authority::new();
    let folder = Folder::new();
    let good = authority.good();
    let encrypted = good.key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let old = authority.issue(&[NAME], (2020, 2021));
    let early = authority.issue(&[NAME], (2120, 2121));
    let cases: [(&str, &str, u32, &str); 9] = [
        (&good.chain, &authority.good().key, 0o600, "key.pem is not certified by"),
        (&old.chain, &old.key, 0o600, "from 2020-01-01T00:00:00Z to 2021-01-01T00:00:00Z, and now"),
        (&early.chain, &early.key, 0o600, "is valid from 2120-01-01"),
        (&good.chain, &good.key, 0o644, "key.pem has mode 0644, allowed is 0640 or less"),
        (&good.chain, &encrypted, 0o600, "key.pem is protected by a passphrase"),
        (&good.chain, "", 0o600, "key.pem holds no private key"),
        (&good.key, &good.key, 0o600, "cert.pem holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!\n", &good.key, 0o600, "cert.pem is damaged"),
        (
            "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n",
            &good.key,
            0o600,
            "no X.509",
        ),
    ];
    for (chain, key, key_mode, words) in cases {
        let pair = Pair { chain: chain.to_owned(), key: key.to_owned() };
        let files = pair.write(&folder.0);
        mode(&files.key, key_mode);
        let error = refused(&folder, files).await;
        assert!(error.contains(words), "{words}: {error}");
        assert!(!error.contains("BEGIN PRIVATE KEY-----\n"), "{error}");
    }
    let files = good.write(&folder.0);
    std::fs::remove_file(&files.cert).unwrap();
    let error = refused(&folder, files).await;
    assert!(error.contains("cannot read") && error.contains("No such file"), "{error}");
    let long = file(&folder.0, "long.pem", &"x".repeat((1 << 20) + 1));
    let error = refused(&folder, TlsFiles { cert: long.clone(), key: long }).await;
    assert!(error.contains("longer than 1 MiB"), "{error}");
}

async fn refused(folder: &Folder, files: TlsFiles) -> String {
    let mut config = config(folder);
    config.tls = Some(Tls::Files(files));
    Server::start(config).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_new_certificate_is_served_when_told_and_running_connections_stay() {
    let authority = Authority::new();
    let (first, second) = (authority.good(), authority.good());
    let (running, files, folder) = start(&first).await;
    let address = running.server.http();
    assert_eq!(shown(&authority, address).await, first.der());
    let mut kept = authority.connect(address).await.unwrap();
    // Half of a change is refused, the old pair stays.
    std::fs::write(&files.cert, &second.chain).unwrap();
    running.server.reload();
    tokio::task::yield_now().await;
    assert_eq!(shown(&authority, address).await, first.der());
    second.write(&folder.0);
    running.server.reload();
    while shown(&authority, address).await != second.der() {
        tokio::task::yield_now().await;
    }
    let ask = format!("GET /ready HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n\r\n");
    kept.write_all(ask.as_bytes()).await.unwrap();
    let mut answer = String::new();
    kept.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    running.server.stop().await;
}

#[tokio::test]
async fn a_new_certificate_is_served_by_itself_when_its_files_change() {
    let authority = Authority::new();
    let (running, _files, folder) = start(&authority.good()).await;
    let address = running.server.http();
    let second = authority.good();
    second.write(&folder.0);
    let served = async {
        while shown(&authority, address).await != second.der() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(15), served).await.unwrap();
    running.server.stop().await;
}

#[tokio::test]
async fn plain_http_is_led_to_https_and_nowhere_else() {
    let authority = Authority::new();
    let (running, _files, _folder) = start(&authority.good()).await;
    let plain = running.server.redirect().unwrap();
    let ask = async |method: &str, path: &str, host: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        Response::read(&raw(plain, &head).await)
    };
    for (method, path, leads) in [
        ("GET", "/r/AAAAAAAAAAAAAAAA?a=b", "/r/AAAAAAAAAAAAAAAA?a=b"),
        ("POST", "/api/v1/session", "/api/v1/session"),
        ("GET", "http://evil.example/x", "/x"),
        ("GET", "//evil.example/x", "//evil.example/x"),
        ("OPTIONS", "*", "/"),
    ] {
        let answer = ask(method, path, NAME).await;
        let place = format!("https://{NAME}{leads}");
        assert_eq!((answer.status, answer.header("location")), (308, Some(&*place)), "{path}");
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("strict-transport-security"), None);
    }
    assert_eq!(ask("GET", "/", "127.0.0.1:80").await.status, 308);
    for host in ["evil.example", "meet.example.org.evil.example", "user@meet.example.org", ""] {
        let answer = ask("GET", "/", host).await;
        assert!(matches!(answer.status, 400 | 421), "{host}: {}", answer.head);
        assert_eq!(answer.header("location"), None, "{host}");
    }
    let unknown = ask("GET", "/.well-known/acme-challenge/secrets", NAME).await;
    assert_eq!(unknown.status, 404);
    running.server.stop().await;
}

#[tokio::test]
async fn heads_and_bodies_that_are_too_long_are_refused_over_tls_too() {
    let authority = Authority::new();
    let (running, _files, _folder) = start(&authority.good()).await;
    let address = running.server.http();
    let long = format!("GET / HTTP/1.1\r\nhost: {NAME}\r\nx: {}\r\n\r\n", "x".repeat(500_000));
    let answer = authority.raw(address, &long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let long = format!(
        "POST /api/v1/rooms/{}/join HTTP/1.1\r\nhost: {NAME}\r\ncontent-type: application/json\r\n\
         content-length: 20000\r\nconnection: close\r\n\r\n",
        running.code
    );
    assert!(authority.raw(address, &long).await.starts_with("HTTP/1.1 413 "));
    assert_eq!(authority.get(address, "/ready").await.status, 200);
    running.server.stop().await;
}

/// All at once, because each takes as long as the server's patience.
#[tokio::test]
async fn who_is_too_slow_is_cut_off() {
    let authority = Authority::new();
    let (running, _files, _folder) = start(&authority.good()).await;
    let plain_server = support::start().await;
    let (secure, plain) = (running.server.http(), plain_server.server.http());
    let silent = async {
        let mut stream = TcpStream::connect(secure).await.unwrap();
        // The first bytes of a ClientHello, then nothing.
        stream.write_all(&[22, 3, 1, 2, 0, 1]).await.unwrap();
        until_closed(&mut stream).await
    };
    let head_over_tls = async {
        let mut stream = authority.connect(secure).await.unwrap();
        drip(&mut stream, b"GET / HTTP/1.1\r\nhost: meet.example.org\r\nx: ").await
    };
    let head = async {
        let mut stream = TcpStream::connect(plain).await.unwrap();
        drip(&mut stream, b"GET / HTTP/1.1\r\nhost: localhost\r\nx: ").await
    };
    let idle = async { until_closed(&mut authority.connect(secure).await.unwrap()).await };
    let body = async {
        let mut stream = authority.connect(secure).await.unwrap();
        let head = format!(
            "POST /api/v1/rooms/{}/join HTTP/1.1\r\nhost: {NAME}\r\n\
             content-type: application/json\r\ncontent-length: 2000\r\n\r\n",
            running.code
        );
        drip(&mut stream, head.as_bytes()).await
    };
    let all = async { tokio::join!(silent, head_over_tls, head, idle, body) };
    let (silent, head_over_tls, head, idle, body) =
        timeout(Duration::from_secs(40), all).await.unwrap();
    assert_eq!((silent.as_str(), idle.as_str()), ("", ""));
    for answer in [&head_over_tls, &head] {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    assert!(body.starts_with("HTTP/1.1 400 "), "{body}");
    let page = running.page().await;
    assert!(page.contains("conf_refusals_total{reason=\"handshake_too_slow\"} 1\n"), "{page}");
    running.server.stop().await;
    plain_server.server.stop().await;
}

/// Writes the beginning of a request and then a byte now and then until the server has enough.
async fn drip<S>(stream: &mut S, begin: &[u8]) -> String
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    stream.write_all(begin).await.unwrap();
    let (mut read, mut write) = tokio::io::split(stream);
    let drops = async {
        while write.write_all(b"x").await.is_ok() && write.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut bytes = Vec::new();
    tokio::select! {
        _ = read.read_to_end(&mut bytes) => {}
        () = drops => {}
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn until_closed<S: tokio::io::AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}
