//! A socket towards a TURN server: UDP, TCP or TLS, each with patience.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::message::{self, Answer};
use super::{PATIENCE, TRIES, Wrong};
use crate::config::TurnUrl;

/// A connection to it, or a socket.
pub(super) enum Line {
    Udp(UdpSocket),
    Stream(Box<dyn Stream>),
}

/// TCP, or TLS over it.
pub(super) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Line {
    pub(super) fn open(url: &TurnUrl, address: SocketAddr) -> Result<Self, Wrong> {
        let failed = |error| failed(error, url);
        if url.tcp {
            let stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
            return Ok(Self::Stream(if url.secure {
                secured(stream, url)?
            } else {
                Box::new(stream)
            }));
        }
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).map_err(failed)?;
        socket.connect(address).map_err(failed)?;
        socket.set_read_timeout(Some(PATIENCE / TRIES)).map_err(failed)?;
        Ok(Self::Udp(socket))
    }

    pub(super) fn send(&mut self, request: &[u8]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => socket.send(request).map(drop),
            Self::Stream(stream) => stream.write_all(request),
        }
    }

    fn receive(&mut self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 2_048];
        match self {
            Self::Udp(socket) => {
                let len = socket.recv(&mut buffer)?;
                buffer.truncate(len);
            }
            Self::Stream(stream) => {
                let mut header = [0; message::HEADER];
                stream.read_exact(&mut header)?;
                let len = message::length(&header).ok_or(io::ErrorKind::InvalidData)?;
                buffer.resize(len, 0);
                stream.read_exact(&mut buffer)?;
                buffer.splice(0..0, header);
            }
        }
        Ok(buffer)
    }

    /// Sends until an answer comes.
    pub(super) fn exchange(&mut self, request: &[u8], url: &TurnUrl) -> Result<Answer, Wrong> {
        let tries = if matches!(self, Self::Udp(_)) { TRIES } else { 1 };
        let mut last = Wrong::Other;
        for _ in 0..tries {
            self.send(request).map_err(|error| failed(error, url))?;
            match self.receive() {
                Ok(bytes) => return Answer::read(&bytes, request).ok_or(Wrong::Other),
                Err(error) => last = failed(error, url),
            }
        }
        Err(last)
    }
}

/// TLS, with whom this machine trusts.
fn secured(stream: TcpStream, url: &TurnUrl) -> Result<Box<dyn Stream>, Wrong> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(Wrong::Certificate)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(url.host.clone()).map_err(|_| Wrong::Unknown)?;
    let tls = ClientConnection::new(Arc::new(config), name).map_err(Wrong::Certificate)?;
    Ok(Box::new(StreamOwned::new(tls, stream)))
}

fn failed(error: io::Error, url: &TurnUrl) -> Wrong {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(tls) = tls {
        return Wrong::Certificate(tls.clone());
    }
    let transport = if url.tcp { "TCP" } else { "UDP" };
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Wrong::Silent { transport, port: url.port }
        }
        io::ErrorKind::ConnectionRefused => Wrong::Closed,
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Wrong::Other,
        _ => Wrong::Io(error),
    }
}
