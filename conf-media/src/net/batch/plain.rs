//! One datagram a system call, on any Unix.

use std::io;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, SockaddrStorage, recvfrom, sendto};
use socket2::Socket;

use super::super::{canonical, for_socket};
use super::{MAX_WAITS, Reach, Sent, drained, socket_address};
use crate::egress::TxBatch;
use crate::ingress::{Message, RxBatch};
use crate::time::Now;

/// The receiving half.
#[derive(Debug, Default)]
pub struct Receiver {
    _private: (),
}

impl Receiver {
    /// Needs no memory of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills `batch` with what the socket holds, without waiting; returns how many datagrams came.
    ///
    /// # Errors
    /// Of the system call, except that nothing came.
    pub fn receive(&mut self, socket: &Socket, batch: &mut RxBatch, now: Now) -> io::Result<usize> {
        batch.clear();
        for _ in 0..RxBatch::SLOTS {
            let taken = batch.len();
            let Some(slot) = batch.slots_mut().nth(taken) else { break };
            match recvfrom::<SockaddrStorage>(socket.as_raw_fd(), slot) {
                Ok((len, from)) => {
                    // One without sender or bytes is overwritten by the next one.
                    let from = from.as_ref().and_then(socket_address).filter(|_| len > 0);
                    if let Some(from) = from {
                        let (from, arrival) = (canonical(from), now.mono);
                        batch.take(Some(Message { from, len, segment: None, arrival }));
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => break,
                Err(errno) if batch.is_empty() => return Err(errno.into()),
                Err(_) => break,
            }
        }
        Ok(batch.len())
    }
}

/// The sending half.
#[derive(Debug)]
pub struct Sender {
    reach: Reach,
}

impl Sender {
    /// For a socket that is, or is not, one for both families.
    #[must_use]
    pub fn new(dual: bool) -> Self {
        Self::with(Reach { dual, only_v6: None })
    }

    /// For a socket beside one of the other family.
    #[must_use]
    pub fn of_family(v6: bool) -> Self {
        Self::with(Reach { dual: false, only_v6: Some(v6) })
    }

    fn with(reach: Reach) -> Self {
        Self { reach }
    }

    /// Sends all of `batch`. What the socket does not take within milliseconds is dropped, as a full
    /// router would: the receivers ask again for what they miss.
    pub fn send(&mut self, socket: &Socket, batch: &TxBatch) -> Sent {
        let (mut sent, mut waits) = (Sent::default(), 0);
        for (to, datagram) in batch.iter() {
            if !self.reach.is_for(to) {
                sent.passed_over += 1;
                continue;
            }
            let to = SockaddrStorage::from(for_socket(to, self.reach.dual));
            let taken = loop {
                let flags = MsgFlags::MSG_DONTWAIT;
                match sendto(socket.as_raw_fd(), datagram, &to, flags) {
                    Ok(_) => break true,
                    Err(Errno::EINTR) => {}
                    Err(Errno::EAGAIN) if waits < MAX_WAITS && drained(socket) => waits += 1,
                    Err(_) => break false, // this destination only: try the ones behind it
                }
            };
            sent.messages += usize::from(taken);
            sent.refused += usize::from(!taken);
        }
        sent
    }
}
