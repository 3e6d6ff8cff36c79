//! Opens the media port: for each address UDP, with a socket for each media thread, and TCP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;

use mio::net::TcpListener;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::NetError;
use crate::ice::Transport;

/// What listens at one address.
pub(super) struct Port {
    /// Where it really listens: the port is known only afterwards if it was 0.
    pub(super) local: SocketAddr,
    /// One for each media thread.
    pub(super) udp: Vec<Socket>,
    pub(super) tcp: Option<TcpListener>,
}

/// Opens UDP `count` times, and TCP with the same number if `tcp`. `alone`: an IPv6 socket for all
/// addresses takes IPv4 too.
///
/// A free UDP port may be taken over TCP: then another one is tried.
pub(super) fn open(
    address: SocketAddr,
    (count, tcp): (usize, bool),
    alone: bool,
) -> Result<Port, NetError> {
    let address = effective(address, alone);
    let mut tries = if address.port() == 0 { FREE_PORTS } else { 1 };
    loop {
        let udp = bind_all(address, count, alone)?;
        let local = udp.first().map_or(Ok(address), |it| local_address(it, address))?;
        tries -= 1;
        let listener = tcp.then(|| listen(local, alone)).transpose();
        match listener {
            Ok(tcp) => return Ok(Port { local, udp, tcp }),
            Err(cause) if cause.kind() == io::ErrorKind::AddrInUse && tries > 0 => {}
            Err(cause) => {
                let transport = Transport::Tcp;
                return Err(NetError::Listen { address: local, transport, cause });
            }
        }
    }
}

/// Where the system has no IPv6, `[::]` means `0.0.0.0`.
fn effective(address: SocketAddr, alone: bool) -> SocketAddr {
    let any = address.is_ipv6() && address.ip().is_unspecified();
    if any && alone && Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).is_err() {
        tracing::info!("this system has no IPv6: media listens on IPv4 only");
        return (Ipv4Addr::UNSPECIFIED, address.port()).into();
    }
    address
}

/// Whether the ports of `listen` can be had, over UDP and, if `tcp`, over TCP: as [`super::start`]
/// opens them, closed again at once.
pub fn probe(listen: &[SocketAddr], tcp: bool) -> Vec<(Transport, SocketAddr, io::Result<()>)> {
    let alone = listen.len() == 1;
    let listen: Vec<_> = listen.iter().map(|&at| effective(at, alone)).collect();
    let over_udp = |&at: &SocketAddr| (Transport::Udp, at, udp(at, false, alone).map(drop));
    let over_tcp = |&at: &SocketAddr| (Transport::Tcp, at, self::listen(at, alone).map(drop));
    let mut found: Vec<_> = listen.iter().map(over_udp).collect();
    found.extend(listen.iter().filter(|_| tcp).map(over_tcp));
    found
}

/// Opens one UDP socket, never blocking, with buffers as large as the system gives.
#[cfg(test)]
pub(super) fn bind(address: SocketAddr) -> Result<Socket, NetError> {
    udp(address, false, true).map_err(|cause| failed(address, cause))
}

/// Opens the UDP port with several sockets; the kernel brings all datagrams between two addresses
/// to the same one (`SO_REUSEPORT`, Linux `socket(7)`).
fn bind_all(address: SocketAddr, count: usize, alone: bool) -> Result<Vec<Socket>, NetError> {
    // Alone first: a port that another program shares would be shared with it, unnoticed.
    let only = udp(address, false, alone).map_err(|cause| failed(address, cause))?;
    if count <= 1 {
        return Ok(vec![only]);
    }
    let address = local_address(&only, address)?;
    drop(only);
    let socket = |_| udp(address, true, alone).map_err(|cause| failed(address, cause));
    (0..count).map(socket).collect()
}

fn udp(address: SocketAddr, shared: bool, alone: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!alone)?;
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

fn listen(address: SocketAddr, alone: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!alone)?;
    }
    socket.set_reuse_address(true)?; // connections of a server before this one may linger
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(LISTEN_QUEUE)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// What every accepted connection gets: packets leave at once, and what a slow reader leaves waits
/// in our queue, where it can be left out, not in the kernel's.
pub(super) fn prepare(stream: &impl AsFd) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let _ = socket.set_send_buffer_size(TCP_BUFFER);
    Ok(())
}

fn local_address(socket: &Socket, asked: SocketAddr) -> Result<SocketAddr, NetError> {
    let local = socket.local_addr().map_err(|cause| failed(asked, cause))?;
    local.as_socket().ok_or_else(|| failed(asked, io::ErrorKind::AddrNotAvailable.into()))
}

fn failed(address: SocketAddr, cause: io::Error) -> NetError {
    NetError::Listen { address, transport: Transport::Udp, cause }
}

/// 8 MiB: about 60 ms at 1 Gbit/s.
const SOCKET_BUFFER: usize = 8 << 20;
/// The kernel takes twice that: at 100 ms round trip 10 Mbit/s.
const TCP_BUFFER: usize = 64 << 10;
/// Connections that wait to be accepted; the system has a limit of its own (net.core.somaxconn).
const LISTEN_QUEUE: i32 = 1_024;
const FREE_PORTS: usize = 16;
