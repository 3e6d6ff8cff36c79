//! Many datagrams per system call, in both directions.
//!
//! One call carries runs of different segment sizes (`UDP_SEGMENT`, Linux `udp(7)`), each gathered
//! from pieces that are not adjacent; the safe wrapper shares one control message among all. And it
//! hands the lengths that the kernel wrote to the next call of `recvmmsg`, where they leave no room
//! for segment sizes (`UDP_GRO`) and time stamps.
#![allow(unsafe_code, reason = "batched calls with control messages have no usable safe wrapper")]

use std::os::fd::{AsRawFd, RawFd};
use std::time::{Duration, Instant};
use std::{io, mem, ptr};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{SockaddrLike, SockaddrStorage, getsockopt, sockopt};
use socket2::Socket;

use super::super::{canonical, for_socket};
use super::{MAX_WAITS, Reach, Sent, drained, socket_address};
use crate::egress::{RunView, TxBatch};
use crate::ingress::{Message, RxBatch};
use crate::time::Now;

/// The receiving half: room for the senders and the control messages of one [`RxBatch`], allocated
/// once.
pub struct Receiver {
    senders: Vec<libc::sockaddr_storage>,
    controls: Vec<RxControl>,
}

/// Room for the control messages of one received message: its segment size, its time.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct RxControl([u8; RX_CONTROL]);

impl Receiver {
    /// With room for a whole batch.
    #[must_use]
    pub fn new() -> Self {
        // SAFETY: all-zero bytes are a valid `sockaddr_storage`.
        let nobody: libc::sockaddr_storage = unsafe { mem::zeroed() };
        Self {
            senders: vec![nobody; RxBatch::SLOTS],
            controls: vec![RxControl([0; RX_CONTROL]); RxBatch::SLOTS],
        }
    }

