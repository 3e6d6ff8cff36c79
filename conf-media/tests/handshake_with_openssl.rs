//! Both our servers against `openssl s_client`, an implementation they share no code with: for each offer
//! the profile is the best one, and both sides export the same keys. Fails where the program is not
//! installed: `cargo xtask setup` brings it.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a real peer, real time")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use conf_media::dtls::{Acceptor, Backend, Output};
use conf_media::srtp::{Keys, Profile};

#[test]
fn aes_256_gcm_is_chosen_although_it_is_offered_last() {
    let offer = "SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM:SRTP_AEAD_AES_256_GCM";
    agree(offer, Profile::AeadAes256Gcm, 88);
}

#[test]
fn aes_128_gcm_is_chosen_before_cm() {
    agree("SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_128_GCM", Profile::AeadAes128Gcm, 56);
}

#[test]
fn cm_is_chosen_only_when_nothing_else_is_offered() {
    agree("SRTP_AES128_CM_SHA1_80", Profile::AesCm128HmacSha1_80, 60);
}

fn agree(offer: &str, profile: Profile, exported: usize) {
    for backend in [Backend::Dimpl, Backend::WebrtcDtls] {
        agree_with(backend, offer, profile, exported);
    }
}

fn agree_with(backend: Backend, offer: &str, profile: Profile, exported: usize) {
    let folder =
        std::env::temp_dir().join(format!("conf-openssl-{}-{exported}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    certificate(&folder);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut client = Command::new("openssl")
        .current_dir(&folder)
        .args(["s_client", "-dtls1_2", "-cert", "cert.pem", "-key", "key.pem", "-use_srtp", offer])
        .args(["-keymatexport", "EXTRACTOR-dtls_srtp", "-keymatexportlen", &exported.to_string()])
        .arg("-connect")
        .arg(socket.local_addr().unwrap().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed");
    let keys = serve(backend, &socket);
    drop(client.stdin.take()); // end of input: it prints what it has and leaves
    let output = client.wait_with_output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let material = text.split("Keying material: ").nth(1).expect("openssl exports its keys");
    let material = hex::decode(material.split_whitespace().next().unwrap()).unwrap();
    assert_eq!(keys.profile, profile);
    let ours =
        [&keys.remote.key[..], &keys.local.key, &keys.remote.salt, &keys.local.salt].concat();
    assert_eq!(ours, material);
}

fn certificate(folder: &Path) {
    let status = Command::new("openssl")
        .current_dir(folder)
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
        .args(["-subj", "/CN=peer", "-keyout", "key.pem", "-out", "cert.pem"])
        .stderr(Stdio::null())
        .status()
        .expect("openssl is installed");
    assert!(status.success());
}

/// Runs the server until the handshake is done; openssl may still want our last flight.
fn serve(backend: Backend, socket: &UdpSocket) -> Keys {
    let mut server = Acceptor::start(backend).unwrap().accept(Arc::new(|| {}));
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    let (mut buffer, mut peer, mut done) = ([0; 2048], None, None);
    while Instant::now() < deadline {
        match socket.recv_from(&mut buffer) {
            Ok((len, from)) => {
                peer = Some(from);
                server.handle(Instant::now(), &buffer[..len]).unwrap();
            }
            Err(_) => server.handle_timeout(Instant::now()).unwrap(),
        }
        while let Some(output) = server.poll() {
            match output {
                Output::Transmit(datagram) => drop(socket.send_to(&datagram, peer.unwrap())),
                Output::Connected { keys, .. } => done = Some(keys),
                Output::Data(_) | Output::Closed => {}
                Output::Failed(error) => panic!("{error}"),
            }
        }
        if let Some(keys) = done {
            return keys;
        }
    }
    panic!("no handshake within 20 s");
}
