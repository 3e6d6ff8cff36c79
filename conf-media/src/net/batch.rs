//! Batched UDP: many datagrams per system call, in both directions, and the one reading of the
//! clock per batch.
//!
//! Receiving uses the safe wrapper. Sending does not: one call must carry runs of different
//! segment sizes (`UDP_SEGMENT`, Linux `udp(7)`), each gathered from pieces that are not adjacent,
//! and the wrapper shares one control message among all.
#![allow(unsafe_code, reason = "sendmmsg with a segment size per message has no safe wrapper")]

use std::io::{self, IoSliceMut};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Instant;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrLike, SockaddrStorage, recvmmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::{NetError, address, canonical, for_socket};
use crate::egress::{RunView, TxBatch};
use crate::ingress::RxBatch;
use crate::time::Now;

/// Both clocks, read once for a batch.
#[must_use]
pub fn now() -> Now {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clocks")]
    Now { mono: Instant::now(), wall: jiff::Timestamp::now() }
}

/// Opens the UDP port, never blocking, with buffers as large as the system gives.
pub(super) fn bind(address: SocketAddr) -> Result<Socket, NetError> {
    open(address, false).map_err(|cause| NetError::Listen { address, cause })
}

/// Opens the UDP port with several sockets; the kernel brings all datagrams between two addresses
/// to the same one (`SO_REUSEPORT`, Linux `socket(7)`).
pub(super) fn bind_all(address: SocketAddr, count: usize) -> Result<Vec<Socket>, NetError> {
    // Alone first: a port that another program shares would be shared with it, unnoticed.
    let only = bind(address)?;
    if count <= 1 {
        return Ok(vec![only]);
    }
    let address = local_address(&only, address)?;
    drop(only);
    let socket = |_| open(address, true).map_err(|cause| NetError::Listen { address, cause });
    (0..count).map(socket).collect()
}

