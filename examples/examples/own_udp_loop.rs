//! The sans-IO engine in a UDP loop of one's own: one socket, one thread, no runtime.
//!
//! Two browsers join over loopback, one sends sound, the other hears it. `conf_media::net` does the
//! same with batches, segmentation offload and pinned threads; this is for who has a loop already.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use std::net::UdpSocket;
use std::time::Duration;

use conf_examples::{Engine, now, speak};
use conf_media::command::{Command, PeerId, RoomId, TrackId};
use conf_media::ice::Credentials;
use conf_media::test_util::{Browser, microphone, subscription};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let server = socket.local_addr()?;
    let mut engine = Engine::new(42)?;
    let mut browsers = Vec::new();
    for number in [1, 2] {
        let password = format!("{number}-and-23-random-letters");
        let credentials = Credentials { ufrag: format!("peer{number}"), password };
        let (peer, room, mut browser) = (PeerId(number), RoomId(1), Browser::new(now().mono));
        browser.told(credentials.clone());
        engine.order(now(), Command::AddPeer { peer, room, credentials })?;
        let fingerprint = browser.fingerprint();
        engine.order(now(), Command::ExpectFingerprint { peer, fingerprint })?;
        browsers.push(browser);
    }
    let (track, peer, publication) = (TrackId(1), PeerId(1), microphone("0", 7));
    engine.order(now(), Command::Publish { track, peer, publication })?;
    let (peer, subscription) = (PeerId(2), subscription("0", 900));
    engine.order(now(), Command::Subscribe { track, peer, subscription })?;
    let far: Vec<_> = browsers
        .into_iter()
        .map(|browser| std::thread::spawn(move || browse(browser, server)))
        .collect();
    while far.iter().any(|browser| !browser.is_finished()) {
        turn(&socket, &mut engine)?;
    }
    println!("reported: {:?}", engine.events);
    for browser in far {
        println!("{}", browser.join().map_err(|_| "a browser panicked")??);
    }
    Ok(())
}

/// The loop: waits for a datagram or a timer, hands it in, sends what comes out.
fn turn(socket: &UdpSocket, engine: &mut Engine) -> Outcome<()> {
    let wait = engine.timeout().map(|at| at.saturating_duration_since(now().mono));
    let wait = wait.unwrap_or(STEP).clamp(Duration::from_micros(100), STEP);
    socket.set_read_timeout(Some(wait))?;
    let mut buffer = [0; 2_048];
    if let Ok((len, from)) = socket.recv_from(&mut buffer) {
        engine.receive(now(), from, buffer.get_mut(..len).unwrap_or_default());
    }
    for (to, datagram) in engine.turn(now()).iter() {
        socket.send_to(datagram, to)?;
    }
    Ok(())
}

/// A far end: joins, sends a second of sound, tells what it heard.
fn browse(mut browser: Browser, server: std::net::SocketAddr) -> Outcome<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(STEP))?;
    let (start, mut sequence, mut heard) = (now().mono, 0, 0);
    while now().mono < start + Duration::from_secs(1) {
        speak(&mut browser, sequence);
        sequence += 1;
        browser.handle_timeout(now().mono);
        while let Some(datagram) = browser.poll() {
            socket.send(&datagram)?;
        }
        let mut buffer = [0; 2_048];
        while let Ok(len) = socket.recv(&mut buffer) {
            browser.handle(now().mono, buffer.get(..len).unwrap_or_default());
        }
        heard += browser.received().len();
    }
    Ok(format!("connected: {}, heard {heard} packets", browser.is_connected()))
}

/// The longest wait.
const STEP: Duration = Duration::from_millis(20);
