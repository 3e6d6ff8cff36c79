//! Certificates from a real ACME server (pebble, on loopback): ordered, served, renewed, kept.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "this is a test, and it prints what it measures"
)]

mod support;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use conf_server::config::{Acme, Tls};
use rustls::pki_types::CertificateDer;
use support::tls::{Authority, file, free_port};
use support::{Folder, Running, start_with};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use x509_parser::prelude::{FromDer as _, X509Certificate};

const DOMAINS: [&str; 2] = ["meet.example.org", "conf.example.org"];
/// How long pebble's certificates are valid; renewed after two thirds.
const LIFE: u64 = 15;

/// An ACME server with a DNS server that says loopback to every name.
struct Pebble {
    folder: Folder,
    directory: String,
    /// Where it asks for the answers to its challenges.
    http_port: u16,
    programs: Vec<Child>,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for program in &mut self.programs {
            let _ended_already = program.kill();
            let _ended_already = program.wait();
        }
    }
}

impl Pebble {
    /// `authority` is what its own HTTPS is signed by.
    async fn start(authority: &Authority) -> Self {
        let folder = Folder::new();
        let files = authority.issue(&["localhost"], (2020, 2120)).write(&folder.0);
        file(&folder.0, "root.pem", &authority.pem);
        let [acme, control, dns, dns_control, http_port] = [(); 5].map(|()| free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{acme}"),
            "managementListenAddress": format!("127.0.0.1:{control}"),
            "certificate": files.cert, "privateKey": files.key,
            "httpPort": http_port, "tlsPort": free_port(),
            "certificateValidityPeriod": LIFE,
        }});
        let config = file(&folder.0, "pebble.json", &config.to_string());
        let names = start_program(Command::new("pebble-challtestsrv").args([
            &format!("-dns01=127.0.0.1:{dns}"),
            &format!("-management=127.0.0.1:{dns_control}"),
            "-http01=",
            "-https01=",
            "-tlsalpn01=",
            "-defaultIPv6=",
        ]));
        let pebble = start_program(
            Command::new("pebble")
                .arg("-config")
                .arg(config)
                .args(["-strict", "-dnsserver", &format!("127.0.0.1:{dns}")])
                .env("PEBBLE_VA_NOSLEEP", "1")
                .env("PEBBLE_WFE_NONCEREJECT", "20"),
        );
        let directory = format!("https://localhost:{acme}/dir");
        let it = Self { folder, directory, http_port, programs: vec![names, pebble] };
        for port in [acme, dns_control] {
            while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                sleep(Duration::from_millis(50)).await;
            }
        }
        it
    }

    /// A server that gets its certificates here.
    async fn serve(&self) -> Running {
        let settings = self.settings();
        let redirect = SocketAddr::from(([127, 0, 0, 1], self.http_port));
        start_with(|config| {
            config.redirect_listen = Some(redirect);
            config.tls = Some(Tls::Acme(settings));
        })
        .await
    }

    fn settings(&self) -> Acme {
        Acme {
            domains: DOMAINS.map(str::to_owned).to_vec(),
            contact: None,
            directory: self.directory.clone(),
            root: Some(self.folder.0.join("root.pem")),
        }
    }
}

fn start_program(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("pebble is there: `cargo xtask setup` installs it")
}

/// Chain that the server shows, whoever signed it; `None` as long as there is none.
async fn chain(to: SocketAddr) -> Option<Vec<CertificateDer<'static>>> {
    let client = support::tls::client_that_trusts_all();
    let stream = TcpStream::connect(to).await.unwrap();
    let name = DOMAINS[1].try_into().unwrap();
    let stream = client.connect(name, stream).await.ok()?;
    let chain = stream.get_ref().1.peer_certificates().unwrap();
    Some(chain.iter().map(|one| one.clone().into_owned()).collect())
}

