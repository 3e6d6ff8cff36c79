//! One connection: its socket, what is torn of the stream that comes in, what waits to go out.

use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use mio::net::TcpStream;

use crate::tcp::backlog::Backlog;
use crate::tcp::framing::{Deframer, FrameError};

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    /// The other end closed it.
    #[error("closed by the other end")]
    Closed,
    /// The system says so.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It carries something else.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It is not proven, and what came is no check.
    #[error("something else than a check before the first valid one")]
    NoCheck,
}

/// What a reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// All that was there.
    Everything,
    /// There may be more: read again after the others.
    More,
}

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// As the shards know it.
    pub(super) address: SocketAddr,
    /// The media thread that gets what comes.
    pub(super) lane: usize,
    deframer: Deframer,
    backlog: Backlog,
    /// The socket took everything when it was last asked.
    writable: bool,
    /// It is among those to be read.
    pub(super) listed: bool,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, address: SocketAddr, lane: usize) -> Self {
        let (deframer, backlog) = (Deframer::default(), Backlog::default());
        Self { stream, address, lane, deframer, backlog, writable: true, listed: false }
    }

    /// Reads a part of what is there and hands out what is whole; `take` says whether to go on.
    pub(super) fn read(
        &mut self,
        buffer: &mut [u8],
        mut take: impl FnMut(SocketAddr, &[u8]) -> bool,
    ) -> Result<Read, End> {
        for _ in 0..READS {
            match self.stream.read(buffer) {
                Ok(0) => return Err(End::Closed),
                Ok(len) => {
                    let (address, mut good) = (self.address, true);
                    let bytes = buffer.get(..len).unwrap_or_default();
                    self.deframer.feed(bytes, |datagram| good = good && take(address, datagram))?;
                    if !good {
                        return Err(End::NoCheck);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Read::Everything);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Read::More)
    }

    /// Queues a datagram; returns how many were left out for it. [`Connection::flush`] comes later.
    pub(super) fn push(&mut self, now: Instant, datagram: &[u8]) -> usize {
        self.backlog.push(now, datagram)
    }

    /// The socket takes something again.
    pub(super) fn can_write(&mut self) -> Result<(), End> {
        self.writable = true;
        self.flush()
    }

    /// Writes what the socket takes.
    pub(super) fn flush(&mut self) -> Result<(), End> {
        while self.writable && !self.backlog.is_empty() {
            match self.stream.write_vectored(&self.backlog.pieces()) {
                Ok(0) => return Err(End::Closed),
                Ok(count) => self.backlog.wrote(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// System calls for one connection before others have their turn.
const READS: usize = 8;