fn open(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    if shared {
        setsockopt(&socket, sockopt::ReusePort, &true)?;
    }
    socket.set_nonblocking(true)?;
    // A keyframe for many subscribers is a burst; the system may give less (net.core.rmem_max).
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Where the socket really listens: the port is known only afterwards if it was 0.
pub(super) fn local_address(socket: &Socket, asked: SocketAddr) -> Result<SocketAddr, NetError> {
    let fail = |cause| NetError::Listen { address: asked, cause };
    let local = socket.local_addr().map_err(fail)?;
    local.as_socket().ok_or_else(|| fail(io::ErrorKind::AddrNotAvailable.into()))
}

/// The receiving half: headers for one [`RxBatch`], allocated once.
pub struct Receiver {
    headers: MultiHeaders<SockaddrStorage>,
}

impl Receiver {
    /// With room for a whole batch.
    #[must_use]
    pub fn new() -> Self {
        Self { headers: MultiHeaders::preallocate(RxBatch::SLOTS, None) }
    }

    /// Fills `batch` with what the socket holds, without waiting; returns how many came.
    ///
    /// # Errors
    /// Of the system call, except that nothing came.
    pub fn receive(&mut self, socket: &Socket, batch: &mut RxBatch) -> io::Result<usize> {
        let mut senders: [Option<(SocketAddr, usize)>; RxBatch::SLOTS] = [None; RxBatch::SLOTS];
        let mut slots = batch.slots_mut();
        let mut vectors: [[IoSliceMut<'_>; 1]; RxBatch::SLOTS] =
            std::array::from_fn(|_| [IoSliceMut::new(slots.next().unwrap_or_default())]);
        let received = recvmmsg(
            socket.as_raw_fd(),
            &mut self.headers,
            vectors.iter_mut(),
            MsgFlags::MSG_DONTWAIT,
            None,
        );
        match received {
            Ok(messages) => {
                for (sender, message) in senders.iter_mut().zip(messages) {
                    let from = message.address.as_ref().and_then(socket_address);
                    *sender = from.map(|from| (canonical(from), message.bytes));
                }
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(errno) => return Err(errno.into()),
        }
        drop(slots);
        let mut filled = 0;
        for (slot, sender) in senders.into_iter().enumerate() {
            let Some((from, len)) = sender else { break };
            batch.set(slot, from, len);
            filled = slot + 1;
        }
        batch.set_filled(filled);
        Ok(filled)
    }
}

impl Default for Receiver {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receiver")
    }
}

fn socket_address(raw: &SockaddrStorage) -> Option<SocketAddr> {
    let ip = address::ip(raw)?;
    let port = match (raw.as_sockaddr_in(), raw.as_sockaddr_in6()) {
        (Some(v4), _) => v4.port(),
        (_, Some(v6)) => v6.port(),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Messages that the kernel took; a run in one message counts once.
    pub messages: usize,
    /// Messages that it refused: the send buffer is full, or the destination unreachable.
    pub refused: usize,
}

/// The sending half: headers, vectors and control messages, allocated once and reused.
#[derive(Debug)]
pub struct Sender {
    dual: bool,
    /// Cleared for good when the kernel or the network card refuses segmentation.
    segmentation: bool,
    messages: Vec<Message>,
    vectors: Vec<Piece>,
}

/// One message in the making: where it goes and which of the vectors are its own.
#[derive(Clone, Debug)]
struct Message {
    to: SockaddrStorage,
    first: usize,
    count: usize,
    /// `None` for a single datagram.
    segment: Option<u16>,
}

/// A piece of a message: bytes in the batch that is being sent. Laid out as the kernel reads it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Piece(libc::iovec);

impl From<&[u8]> for Piece {
    fn from(bytes: &[u8]) -> Self {
        let base = bytes.as_ptr().cast_mut().cast();
        Self(libc::iovec { iov_base: base, iov_len: bytes.len() })
    }
}

impl Sender {
    /// For a socket that is, or is not, one for both families.
    #[must_use]
    pub fn new(dual: bool) -> Self {
        Self { dual, segmentation: true, messages: Vec::new(), vectors: Vec::new() }
    }

    /// Sends all of `batch`. What the socket does not take within milliseconds is dropped, as a full
    /// router would: the receivers ask again for what they miss.
    pub fn send(&mut self, socket: &Socket, batch: &TxBatch) -> Sent {
        self.messages.clear();
        self.vectors.clear();
        for run in batch.runs() {
            self.add(run);
        }
        let mut sent = Sent::default();
        let (mut at, mut waits) = (0, 0);
        while let Some(rest) = self.messages.get(at..).filter(|rest| !rest.is_empty()) {
            let chunk = rest.get(..rest.len().min(CHUNK)).unwrap_or(rest);
            match call(socket.as_raw_fd(), chunk, &self.vectors) {
                Ok(count) => {
                    sent.messages += count;
                    at += count.max(1);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if waits < MAX_WAITS && drained(socket) => waits += 1,
                Err(Errno::EAGAIN) => {
                    sent.refused += rest.len();
                    break;
                }
                Err(errno) if self.split(at, errno) => {}
                Err(_) => {
                    sent.refused += 1; // this destination only: try the ones behind it
                    at += 1;
                }
            }
        }
        sent
    }

    fn add(&mut self, run: RunView<'_>) {
        let to = SockaddrStorage::from(for_socket(run.to(), self.dual));
        if self.segmentation && run.segments() > 1 {
            let first = self.vectors.len();
            self.vectors.extend(run.datagrams().map(Piece::from));
            let count = self.vectors.len() - first;
            self.messages.push(Message { to, first, count, segment: Some(run.segment_size()) });
            return;
        }
        for datagram in run.datagrams() {
            self.messages.push(Message { to, first: self.vectors.len(), count: 1, segment: None });
            self.vectors.push(datagram.into());
        }
    }

    /// Turns a run that was refused into single datagrams; false if it is none. EIO means that the
    /// network card cannot segment, for good; anything else may be due to this path's MTU.
    fn split(&mut self, at: usize, errno: Errno) -> bool {
        if self.messages.get(at).is_none_or(|message| message.segment.is_none()) {
            return false;
        }
        let card = errno == Errno::EIO;
        self.segmentation &= !card;
        let end = if card { self.messages.len() } else { at + 1 };
        let runs: Vec<Message> = self.messages.get(at..end).unwrap_or_default().to_vec();
        let singles = runs.iter().flat_map(|run| {
            let pieces = run.first..run.first + run.count;
            pieces.map(|first| Message { first, count: 1, segment: None, ..run.clone() })
        });
        self.messages.splice(at..end, singles);
        true
    }
}

/// Waits a moment for the send buffer to empty: a burst of keyframes fills it.
fn drained(socket: &Socket) -> bool {
    let mut ready = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    poll(&mut ready, PollTimeout::from(DRAIN_MILLIS)).is_ok_and(|count| count > 0)
}

/// Room for one `UDP_SEGMENT` control message, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL]);

/// Sends up to [`CHUNK`] messages with one system call; returns how many the kernel took.
fn call(fd: RawFd, messages: &[Message], pieces: &[Piece]) -> Result<usize, Errno> {
    let mut headers: [mem::MaybeUninit<libc::mmsghdr>; CHUNK] =
        [const { mem::MaybeUninit::uninit() }; CHUNK];
    let mut controls = [Control([0; CONTROL]); CHUNK];
    let count = messages.len().min(CHUNK);
    for ((header, control), message) in headers.iter_mut().zip(&mut controls).zip(messages) {
        let vectors = pieces.get(message.first..message.first + message.count).unwrap_or_default();
        header.write(libc::mmsghdr { msg_hdr: fill(message, vectors, control), msg_len: 0 });
    }
    let length = libc::c_uint::try_from(count).unwrap_or(0);
    // SAFETY: the first `count` headers are initialised above, and each points at an address, at
    // vectors and at a control buffer that outlive this call: `messages` and `pieces` are borrowed,
    // `controls` lives in this frame. The pieces point into the batch that `Sender::send` borrows
    // for as long as it uses them. The kernel writes only `msg_len`.
    let sent =
        unsafe { libc::sendmmsg(fd, headers.as_mut_ptr().cast(), length, libc::MSG_DONTWAIT) };
    Errno::result(sent).map(|sent| usize::try_from(sent).unwrap_or(0))
}

fn fill(message: &Message, vectors: &[Piece], control: &mut Control) -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid `msghdr`: null pointers and lengths of 0.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = message.to.as_ptr().cast_mut().cast();
    header.msg_namelen = message.to.len();
    header.msg_iov = vectors.as_ptr().cast_mut().cast();
    header.msg_iovlen = vectors.len() as _;
    let Some(segment) = message.segment else { return header };
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = CONTROL as _;
    // SAFETY: `msg_control` points at CONTROL bytes, aligned to 8, which is CMSG_SPACE of a u16, so
    // that the first control header and its data lie inside; the data is written unaligned.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        if let Some(first) = first.as_mut() {
            first.cmsg_level = libc::SOL_UDP;
            first.cmsg_type = libc::UDP_SEGMENT;
            first.cmsg_len = libc::CMSG_LEN(SEGMENT_BYTES) as _;
            libc::CMSG_DATA(first).cast::<u16>().write_unaligned(segment);
        }
    }
    header
}

/// Messages of one call; the kernel takes at most 1,024.
const CHUNK: usize = 64;
/// Of one batch.
const MAX_WAITS: usize = 4;
/// At 1 Gbit/s the usual buffer of 200 kB is empty in 2 ms.
const DRAIN_MILLIS: u8 = 5;
const SEGMENT_BYTES: u32 = 2;
// SAFETY: arithmetic on a constant.
const CONTROL: usize = unsafe { libc::CMSG_SPACE(SEGMENT_BYTES) } as usize;
/// 8 MiB: about 60 ms at 1 Gbit/s.
const SOCKET_BUFFER: usize = 8 << 20;
