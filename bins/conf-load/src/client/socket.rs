//! The UDP sockets of clients: batches in, with the kernel's time stamps, and bursts out.
//!
//! Segments are not merged on receiving (no `UDP_GRO`): on loopback a receiver that takes merged
//! segments spares the *server* the work of cutting them, so its cost would look lower than to any
//! real receiver.

use std::io::{IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd as _;

use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, sendmmsg, setsockopt, sockopt,
};

/// Opens a socket that never blocks and stamps what comes.
pub(super) fn open(ip: IpAddr) -> std::io::Result<UdpSocket> {
    let address = SocketAddr::new(ip, 0);
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    let _ = socket.set_recv_buffer_size(BUFFER); // the system may give less
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Receives batches from any socket: memory of one thread.
pub(super) struct Batch {
    headers: MultiHeaders<()>,
    bytes: Vec<u8>,
    filled: [Option<Received>; SLOTS],
}

/// One datagram's length and the kernel's stamp (nanoseconds since 1970).
#[derive(Clone, Copy, Debug)]
struct Received {
    len: usize,
    nanos: u64,
}

impl Batch {
    pub(super) fn new() -> Self {
        let control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        Self {
            headers: MultiHeaders::preallocate(SLOTS, Some(control)),
            bytes: vec![0; SLOTS * SLOT],
            filled: [None; SLOTS],
        }
    }

    /// What the socket holds, up to a batch; `true` if there may be more.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> bool {
        self.filled = [None; SLOTS];
        let mut slots = self.bytes.chunks_exact_mut(SLOT);
        let mut vectors: [[IoSliceMut<'_>; 1]; SLOTS] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let Ok(messages) =
            recvmmsg(socket.as_raw_fd(), &mut self.headers, vectors.iter_mut(), flags, None)
        else {
            return false; // nothing there, or an ICMP error of a server that is gone
        };
        let mut count = 0;
        for (place, message) in self.filled.iter_mut().zip(messages) {
            let stamps = message.cmsgs().ok();
            let stamp = stamps.and_then(|mut stamps| stamps.find_map(nanos));
            *place = Some(Received { len: message.bytes, nanos: stamp.unwrap_or_default() });
            count += 1;
        }
        count == SLOTS
    }

    /// Datagrams with their stamps, in order of arrival.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (u64, &mut [u8])> {
        let slots = self.bytes.chunks_exact_mut(SLOT);
        slots.zip(self.filled.iter().map_while(|received| *received)).map(|(slot, received)| {
            (received.nanos, slot.get_mut(..received.len).unwrap_or_default())
        })
    }
}

fn nanos(message: ControlMessageOwned) -> Option<u64> {
    let ControlMessageOwned::ScmTimestampns(stamp) = message else { return None };
    let (seconds, nanos) = (u64::try_from(stamp.tv_sec()), u64::try_from(stamp.tv_nsec()));
    Some(seconds.ok()? * 1_000_000_000 + nanos.ok()?)
}

/// Sends bursts: memory of one thread.
pub(super) struct Outbox {
    headers: MultiHeaders<()>,
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self { headers: MultiHeaders::preallocate(MOST, None) }
    }

    /// Sends datagrams over a connected socket with as few calls as possible; how many went out.
    pub(super) fn send(&mut self, socket: &UdpSocket, datagrams: &[&[u8]]) -> usize {
        let nowhere = [None; MOST];
        let mut sent = 0;
        while let Some(rest) = datagrams.get(sent..).filter(|rest| !rest.is_empty()) {
            let vectors: Vec<_> = rest.iter().take(MOST).map(|one| [IoSlice::new(one)]).collect();
            let flags = MsgFlags::MSG_DONTWAIT;
            let call =
                sendmmsg(socket.as_raw_fd(), &mut self.headers, &vectors, nowhere, [], flags);
            match call {
                Ok(messages) => sent += messages.count().max(1),
                Err(Errno::EINTR) => {}
                Err(_) => break,
            }
        }
        sent
    }
}

/// Datagrams of one call: a picture for one subscriber is about five.
const SLOTS: usize = 16;
/// Longer ones are cut, and then do not authenticate.
const SLOT: usize = 2_048;
/// Of one burst.
const MOST: usize = 64;
/// A second of video.
const BUFFER: usize = 1 << 18;
