//! Accepts connections and serves them: with time limits, caps, and a soft end.

use std::hash::RandomState;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::sys::socket::{setsockopt, sockopt};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::{Client, client};
use crate::metrics::Metrics;

/// Turns true when the server stops.
pub(crate) type Stopping = watch::Receiver<bool>;

/// What a listener has to know beside its routes.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) stopping: Stopping,
    /// Whose connections stand for many people.
    pub(crate) proxies: Vec<IpAddr>,
    pub(crate) metrics: Arc<Metrics>,
    /// With it, each connection begins with a handshake of TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// Serves until `stopping`; then accepts nothing more and lets running requests finish.
///
/// Websockets live on in tasks of their own; the meetings close them.
pub(crate) async fn serve(listener: TcpListener, router: Router, door: Door) {
    let crowd = Arc::new(Crowd::new(CONNECTIONS_OF_ADDRESS));
    serve_crowd(listener, router, door, crowd).await;
}

async fn serve_crowd(listener: TcpListener, router: Router, door: Door, crowd: Arc<Crowd>) {
    let mut stopping = door.stopping.clone();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let of_proxy = door.proxies.contains(&from.ip().to_canonical());
                let Some(one) = Crowd::enter(&crowd, from.ip()).filter(|one| one.fits || of_proxy)
                else {
                    door.metrics.refuse("too_many_connections");
                    continue;
                };
                let connection =
                    connection(stream, Client(from.ip()), router.clone(), door.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop((place, one));
                });
            }
            // Most often too many open files: wait until some are closed.
            Err(error) => {
                tracing::warn!(kind = ?error.kind(), "a connection was not accepted");
                sleep(PAUSE).await;
            }
        }
    }
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    let _in_time = timeout(FAREWELL, places.acquire_many(all)).await;
}

async fn connection(stream: TcpStream, from: Client, router: Router, door: Door) {
    // Small frames of the meeting should not wait for one another.
    let _works_without = stream.set_nodelay(true);
    // Whoever asks and then does not read would keep its place for ever.
    let _works_without = setsockopt(&stream, sockopt::TcpUserTimeout, &UNREAD_MILLIS);
    let mut stopping = door.stopping;
    let Some(tls) = door.tls else { return requests(stream, from, router, stopping).await };
    let handshake = timeout(HANDSHAKE, TlsAcceptor::from(tls).accept(stream));
    let stream = tokio::select! {
        done = handshake => done,
        _ = stopping.wait_for(|stopping| *stopping) => return,
    };
    match stream {
        Ok(Ok(stream)) => requests(stream, from, router, stopping).await,
        Ok(Err(_)) => door.metrics.refuse("handshake_failed"),
        Err(_) => door.metrics.refuse("handshake_too_slow"),
    }
}

async fn requests<S>(stream: S, from: Client, router: Router, mut stopping: Stopping)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let routes = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(from);
        routes.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let stopped = tokio::select! {
        _ = &mut connection => false,
        _ = stopping.wait_for(|stopping| *stopping) => true,
    };
    if stopped {
        connection.as_mut().graceful_shutdown();
        let _in_time = timeout(FAREWELL, connection).await;
    }
}

/// How many connections each address has open, in a table of fixed size: addresses are hashed with
/// a key of this process, none is stored.
#[derive(Debug)]
struct Crowd {
    key: RandomState,
    counts: Vec<AtomicUsize>,
    most: usize,
}

/// One connection of an address.
struct One {
    crowd: Arc<Crowd>,
    index: usize,
    /// Whether its address had a place left.
    fits: bool,
}

impl Crowd {
    fn new(most: usize) -> Self {
        let counts = (0..ADDRESSES).map(|_| AtomicUsize::new(0)).collect();
        Self { key: RandomState::new(), counts, most }
    }

    fn enter(crowd: &Arc<Self>, address: IpAddr) -> Option<One> {
        let index = client::slot(&crowd.key, client::network(address), crowd.counts.len());
        let before = crowd.counts.get(index)?.fetch_add(1, Ordering::Relaxed);
        Some(One { crowd: Arc::clone(crowd), index, fits: before < crowd.most })
    }
}

impl Drop for One {
    fn drop(&mut self) {
        if let Some(count) = self.crowd.counts.get(self.index) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// How long a client may take for the handshake of TLS.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a client may take for the head of a request, and stay idle between two.
const HEADERS: Duration = Duration::from_secs(15);
/// The longest head of a request: signalling carries an offer in its address.
const BUFFER: usize = 128 * 1024;
/// Connections at the same time, without websockets.
const CONNECTIONS: usize = 4_096;
/// How many of them one address may have: a browser opens six, so a lecture hall behind one address
/// fits; nobody alone can take all.
const CONNECTIONS_OF_ADDRESS: usize = 1_024;
const ADDRESSES: usize = 16_384;
/// How long bytes may wait for a client that does not read them.
const UNREAD_MILLIS: u32 = 30_000;
const PAUSE: Duration = Duration::from_millis(100);
const FAREWELL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpSocket;

    async fn connect(from: [u8; 4], to: std::net::SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    async fn is_served(stream: &mut TcpStream) -> bool {
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
        let mut first = [0; 12];
        asked.is_ok() && stream.read_exact(&mut first).await.is_ok()
    }

    #[tokio::test]
    async fn one_address_cannot_take_the_places_of_all_and_gets_its_own_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = watch::channel(false);
        let metrics = Arc::new(Metrics::default());
        let door = Door { stopping, proxies: vec![[127, 0, 0, 9].into()], metrics, tls: None };
        let crowd = Arc::new(Crowd::new(2));
        let served = tokio::spawn(serve_crowd(listener, Router::new(), door, Arc::clone(&crowd)));
        let mut first = connect([127, 0, 0, 1], address).await;
        let mut second = connect([127, 0, 0, 1], address).await;
        assert!(is_served(&mut first).await && is_served(&mut second).await);
        assert!(!is_served(&mut connect([127, 0, 0, 1], address).await).await);
        assert!(is_served(&mut connect([127, 0, 0, 2], address).await).await);
        let mut proxied = Vec::new();
        for _ in 0..4 {
            proxied.push(connect([127, 0, 0, 9], address).await);
            assert!(is_served(proxied.last_mut().unwrap()).await);
        }
        first.shutdown().await.unwrap();
        let mut rest = Vec::new();
        first.read_to_end(&mut rest).await.unwrap();
        let index = client::slot(&crowd.key, client::network([127, 0, 0, 1].into()), ADDRESSES);
        while crowd.counts[index].load(Ordering::Relaxed) > 1 {
            tokio::task::yield_now().await;
        }
        assert!(is_served(&mut connect([127, 0, 0, 1], address).await).await);
        stop.send_replace(true);
        drop((second, proxied));
        served.await.unwrap();
    }
}
