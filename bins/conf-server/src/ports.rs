//! The ports that speak HTTP: bound first, opened when all behind them is ready.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::http::{self, Door};
use crate::serve::StartError;

/// A bound port and where it is.
type Port = (TcpListener, SocketAddr);

/// All of them; nobody is accepted yet.
#[derive(Debug)]
pub(crate) struct Ports {
    http: Port,
    metrics: Option<Port>,
    redirect: Option<Port>,
}

/// What each of them answers.
pub(crate) struct Routes {
    pub(crate) http: Router,
    /// Set where `http` is served over TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    pub(crate) metrics: Router,
    pub(crate) redirect: Option<Router>,
}

impl Ports {
    /// Takes the ports of the configuration.
    ///
    /// # Errors
    /// [`StartError::Listen`] names the key.
    pub(crate) async fn bind(config: &Config) -> Result<Self, StartError> {
        Ok(Self {
            http: bind("http.listen", config.http_listen).await?,
            metrics: optional("metrics.listen", config.metrics_listen).await?,
            redirect: optional("http.redirect_listen", config.redirect_listen).await?,
        })
    }

    /// Where HTTP, or HTTPS, is served.
    pub(crate) fn http(&self) -> SocketAddr {
        self.http.1
    }

    /// Where metrics are served.
    pub(crate) fn metrics(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|port| port.1)
    }

    /// Where plain HTTP is led to HTTPS.
    pub(crate) fn redirect(&self) -> Option<SocketAddr> {
        self.redirect.as_ref().map(|port| port.1)
    }

    /// Accepts from now on, each port in a task that ends when the server stops.
    pub(crate) fn open(self, routes: Routes, door: Door) -> Vec<JoinHandle<()>> {
        let Routes { http, tls, metrics, redirect } = routes;
        let mut tasks = Vec::new();
        let mut accept = |port: Option<Port>, router, tls| {
            if let Some((listener, _)) = port {
                let door = Door { tls, ..door.clone() };
                tasks.push(tokio::spawn(http::serve(listener, router, door)));
            }
        };
        accept(self.metrics, metrics, None);
        if let Some(router) = redirect {
            accept(self.redirect, router, None);
        }
        accept(Some(self.http), http, tls);
        tasks
    }
}

async fn optional(
    key: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<Port>, StartError> {
    match address {
        Some(address) => bind(key, address).await.map(Some),
        None => Ok(None),
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<Port, StartError> {
    let failed = |cause| StartError::Listen { key, address, cause };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}