    /// Fills `batch` with what the socket holds, without waiting; returns how many datagrams came.
    /// Each has the time that the kernel stamped on it, as far as it does, and `now` at the latest.
    ///
    /// # Errors
    /// Of the system call, except that nothing came.
    pub fn receive(&mut self, socket: &Socket, batch: &mut RxBatch, now: Now) -> io::Result<usize> {
        batch.clear();
        let nothing = libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut vectors = [nothing; RxBatch::SLOTS];
        let mut headers: [mem::MaybeUninit<libc::mmsghdr>; RxBatch::SLOTS] =
            [const { mem::MaybeUninit::uninit() }; RxBatch::SLOTS];
        let mut count: libc::c_uint = 0;
        let places = self.senders.iter_mut().zip(&mut self.controls).zip(batch.slots_mut());
        for ((header, vector), ((sender, control), slot)) in
            headers.iter_mut().zip(&mut vectors).zip(places)
        {
            *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            let msg_hdr = empty(vector, sender, control);
            header.write(libc::mmsghdr { msg_hdr, msg_len: 0 });
            count += 1;
        }
        let first = headers.as_mut_ptr().cast();
        // SAFETY: the first `count` headers are initialised above; each points at a slot of `batch`,
        // which nobody else touches before the call returns, at a place of `senders` and one of
        // `controls`, with their lengths. No time-out is given.
        let received = unsafe {
            libc::recvmmsg(socket.as_raw_fd(), first, count, libc::MSG_DONTWAIT, ptr::null_mut())
        };
        let received = match Errno::result(received) {
            Ok(received) => usize::try_from(received).unwrap_or(0),
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        for header in headers.iter().take(received) {
            // SAFETY: `received` is at most `count`, and those headers are initialised; the kernel
            // wrote the lengths of address and control messages into them.
            batch.take(unsafe { read(header.assume_init_ref(), now) });
        }
        Ok(batch.len())
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

/// A header for a message to come.
fn empty(
    vector: &mut libc::iovec,
    sender: &mut libc::sockaddr_storage,
    control: &mut RxControl,
) -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid `msghdr`: null pointers and lengths of 0.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = ptr::from_mut(sender).cast();
    header.msg_namelen = SENDER;
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = RX_CONTROL as _;
    header
}

/// What the kernel wrote into a header; `None` without a sender.
///
/// # Safety
/// Address and control messages of the header are initialised, for the lengths that it says.
unsafe fn read(header: &libc::mmsghdr, now: Now) -> Option<Message> {
    let message = &header.msg_hdr;
    let (mut segment, mut arrival) = (None, now.mono);
    // SAFETY: the caller's promise. `CMSG_NXTHDR` stays within `msg_controllen`, and the kernel
    // writes whole messages only; their data is read unaligned.
    let sender = unsafe {
        let mut next = libc::CMSG_FIRSTHDR(message);
        while let Some(control) = next.as_ref() {
            let data = libc::CMSG_DATA(control);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    segment = usize::try_from(data.cast::<libc::c_int>().read_unaligned()).ok();
                }
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    arrival = arrived(now, data.cast::<libc::timespec>().read_unaligned());
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(message, control);
        }
        SockaddrStorage::from_raw(message.msg_name.cast(), Some(message.msg_namelen))
    };
    let from = sender.as_ref().and_then(socket_address)?;
    let len = usize::try_from(header.msg_len).ok()?;
    Some(Message { from: canonical(from), len, segment, arrival })
}

/// The moment of a time stamp on the other clock. One that lies in the future, or longer ago than a
/// datagram waits, is from a clock that was set: then it came just now.
fn arrived(now: Now, stamp: libc::timespec) -> Instant {
    let stamp = i128::from(stamp.tv_sec) * 1_000_000_000 + i128::from(stamp.tv_nsec);
    let ago = u64::try_from(now.wall.as_nanosecond() - stamp).map(Duration::from_nanos);
    match ago {
        Ok(ago) if ago < LONGEST_WAIT => now.mono.checked_sub(ago).unwrap_or(now.mono),
        _ => now.mono,
    }
}

/// The sending half: headers, vectors and control messages, allocated once and reused.
#[derive(Debug)]
pub struct Sender {
    reach: Reach,
    /// The kernel segments; false for good when it or the network card refuses. `None`: not asked
    /// yet.
    segmentation: Option<bool>,
    messages: Vec<Outgoing>,
    vectors: Vec<Piece>,
    headers: Vec<libc::mmsghdr>,
    controls: Vec<Control>,
}

/// One message in the making: where it goes and which of the vectors are its own.
#[derive(Clone, Debug)]
struct Outgoing {
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
        Self::with(Reach { dual, only_v6: None })
    }

    /// For a socket beside one of the other family.
    #[must_use]
    pub fn of_family(v6: bool) -> Self {
        Self::with(Reach { dual: false, only_v6: Some(v6) })
    }

    fn with(reach: Reach) -> Self {
        Self {
            reach,
            segmentation: None,
            messages: Vec::new(),
            vectors: Vec::new(),
            headers: Vec::with_capacity(CHUNK),
            controls: Vec::with_capacity(CHUNK),
        }
    }

