//! Accepts connections and serves them: with time limits, a cap, and a soft end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::Client;

/// Turns true when the server stops.
pub(crate) type Stopping = watch::Receiver<bool>;

/// Serves until `stopping`; then accepts nothing more and lets running requests finish.
///
/// Websockets live on in tasks of their own; the meetings close them.
pub(crate) async fn serve(listener: TcpListener, router: Router, mut stopping: Stopping) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        match accepted {
            Ok((stream, from)) => {
                let connection =
                    connection(stream, Client(from.ip()), router.clone(), stopping.clone());
                tokio::spawn(async move {
                    connection.await;
                    drop(place);
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

async fn connection(stream: TcpStream, from: Client, router: Router, mut stopping: Stopping) {
    // Small frames of the meeting should not wait for one another.
    let _works_without = stream.set_nodelay(true);
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

/// How long a client may take for the head of a request, and stay idle between two.
const HEADERS: Duration = Duration::from_secs(15);
/// The longest head of a request: signalling carries an offer in its address.
const BUFFER: usize = 128 * 1024;
/// Connections at the same time, without websockets.
const CONNECTIONS: usize = 4_096;
const PAUSE: Duration = Duration::from_millis(100);
const FAREWELL: Duration = Duration::from_secs(1);
