//! Opens the media port.

use std::io;
use std::net::SocketAddr;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::NetError;

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
    batched(&socket);
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Fewer and longer messages, and when they came; a kernel without does as well.
#[cfg(all(target_os = "linux", not(conf_plain)))]
fn batched(socket: &Socket) {
    let _ = setsockopt(socket, sockopt::UdpGroSegment, &true);
    let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &true);
}

#[cfg(any(conf_plain, not(target_os = "linux")))]
fn batched(_socket: &Socket) {}

/// Where the socket really listens: the port is known only afterwards if it was 0.
pub(super) fn local_address(socket: &Socket, asked: SocketAddr) -> Result<SocketAddr, NetError> {
    let fail = |cause| NetError::Listen { address: asked, cause };
    let local = socket.local_addr().map_err(fail)?;
    local.as_socket().ok_or_else(|| fail(io::ErrorKind::AddrNotAvailable.into()))
}

/// 8 MiB: about 60 ms at 1 Gbit/s.
const SOCKET_BUFFER: usize = 8 << 20;