async fn first_chain(to: SocketAddr) -> Vec<CertificateDer<'static>> {
    timeout(Duration::from_secs(30), async {
        loop {
            match chain(to).await {
                Some(chain) => break chain,
                None => sleep(Duration::from_millis(100)).await,
            }
        }
    })
    .await
    .expect("a certificate within 30 s")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_ordered_served_renewed_and_found_again() {
    let authority = Authority::new();
    let pebble = Pebble::start(&authority).await;
    let begun = Instant::now();
    let running = pebble.serve().await;
    let address = running.server.http();
    let first = first_chain(address).await;
    println!("first certificate after {:?}", begun.elapsed());
    assert!(first.len() >= 2, "the chain comes along");
    let (_, x509) = X509Certificate::from_der(&first[0]).unwrap();
    let names = x509.subject_alternative_name().unwrap().unwrap().value.general_names.len();
    assert_eq!(names, 2);
    let (_, issuer) = X509Certificate::from_der(&first[1]).unwrap();
    assert!(x509.issuer() == issuer.subject(), "the second signed the first");

    let folder = running.folder.0.join("data/acme");
    let kept = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for name in ["account.json", "certificate.pem"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let (account, stored) = (kept("account.json"), kept("certificate.pem"));

    // Renewed after two thirds of its life, before it is over, by the same account.
    let renewed = timeout(Duration::from_secs(LIFE), async {
        loop {
            let now = chain(address).await.expect("never without a certificate");
            if now[0] != first[0] {
                break now;
            }
            sleep(Duration::from_millis(100)).await;
        }
    });
    let renewed = renewed.await.expect("before the first one is over");
    println!("renewed {:?} after the start, life {LIFE} s", begun.elapsed());
    assert!(begun.elapsed() >= Duration::from_secs(LIFE * 2 / 3 - 2));
    assert_eq!(kept("account.json"), account);
    assert_ne!(kept("certificate.pem"), stored);
    assert!(renewed.len() >= 2);

    // A restart serves what is stored at once.
    let Running { server, folder: data, .. } = running;
    server.stop().await;
    let settings = pebble.settings();
    let redirect = SocketAddr::from(([127, 0, 0, 1], pebble.http_port));
    let mut config = support::config(&data);
    config.redirect_listen = Some(redirect);
    config.tls = Some(Tls::Acme(settings));
    let again = conf_server::Server::start(config).await.unwrap();
    assert!(chain(again.http()).await.is_some());
    again.stop().await;
}

#[tokio::test]
async fn an_acme_server_that_is_not_trusted_gets_nothing_and_stops_nothing() {
    let pebble = Pebble::start(&Authority::new()).await;
    let other = file(&pebble.folder.0, "other.pem", &Authority::new().pem);
    let mut settings = pebble.settings();
    settings.root = Some(other);
    let redirect = SocketAddr::from(([127, 0, 0, 1], pebble.http_port));
    let running = start_with(|config| {
        config.redirect_listen = Some(redirect);
        config.tls = Some(Tls::Acme(settings));
    })
    .await;
    assert!(chain(running.server.http()).await.is_none());
    let challenge = "/.well-known/acme-challenge/x";
    let answer = support::get(running.server.redirect().unwrap(), challenge, &[]).await;
    assert_eq!(answer.status, 404);
    assert!(!running.folder.0.join("data/acme/account.json").exists());
    running.server.stop().await;
}

#[tokio::test]
async fn a_damaged_or_open_file_of_the_acme_folder_stops_the_start_and_stays() {
    let authority = Authority::new();
    let folder = Folder::new();
    let root = file(&folder.0, "root.pem", &authority.pem);
    let acme = folder.0.join("data/acme");
    std::fs::create_dir_all(&acme).unwrap();
    support::tls::mode(&folder.0.join("data"), 0o700);
    for (name, text, mode, words) in [
        ("certificate.pem", "rubbish", 0o600, "certificate.pem holds no certificate"),
        ("account.json", "{", 0o600, "account.json is damaged"),
        ("account.json", "{}", 0o640, "account.json has mode 0640"),
    ] {
        let path = file(&acme, name, text);
        support::tls::mode(&path, mode);
        let mut config = support::config(&folder);
        config.redirect_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.tls = Some(Tls::Acme(Acme {
            domains: vec![DOMAINS[0].to_owned()],
            contact: None,
            directory: "https://localhost:1/dir".to_owned(),
            root: Some(root.clone()),
        }));
        let error = conf_server::Server::start(config).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        std::fs::remove_file(path).unwrap();
    }
}
