//! `conf-server check`: what it finds, in words and as JSON, and how it ends.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is a test")]

mod support;

use std::net::{TcpListener, UdpSocket};

use serde_json::Value;
use support::Folder;
use support::program::program;
use support::tls::{Authority, NAME, file, free_port, mode};

/// Exit code, standard output, standard error.
fn check(
    folder: &Folder,
    words: &[&str],
    variables: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let out = program(folder, variables).arg("check").args(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

fn line<'a>(text: &'a str, topic: &str) -> &'a str {
    let of = |line: &&str| line.split_whitespace().nth(1) == Some(topic);
    text.lines().find(of).unwrap_or_else(|| panic!("no {topic} in\n{text}"))
}

#[test]
fn a_good_set_up_has_no_problem_and_nothing_is_made() {
    let folder = Folder::new();
    let (code, text, _) = check(&folder, &[], &[]);
    assert_eq!(code, Some(0), "{text}");
    for topic in
        ["configuration", "http.listen", "media.listen", "certificate", "data_dir", "store"]
    {
        assert!(line(&text, topic).starts_with("ok "), "{text}");
    }
    line(&text, "clock");
    line(&text, "disk");
    let policy = line(&text, "policy");
    assert!(policy.starts_with("warning") && policy.contains("controller.names"), "{text}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_policy_that_is_refused_is_a_problem_with_its_line() {
    let folder = Folder::new();
    let path = folder.0.join("policy.toml");
    std::fs::write(&path, "[controller]\nnames = [\"\"]\n").unwrap();
    let (code, text, _) = check(&folder, &[], &[("CONF_POLICY", path.to_str().unwrap())]);
    assert_eq!(code, Some(1), "{text}");
    assert!(line(&text, "policy").starts_with("problem"), "{text}");
    assert!(text.contains("line 2: controller.names"), "{text}");
}

#[test]
fn a_refused_configuration_ends_with_78() {
    let folder = Folder::new();
    let wrong = [("CONF_LIMITS__PARTICIPANTS", "0")];
    let (code, _, error) = check(&folder, &[], &wrong);
    assert_eq!((code, error.contains("limits.participants = 0")), (Some(78), true), "{error}");
    let (code, text, _) = check(&folder, &["--json"], &wrong);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &found["findings"][0]["level"]), (Some(78), &"problem".into()), "{text}");
    assert_eq!(check(&folder, &["--jsno"], &[]).0, Some(64));
}

#[test]
fn ports_in_use_are_named() {
    let folder = Folder::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = tcp.local_addr().unwrap().to_string();
    let media = udp.local_addr().unwrap().to_string();
    let (code, text, _) =
        check(&folder, &[], &[("CONF_HTTP__LISTEN", &at), ("CONF_MEDIA__LISTEN", &media)]);
    assert_eq!(code, Some(1), "{text}");
    let taken = [("http.listen", &at), ("media.listen", &media)];
    for (topic, at) in taken {
        let line = line(&text, topic);
        assert!(line.starts_with("problem") && line.contains(at), "{text}");
    }
    let (code, text, _) = check(&folder, &[], &[("CONF_MEDIA__LISTEN", &at)]);
    assert_eq!(code, Some(1), "{text}");
    let words = format!("TCP {at} is in use by another program");
    assert!(line(&text, "media.tcp").contains(&words), "{text}");
    assert!(line(&text, "media.listen").starts_with("ok"), "{text}");
    let off = [("CONF_MEDIA__LISTEN", &*at), ("CONF_MEDIA__TCP", "off")];
    assert_eq!(check(&folder, &[], &off).0, Some(0), "nobody wants that port");
}

/// Debian's coturn, as long as it lives.
struct Coturn {
    child: std::process::Child,
    port: u16,
    tls: u16,
}

