//! The floor: a program that does for a load what any SFU has to do, and nothing else.
//!
//! It receives and opens each published packet once; copies, seals and sends it to each subscriber
//! with that one's own key, in the runs in which our server sends, by the same system calls. It
//! rewrites nothing, keeps nothing, reports nothing, and knows neither ICE nor DTLS: keys and
//! addresses come over a connection of its own ([`wire`]). What a server costs beyond it is its own.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use conf_media::egress::TxBatch;
use conf_media::ingress::RxBatch;
use conf_media::net::batch;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use socket2::Socket;

use fanout::Fanout;
use wire::{Answer, Request};

mod fanout;
pub(crate) mod wire;

/// The program with its ports.
#[derive(Debug)]
pub struct Floor {
    listener: TcpListener,
    socket: Socket,
}

impl Floor {
    /// Opens a TCP port for requests, and a UDP port of the same address for media.
    ///
    /// # Errors
    /// If an address cannot be had.
    pub fn bind(listen: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind((listen.ip(), 0)).context("no UDP port is free")?;
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        // As the server asks for; the system may give less.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        let listener = TcpListener::bind(listen);
        let listener = listener.with_context(|| format!("cannot listen on {listen}"))?;
        Ok(Self { listener, socket })
    }

    /// Where requests go.
    ///
    /// # Errors
    /// Of the system.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until the process ends.
    ///
    /// # Errors
    /// If a thread cannot be started, or no connection comes any more.
    pub fn serve(self) -> Result<()> {
        let media = self.socket.local_addr()?.as_socket().context("a socket without an address")?;
        let (requests, inbox) = channel();
        let socket = self.socket;
        Builder::new().name("floor-media".into()).spawn(move || forward(&socket, &inbox))?;
        for connection in self.listener.incoming() {
            let (requests, connection) = (requests.clone(), connection?);
            Builder::new().name("floor-asks".into()).spawn(move || {
                if let Err(error) = answer(&connection, media, &requests) {
                    eprintln!("conf-load floor: {error:#}");
                }
            })?;
        }
        Ok(())
    }
}

/// Answers each line of one connection.
fn answer(connection: &TcpStream, media: SocketAddr, requests: &Sender<Request>) -> Result<()> {
    let mut words = connection;
    for line in BufReader::new(connection).lines() {
        let request = serde_json::from_str(&line?).context("a line that is no request")?;
        requests.send(request).context("the media thread has ended")?;
        let mut answer = serde_json::to_string(&Answer { media })?;
        answer.push('\n');
        words.write_all(answer.as_bytes())?;
    }
    Ok(())
}

fn forward(socket: &Socket, inbox: &Receiver<Request>) {
    let (mut received, mut out) = (RxBatch::new(), TxBatch::new());
    let (mut receiver, mut sender) = (batch::Receiver::new(), batch::Sender::new(false));
    let mut fanout = Fanout::default();
    loop {
        wait(socket, fanout.timeout());
        let now = batch::now();
        for request in inbox.try_iter() {
            if let Err(error) = fanout.handle(request, &mut out) {
                eprintln!("conf-load floor: {error}");
            }
        }
        let _ = receiver.receive(socket, &mut received, now);
        fanout.forward(now.mono, &mut received, &mut out);
        if fanout.is_due(now.mono, &out) {
            sender.send(socket, &out);
            out.clear();
        }
    }
}

/// Until a datagram comes or what waits is due.
fn wait(socket: &Socket, timer: Option<Instant>) {
    let timeout = timer.map_or(IDLE, |at| at.saturating_duration_since(batch::now().mono));
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    let _ = ppoll(&mut ready, Some(TimeSpec::from(timeout)), None);
}

/// How often the thread looks for requests when nothing comes in.
const IDLE: Duration = Duration::from_millis(100);
/// As the server's.
const SOCKET_BUFFER: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::{self, Door, Local, Publish, Source, Subscribe, Terms};
    use crate::plan::{DoorKind, DoorPlan};
    use conf_media::command::{Fingerprint, Kind};
    use conf_media::srtp::{Opener, Profile, Sealer};

    fn socket() -> (UdpSocket, Local) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (ufrag, password) = (String::new(), String::new());
        let address = socket.local_addr().unwrap();
        (socket, Local { address, ufrag, password, fingerprint: Fingerprint([0; 32]) })
    }

    #[tokio::test]
    async fn a_packet_that_is_published_reaches_the_subscriber_under_its_own_key() {
        let floor = Floor::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", floor.address().unwrap());
        std::thread::spawn(move || floor.serve());
        let plan = DoorPlan { kind: DoorKind::Floor, url, credentials: None, room: "load".into() };
        let profile = Profile::AesCm128HmacSha1_80;
        let door = door::floor::Floor::new(&plan, profile).unwrap();
        let terms = Terms { nack: false, twcc: false, levels: false };
        let ((speaks, local), name) = (socket(), "p0".to_owned());
        let sources = vec![Source { kind: Kind::Audio, ssrc: 7 }];
        let publisher = door.publish(&Publish { local, name, sources, terms }).await.unwrap();
        let ((listens, local), name) = (socket(), "p1".to_owned());
        let subscribe = Subscribe { local, name, audio: 1, video: 0, terms };
        let subscriber = door.subscribe(&subscribe).await.unwrap();

        let mut packet = vec![0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 42];
        packet.resize(13 + profile.rtp_tag_len(), 0);
        let keys = publisher.keys.unwrap();
        Sealer::new(profile, &keys.local).unwrap().seal_rtp(&mut packet, 13).unwrap();
        let media = publisher.remote.candidates[0];
        speaks.send_to(&packet, media).unwrap();
        let (mut buffer, keys) = ([0; 100], subscriber.keys.unwrap());
        let (len, from) = listens.recv_from(&mut buffer).unwrap();
        assert_eq!(from, media);
        let mut opener = Opener::new(profile, &keys.remote).unwrap();
        assert_eq!(opener.open_rtp(&mut buffer[..len]), Ok(13));
        assert_eq!(buffer[12], 42);
    }
}
