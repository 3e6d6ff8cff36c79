//! Two peers in memory, no socket: connectivity checks, DTLS handshakes and SRTP on both sides, and
//! the pictures of one peer at the other.
//!
//! `conf_examples::Engine` is what an embedder writes around the machines; `Browser` is a far end.
//! The network is a few lines here, and its time is counted, not waited for.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use std::net::SocketAddr;
use std::time::Duration;

use conf_examples::{Engine, now};
use conf_media::command::{Command, PeerId, RoomId, TrackId};
use conf_media::ice::Credentials;
use conf_media::rtp::Header;
use conf_media::test_util::{Browser, Outgoing, camera, subscription, vp8};
use conf_media::time::Now;

/// A far end and its address.
struct Peer {
    address: SocketAddr,
    browser: Browser,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut now, mut engine) = (now(), Engine::new(42)?);
    let mut peers = Vec::new();
    for (number, name) in [(1, "ada"), (2, "ben")] {
        // What signalling would carry: our user name and password there, their certificate here.
        let credentials = Credentials {
            ufrag: name.to_owned(),
            password: format!("{name}-24-random-characters"),
        };
        let (id, room) = (PeerId(number), RoomId(1));
        let mut browser = Browser::new(now.mono);
        browser.told(credentials.clone());
        engine.order(now, Command::AddPeer { peer: id, room, credentials })?;
        let fingerprint = browser.fingerprint();
        engine.order(now, Command::ExpectFingerprint { peer: id, fingerprint })?;
        let address = SocketAddr::from(([10, 0, 0, u8::try_from(number)?], 5_000));
        peers.push(Peer { address, browser });
    }
    let start = now;
    while !peers.iter().all(|peer| peer.browser.is_connected()) {
        carry(&mut engine, &mut peers, now);
        now = now.later(Duration::from_millis(5));
    }
    carry(&mut engine, &mut peers, now); // the engine learns that the handshakes are done
    println!("connected after {:?}: {:?}", now.mono - start.mono, engine.events);
    let shown = Some(engine.fingerprint());
    println!("we are who we say: {}", peers.iter().all(|peer| peer.browser.seen() == shown));

    let [ada, ben] = [PeerId(1), PeerId(2)];
    let (track, publication) = (TrackId(1), camera("0", 4_711));
    engine.order(now, Command::Publish { track, peer: ada, publication })?;
    let subscription = subscription("0", 900);
    engine.order(now, Command::Subscribe { track, peer: ben, subscription })?;
    for picture in 0..3 {
        let (sequence, timestamp) = (100 + picture, u32::from(picture) * 3_000);
        let header = Header { marker: true, payload_type: 96, sequence, timestamp, ssrc: 4_711 };
        let payload = vp8(picture, picture == 0, true, 1_000);
        let packet = Outgoing { header, extensions: &[], payload: &payload };
        let ada = peers.first_mut().ok_or("nobody is here")?;
        ada.browser.send(&packet);
        carry(&mut engine, &mut peers, now);
        now = now.later(Duration::from_millis(33));
    }
    let ben = peers.last_mut().ok_or("nobody is here")?;
    for packet in ben.browser.received() {
        let (view, len) = (&packet.view, packet.payload().len());
        println!("ben: ssrc {} sequence {} {len} bytes", view.ssrc, view.sequence);
    }
    Ok(())
}

/// The network: all datagrams arrive at once.
fn carry(engine: &mut Engine, peers: &mut [Peer], now: Now) {
    for peer in &mut *peers {
        peer.browser.handle_timeout(now.mono);
        while let Some(mut datagram) = peer.browser.poll() {
            engine.receive(now, peer.address, &mut datagram);
        }
    }
    for (to, datagram) in engine.turn(now).iter() {
        if let Some(peer) = peers.iter_mut().find(|peer| peer.address == to) {
            peer.browser.handle(now.mono, datagram);
        }
    }
}
