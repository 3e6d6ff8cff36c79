//! Datagrams: each client has a socket of its own towards the server.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use conf_media::sim::{Fate, Transit};
use tokio::net::UdpSocket;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{AbortHandle, JoinSet};

use super::Shared;

/// A datagram, and over which socket it goes where (`None`: the socket knows).
#[derive(Clone, Debug)]
struct Datagram {
    over: Arc<UdpSocket>,
    to: Option<SocketAddr>,
    bytes: Vec<u8>,
}

/// A datagram on its way, with the moment at which it arrives.
type Sent = (Instant, Datagram);

/// All clients, by address.
#[derive(Debug)]
struct Clients {
    socket: Arc<UdpSocket>,
    flows: Mutex<HashMap<SocketAddr, Flow>>,
    shared: Arc<Shared>,
    up: Sender<Sent>,
    down: Sender<Sent>,
}

/// One client.
#[derive(Debug)]
struct Flow {
    server: Arc<UdpSocket>,
    /// Reads what comes back.
    reader: AbortHandle,
}

/// Tasks that end with the relay.
pub(super) fn spawn(
    tasks: &mut JoinSet<()>,
    socket: UdpSocket,
    shared: &Arc<Shared>,
    rebinds: Vec<Instant>,
) {
    let (up, going_up) = channel(WAITING);
    let (down, going_down) = channel(WAITING);
    let (socket, shared) = (Arc::new(socket), shared.clone());
    let clients = Arc::new(Clients { socket, flows: Mutex::new(HashMap::new()), shared, up, down });
    tasks.spawn(deliver(going_up));
    tasks.spawn(deliver(going_down));
    tasks.spawn(receive(clients, rebinds));
}

/// Makes the buffers of a socket as large as the system lets us.
pub(super) fn enlarge(socket: &UdpSocket) {
    let socket = socket2::SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(BUFFER);
    let _ = socket.set_send_buffer_size(BUFFER);
}

/// What comes from clients, and the moments at which all ports change.
async fn receive(clients: Arc<Clients>, rebinds: Vec<Instant>) {
    // They end when this ends: the readers of all flows are in it.
    let mut readers = JoinSet::new();
    let mut rebinds = rebinds.into_iter().peekable();
    let mut buffer = vec![0; LONGEST];
    loop {
        let rebind = rebinds.peek().copied();
        let at = rebind.unwrap_or_else(|| crate::clock::now() + super::FOREVER);
        tokio::select! {
            received = clients.socket.recv_from(&mut buffer) => {
                // An error is about something sent before (a client's port that is closed).
                let Ok((len, from)) = received else { continue };
                let bytes = buffer.get(..len).unwrap_or_default();
                clients.forward(from, bytes, &mut readers);
            }
            () = tokio::time::sleep_until(at.into()) => {
                rebinds.next();
                clients.rebind(&mut readers);
            }
        }
        while readers.try_join_next().is_some() {}
    }
}

impl Clients {
    fn forward(self: &Arc<Self>, from: SocketAddr, bytes: &[u8], readers: &mut JoinSet<()>) {
        let Some(server) = self.server_of(from, readers) else { return };
        let fate = self.shared.up.push(bytes.len());
        let datagram = Datagram { over: server, to: None, bytes: bytes.to_vec() };
        self.put(&self.up, fate, datagram);
    }

    /// The socket of a client; a new one if it is new.
    fn server_of(
        self: &Arc<Self>,
        from: SocketAddr,
        readers: &mut JoinSet<()>,
    ) -> Option<Arc<UdpSocket>> {
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flow) = flows.get(&from) {
            return Some(flow.server.clone());
        }
        let flow = if flows.len() < MOST_FLOWS { self.flow(from, readers).ok() } else { None };
        let Some(flow) = flow else {
            self.shared.counts.refuse();
            return None;
        };
        self.shared.counts.flow();
        let server = flow.server.clone();
        flows.insert(from, flow);
        Some(server)
    }

    fn flow(self: &Arc<Self>, client: SocketAddr, readers: &mut JoinSet<()>) -> io::Result<Flow> {
        let server = Arc::new(connected(self.shared.to)?);
        let reader = readers.spawn(self.clone().back(server.clone(), client));
        Ok(Flow { server, reader })
    }

    /// Each client gets another port; what still comes to the old one is lost, as with a NAT.
    fn rebind(self: &Arc<Self>, readers: &mut JoinSet<()>) {
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        for (client, flow) in flows.iter_mut() {
            // The old socket is held until there is a new one: the port cannot be the same.
            if let Ok(fresh) = self.flow(*client, readers) {
                std::mem::replace(flow, fresh).reader.abort();
            }
        }
        self.shared.counts.rebind();
    }

    /// What comes back from the server for one client.
    async fn back(self: Arc<Self>, server: Arc<UdpSocket>, client: SocketAddr) {
        let mut buffer = vec![0; LONGEST];
        loop {
            // An error says that nobody listens there at present.
            let Ok(len) = server.recv(&mut buffer).await else { continue };
            let fate = self.shared.down.push(len);
            let bytes = buffer.get(..len).unwrap_or_default().to_vec();
            let datagram = Datagram { over: self.socket.clone(), to: Some(client), bytes };
            self.put(&self.down, fate, datagram);
        }
    }

    fn put(&self, way: &Sender<Sent>, fate: Fate, datagram: Datagram) {
        let (at, again) = match fate {
            Fate::Lost(_) => return,
            Fate::Arrives(at) => (at, None),
            Fate::Twice(at, again) => (at, Some(again)),
        };
        let copy = again.map(|again| (again, datagram.clone()));
        for sent in [Some((at, datagram)), copy].into_iter().flatten() {
            if way.try_send(sent).is_err() {
                self.shared.counts.overrun();
            }
        }
    }
}

/// Holds datagrams back until they arrive.
async fn deliver(mut coming: Receiver<Sent>) {
    let mut transit = Transit::default();
    loop {
        let at = transit.timeout().unwrap_or_else(|| crate::clock::now() + super::FOREVER);
        tokio::select! {
            sent = coming.recv() => match sent {
                Some((at, datagram)) => transit.put(at, datagram),
                None => return,
            },
            () = tokio::time::sleep_until(at.into()) => {}
        }
        while let Some((_, datagram)) = transit.poll(crate::clock::now()) {
            let Datagram { over, to, bytes } = datagram;
            // A full send buffer loses it, as a network does. Past the runtime, which takes a new socket
            // for a full one until it has heard of it.
            let socket = socket2::SockRef::from(&*over);
            let _ = match to {
                Some(to) => socket.send_to(&bytes, &to.into()),
                None => socket.send(&bytes),
            };
        }
    }
}

fn connected(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = std::net::UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    enlarge(&socket);
    Ok(socket)
}

/// Clients at a time; each has a socket.
const MOST_FLOWS: usize = 1_000;
/// Datagrams that wait for the task that sends them.
const WAITING: usize = 16_384;
const BUFFER: usize = 4 << 20;
const LONGEST: usize = 65_536;
