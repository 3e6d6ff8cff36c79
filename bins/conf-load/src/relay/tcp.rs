//! Byte streams: each connection has one to the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use conf_media::sim::{Cause, Fate};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinSet;

use super::Shared;
use super::line::Line;

/// Tasks that end with the relay.
pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    shared: &Arc<Shared>,
    rebinds: Vec<Instant>,
) {
    tasks.spawn(accept(listener, shared.clone(), rebinds));
}

/// Connections, and the moments at which a NAT forgets all of them.
async fn accept(listener: TcpListener, shared: Arc<Shared>, rebinds: Vec<Instant>) {
    let mut connections = JoinSet::new();
    let mut rebinds = rebinds.into_iter().peekable();
    loop {
        let rebind = rebinds.peek().copied();
        let at = rebind.unwrap_or_else(|| crate::clock::now() + super::FOREVER);
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                if connections.len() >= MOST_CONNECTIONS {
                    shared.counts.refuse();
                } else {
                    connections.spawn(carry(client, shared.clone()));
                }
            }
            () = tokio::time::sleep_until(at.into()) => {
                rebinds.next();
                connections.abort_all();
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// One connection, until either side ends it.
async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.to).await else {
        shared.counts.refuse();
        return;
    };
    shared.counts.connection();
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (up_sender, up) = channel(PIECES);
    let (down_sender, down) = channel(PIECES);
    // A side that has said all it will may still listen: each direction ends by itself.
    tokio::join!(
        read(from_client, &shared.up, up_sender),
        read(from_server, &shared.down, down_sender),
        write(to_server, up),
        write(to_client, down),
    );
}

type Piece = (Instant, Vec<u8>);

async fn read(mut from: OwnedReadHalf, line: &Line, pieces: tokio::sync::mpsc::Sender<Piece>) {
    let mut buffer = vec![0; SEGMENT];
    let mut last = crate::clock::now();
    while let Ok(len @ 1..) = from.read(&mut buffer).await {
        last = last.max(arrival(line, len).await);
        let bytes = buffer.get(..len).unwrap_or_default().to_vec();
        if pieces.send((last, bytes)).await.is_err() {
            return;
        }
    }
}

/// When a piece arrives, with what it takes to repair its losses.
async fn arrival(line: &Line, bytes: usize) -> Instant {
    let mut late = Duration::ZERO;
    loop {
        match line.push(bytes) {
            Fate::Arrives(at) | Fate::Twice(at, _) => return at + late,
            Fate::Lost(Cause::Queue) => tokio::time::sleep(FULL).await,
            // Nothing gets through at all: later.
            Fate::Lost(_) if late >= MOST_LATE => tokio::time::sleep(RETRANSMISSION).await,
            Fate::Lost(_) => late += RETRANSMISSION,
        }
    }
}

async fn write(mut to: OwnedWriteHalf, mut pieces: Receiver<Piece>) {
    while let Some((at, bytes)) = pieces.recv().await {
        tokio::time::sleep_until(at.into()).await;
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// How much later a piece comes that was lost: the least timeout of Linux.
pub(super) const RETRANSMISSION: Duration = Duration::from_millis(200);
/// After so much of it, nothing is taken in any more until something gets through.
const MOST_LATE: Duration = Duration::from_secs(2);
/// How long is waited for room in the queue of the link.
const FULL: Duration = Duration::from_millis(2);
/// What is sent as one packet.
const SEGMENT: usize = 1_448;
/// Pieces under way in one direction of a connection: 1.5 MB.
const PIECES: usize = 1_024;
const MOST_CONNECTIONS: usize = 1_000;
