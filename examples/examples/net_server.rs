//! The `net` server in a tokio program with signalling of its own: a line of text over TCP.
//!
//! A client sends the fingerprint of its certificate; it gets the media address, a user name, a
//! password and our fingerprint. Whoever comes first publishes a microphone, the others hear it.
#![allow(clippy::print_stdout, reason = "an example prints what happens")]

use std::net::SocketAddr;
use std::time::Duration;

use conf_examples::{now, speak};
use conf_media::command::{Event, Fingerprint, PeerId, RoomId, TrackId};
use conf_media::ice::Credentials;
use conf_media::net::{self, Media, MediaConfig};
use conf_media::room::Room;
use conf_media::test_util::{Browser, microphone, subscription};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let (sender, mut events) = tokio::sync::mpsc::unbounded_channel::<Event>();
    let config = MediaConfig { shards: 2, seed: 42, ..MediaConfig::default() };
    let media = net::start(config, Box::new(move |event| drop(sender.send(event))))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(signalling(listener, media.clone()));
    let (one, other) = tokio::join!(client(address), client(address));
    println!("{}\n{}", one?, other?);
    while let Ok(event) = events.try_recv() {
        println!("engine: {event:?}");
    }
    println!("{} packets forwarded", media.counters().packets_out);
    tokio::task::spawn_blocking(|| media.stop()).await?;
    Ok(())
}

/// One room: wishes go into its table, what the engine must be told comes out.
async fn signalling(listener: TcpListener, media: Media) -> Outcome<()> {
    let (mut room, track) = (Room::new(RoomId(1)), TrackId(1));
    for number in 1.. {
        let (stream, _) = listener.accept().await?;
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let (peer, password) = (PeerId(number), format!("{number}-and-23-random-letters"));
        let credentials = Credentials { ufrag: format!("peer{number}"), password };
        let Credentials { ufrag, password } = &credentials;
        let answer = format!("{ufrag} {password} {}\n", media.fingerprint());
        room.add_peer(peer, credentials);
        room.expect(peer, read(&line).ok_or("no fingerprint")?)?;
        match number {
            1 => room.publish(track, peer, microphone("0", 7))?,
            _ => room.subscribe(track, peer, subscription("0", 900))?,
        }
        while let Some(command) = room.poll() {
            media.send(command);
        }
        let candidate = media.candidates().first().ok_or("no address")?.address;
        stream.write_all(format!("{candidate} {answer}").as_bytes()).await?;
    }
    Ok(())
}

/// A far end: asks for a place, joins, sends a second of sound, tells what it heard.
async fn client(signalling: SocketAddr) -> Outcome<String> {
    let mut browser = Browser::new(now().mono);
    let mut stream = BufReader::new(TcpStream::connect(signalling).await?);
    stream.write_all(format!("{}\n", browser.fingerprint()).as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let [media, ufrag, password, ours] = words[..] else { return Err("four words".into()) };
    browser.told(Credentials { ufrag: ufrag.into(), password: password.into() });
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    socket.connect(media).await?;
    let (mut heard, mut buffer) = (0, [0; 2_048]);
    for sequence in 0..50 {
        speak(&mut browser, sequence);
        browser.handle_timeout(now().mono);
        while let Some(datagram) = browser.poll() {
            socket.send(&datagram).await?;
        }
        let step = Duration::from_millis(20);
        while let Ok(len) = tokio::time::timeout(step, socket.recv(&mut buffer)).await {
            browser.handle(now().mono, buffer.get(..len?).unwrap_or_default());
        }
        heard += browser.received().len();
    }
    let known = browser.seen().is_some_and(|seen| seen.to_string() == ours);
    Ok(format!("connected to whom we know: {known}, heard {heard} packets"))
}

/// 32 hex pairs with colons.
fn read(line: &str) -> Option<Fingerprint> {
    let mut bytes = [0; 32];
    let mut pairs = line.trim().split(':');
    for byte in &mut bytes {
        *byte = u8::from_str_radix(pairs.next()?, 16).ok()?;
    }
    Some(Fingerprint(bytes))
}