impl Coturn {
    fn start(folder: &Folder) -> Self {
        let [port, tls] = [free_port(), free_port()];
        let child = std::process::Command::new("turnserver")
            .args(["-n", "--no-cli", "--no-dtls", "--log-file=stdout"])
            .args(["--cert=cert.pem", "--pkey=key.pem", &format!("--tls-listening-port={tls}")])
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--realm=conf.test"])
            .args(["--use-auth-secret", &format!("--static-auth-secret={TURN_SECRET}")])
            .args([format!("--listening-port={port}"), "--pidfile=pid".into(), "--db=db".into()])
            .current_dir(&folder.0)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("coturn is installed by `cargo xtask setup`");
        Self { child, port, tls }
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TURN_SECRET: &str = "a-secret-shared-with-coturn";

#[test]
#[expect(clippy::disallowed_methods, reason = "a real program in real time")]
fn a_turn_server_is_asked_for_an_allocation_with_what_people_are_given() {
    let (folder, authority) = (Folder::new(), Authority::new());
    authority.good().write(&folder.0);
    let root = file(&folder.0, "root.pem", &authority.pem);
    let coturn = Coturn::start(&folder);
    let trusted = std::cell::Cell::new(root.to_str().unwrap());
    let ask = |url: &str, secret: &str| {
        let trust = ("SSL_CERT_FILE", trusted.get());
        let variables = [("CONF_TURN__URLS", url), ("CONF_TURN__SECRET", secret), trust];
        let (code, text, _) = check(&folder, &[], &variables);
        (code, line(&text, "turn.urls").to_owned())
    };
    let url = |transport: &str| format!("turn:127.0.0.1:{}?transport={transport}", coturn.port);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while ask(&url("udp"), TURN_SECRET).0 != Some(0) {
        let words = ask(&url("udp"), TURN_SECRET).1;
        assert!(std::time::Instant::now() < deadline, "coturn does not start: {words}");
    }
    let tls = format!("turns:localhost:{}", coturn.tls);
    for url in [url("udp"), url("tcp"), tls.clone()] {
        let (code, words) = ask(&url, TURN_SECRET);
        assert_eq!((code, words.contains("takes what we hand out")), (Some(0), true), "{words}");
        let (code, words) = ask(&url, "another-secret-of-22-letters");
        assert_eq!((code, words.contains("static-auth-secret")), (Some(1), true), "{words}");
    }
    trusted.set("/nothing.pem");
    let (code, words) = ask(&tls, TURN_SECRET);
    assert_eq!((code, words.contains("its certificate is not good")), (Some(1), true), "{words}");
    drop(coturn);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (code, words) = ask(&format!("turn:{closed}?transport=tcp"), TURN_SECRET);
    assert_eq!((code, words.contains("nobody listens there")), (Some(1), true), "{words}");
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (code, words) = ask(&format!("turn:{}", silent.local_addr().unwrap()), TURN_SECRET);
    assert_eq!((code, words.contains("nothing answered within 3 s")), (Some(1), true), "{words}");
    let (_, words) = ask("turn:nowhere.invalid", TURN_SECRET);
    assert!(words.contains("leads to no address"), "{words}");
}

#[test]
fn a_certificate_is_judged_by_its_key_dates_and_names() {
    let folder = Folder::new();
    let authority = Authority::new();
    let url = format!("https://{NAME}");
    let judged = |pair: &support::tls::Pair| {
        pair.write(&folder.0);
        let variables = [
            ("CONF_TLS__CERT", "cert.pem"),
            ("CONF_TLS__KEY", "key.pem"),
            ("CONF_HTTP__PUBLIC_URL", &*url),
        ];
        let (code, text, _) = check(&folder, &[], &variables);
        (code, line(&text, "certificate").to_owned())
    };
    let (code, words) = judged(&authority.good());
    assert_eq!((code, words.contains("valid until 2120-01-01")), (Some(0), true), "{words}");
    let (code, words) = judged(&authority.issue(&["*.example.org"], (2020, 2120)));
    assert_eq!(code, Some(0), "{words}");
    for (names, years, wrong) in [
        ("other.example.org", (2020, 2120), "it is not for meet.example.org"),
        ("*.meet.example.org", (2020, 2120), "it is not for meet.example.org"),
        (NAME, (2020, 2021), "is valid from 2020-01-01"),
    ] {
        let (code, words) = judged(&authority.issue(&[names], years));
        assert_eq!((code, words.contains(wrong)), (Some(1), true), "{words}");
    }
}

#[test]
fn folders_that_others_can_open_and_foreign_databases_are_problems_and_stay() {
    let folder = Folder::new();
    let data = folder.0.join("data");
    std::fs::create_dir(&data).unwrap();
    mode(&data, 0o755);
    let secrets = file(&data, "secrets.toml", "x");
    mode(&secrets, 0o644);
    let foreign = file(&data, "conf.db", "no database at all");
    mode(&foreign, 0o600);
    let (code, text, _) = check(&folder, &[], &[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(line(&text, "data_dir").contains("0755"), "{text}");
    assert!(line(&text, "secrets").contains("0644"), "{text}");
    assert!(line(&text, "store").contains("is damaged"), "{text}");
    assert_eq!(std::fs::read_to_string(foreign).unwrap(), "no database at all");
}

#[test]
fn addresses_of_others_and_plain_http_are_hints() {
    let folder = Folder::new();
    let variables =
        [("CONF_MEDIA__ADVERTISE", "192.0.2.7"), ("CONF_HTTP__PUBLIC_URL", "http://a.example.org")];
    let (code, text, _) = check(&folder, &[], &variables);
    assert_eq!(code, Some(0), "{text}");
    assert!(line(&text, "media.advertise").contains("is not an address of this machine"), "{text}");
    assert!(line(&text, "http.public_url").starts_with("warning"), "{text}");
}