    /// Sends all of `batch`. What the socket does not take within milliseconds is dropped, as a full
    /// router would: the receivers ask again for what they miss.
    pub fn send(&mut self, socket: &Socket, batch: &TxBatch) -> Sent {
        self.messages.clear();
        self.vectors.clear();
        // A kernel before 4.18 would send a run as one datagram.
        let asked = || getsockopt(socket, sockopt::UdpGsoSegment).is_ok();
        let segmentation = *self.segmentation.get_or_insert_with(asked);
        let mut sent = Sent::default();
        for run in batch.runs() {
            if self.reach.is_for(run.to()) {
                self.add(run, segmentation);
            } else {
                sent.passed_over += 1;
            }
        }
        let (mut at, mut waits) = (0, 0);
        while at < self.messages.len() {
            match self.call(socket.as_raw_fd(), at) {
                Ok(count) => {
                    sent.messages += count;
                    at += count.max(1);
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) if waits < MAX_WAITS && drained(socket) => waits += 1,
                Err(Errno::EAGAIN) => {
                    sent.refused += self.messages.len() - at;
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

    /// As if the network card had refused.
    #[cfg(test)]
    pub(in super::super) fn refuse_segmentation(&mut self) {
        self.segmentation = Some(false);
    }

    /// Whether the kernel segments, as far as it was asked.
    #[cfg(test)]
    pub(in super::super) fn segments(&self) -> Option<bool> {
        self.segmentation
    }

    fn add(&mut self, run: RunView<'_>, segmentation: bool) {
        let to = SockaddrStorage::from(for_socket(run.to(), self.reach.dual));
        if segmentation && run.segments() > 1 {
            let first = self.vectors.len();
            self.vectors.extend(run.datagrams().map(Piece::from));
            let count = self.vectors.len() - first;
            self.messages.push(Outgoing { to, first, count, segment: Some(run.segment_size()) });
            return;
        }
        for datagram in run.datagrams() {
            self.messages.push(Outgoing { to, first: self.vectors.len(), count: 1, segment: None });
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
        if card {
            self.segmentation = Some(false);
        }
        let end = if card { self.messages.len() } else { at + 1 };
        let runs: Vec<Outgoing> = self.messages.get(at..end).unwrap_or_default().to_vec();
        let singles = runs.iter().flat_map(|run| {
            let pieces = run.first..run.first + run.count;
            pieces.map(|first| Outgoing { first, count: 1, segment: None, ..run.clone() })
        });
        self.messages.splice(at..end, singles);
        true
    }

    /// Sends up to [`CHUNK`] messages with one system call; returns how many the kernel took.
    fn call(&mut self, fd: RawFd, at: usize) -> Result<usize, Errno> {
        let messages = self.messages.get(at..).unwrap_or_default();
        self.headers.clear();
        self.controls.clear();
        self.controls.resize(messages.len().min(CHUNK), Control([0; CONTROL]));
        for (message, control) in messages.iter().zip(&mut self.controls) {
            let pieces = message.first..message.first + message.count;
            let vectors = self.vectors.get(pieces).unwrap_or_default();
            let msg_hdr = fill(message, vectors, control);
            self.headers.push(libc::mmsghdr { msg_hdr, msg_len: 0 });
        }
        let count = libc::c_uint::try_from(self.headers.len()).unwrap_or(0);
        // SAFETY: each header points at an address in `messages`, at vectors and at a control buffer,
        // none of which changes before this call returns. The vectors point into the batch that
        // `Sender::send` borrows for as long as it uses them. The kernel writes only `msg_len`.
        let sent =
            unsafe { libc::sendmmsg(fd, self.headers.as_mut_ptr(), count, libc::MSG_DONTWAIT) };
        Errno::result(sent).map(|sent| usize::try_from(sent).unwrap_or(0))
    }
}

/// Room for one `UDP_SEGMENT` control message, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
struct Control([u8; CONTROL]);

fn fill(message: &Outgoing, vectors: &[Piece], control: &mut Control) -> libc::msghdr {
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

/// Messages of one call: as many as the kernel takes (`UIO_MAXIOV`).
const CHUNK: usize = 1_024;
const SEGMENT_BYTES: u32 = 2;
// SAFETY: arithmetic on a constant.
const CONTROL: usize = unsafe { libc::CMSG_SPACE(SEGMENT_BYTES) } as usize;
/// Bytes of a segment size and of a time stamp that come in.
const RX_DATA: (u32, u32) = (4, 16);
// SAFETY: arithmetic on constants.
const RX_CONTROL: usize =
    unsafe { libc::CMSG_SPACE(RX_DATA.0) + libc::CMSG_SPACE(RX_DATA.1) } as usize;
/// Bytes of a `sockaddr_storage` (POSIX leaves it open; all systems agree).
const SENDER: libc::socklen_t = 128;
const _: () = assert!(size_of::<libc::sockaddr_storage>() >= SENDER as usize);
/// A datagram does not wait longer in the socket.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
