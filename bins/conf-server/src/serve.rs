//! Starts everything in the right order, and stops it.

mod first;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use conf_core::Limits;
use conf_media::net::NetError;
use conf_media::signal::livekit::token::Issuer;
use conf_privacy::Pii;
use conf_store::{Fault, Store, StoreError};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::{ApiKey, Config, Tls, TurnServer};
use crate::http::{
    self, Access, App, CONNECTIONS, Door, JOINS, Keys, Places, Redirect, SESSIONS, Throttle,
};
use crate::kept::{Kept, KeptError};
use crate::media::Engine;
use crate::meetings::{Common, Meetings};
use crate::metrics::Metrics;
use crate::policy::{self, PolicyError};
use crate::ports::{Ports, Routes};
use crate::secrets::Secrets;
use crate::tls::{self, Https, TlsError};
use first::Links;

/// A running server.
#[derive(Debug)]
pub struct Server {
    at: Addresses,
    links: Links,
    kept: Kept,
    meetings: Meetings,
    engine: Engine,
    places: Arc<Places>,
    stop: watch::Sender<bool>,
    reload: watch::Sender<()>,
    tasks: Vec<JoinHandle<()>>,
}

/// Where it is reached, with the ports that were really taken.
#[derive(Clone, Copy, Debug)]
struct Addresses {
    http: SocketAddr,
    metrics: Option<SocketAddr>,
    redirect: Option<SocketAddr>,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// What is kept in `data_dir` was not opened.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The policy is refused.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A key of the API has the name of the server's own.
    #[error("api.keys names {key}, which is the server's own key: allowed is any other name")]
    KeyTaken {
        /// The name.
        key: String,
    },
    /// HTTPS cannot be served.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A port cannot be had.
    #[error("{key} = {address} cannot be listened on: {cause}")]
    Listen {
        /// Which key of the configuration.
        key: &'static str,
        /// Its value.
        address: SocketAddr,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The store does not take what has to be there at start.
    #[error("the store does not take the open room or the first administrator's link")]
    Store(#[from] StoreError),
    /// The media engine did not start.
    #[error("media.listen: {cause}{}", reason(.cause))]
    Media {
        /// What the engine says.
        cause: NetError,
    },
}

/// What the system says, behind what the engine does.
fn reason(error: &NetError) -> String {
    std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default()
}

impl StartError {
    /// What the program ends with, of sysexits: 78 (`EX_CONFIG`) where the configuration or what it
    /// points at is refused, 74 (`EX_IOERR`) for the disk, 77 (`EX_NOPERM`) for permissions.
    #[must_use]
    pub fn code(&self) -> u8 {
        let fault = match self {
            Self::Kept(error) => error.fault(),
            Self::Store(_) => Fault::Disk,
            _ => Fault::Configuration,
        };
        match fault {
            Fault::Configuration => 78,
            Fault::Disk => 74,
            Fault::Permission => 77,
        }
    }
}

impl Server {
    /// Starts with a checked configuration; when it returns, all ports are open.
    ///
    /// # Errors
    /// [`StartError`] names the key of the configuration, or the file.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let policy = Arc::new(policy::load(&config)?);
        for warning in policy.warnings() {
            tracing::warn!("{warning}");
        }
        let (kept, secrets) = Kept::open(&config.data_dir, &policy).await?;
        let keys = keys(&secrets, &config.api_keys)?;
        let (stop, stopping) = watch::channel(false);
        let (reload, reloads) = watch::channel(());
        let https = https(&config, reloads, stopping.clone())?;
        let ports = Ports::bind(&config).await?;
        let base = base(&config, ports.http());
        let store: Arc<dyn Store> = kept.store();
        let open_room = config.open_room.then_some(secrets.open_room);
        let links = first::fill(&*store, open_room, &base).await?;
        let metrics = Arc::new(Metrics::default());
        let engine = engine(&config, &metrics)?;
        let limits = Limits { participants: config.participants, ..Limits::default() };
        let issuer = Issuer::new(&*secrets.token_key, secrets.token_secret.reveal().clone());
        let meetings = meetings(&config, &limits, &issuer, &engine, &metrics);
        let proxies = config.trusted_proxies.clone();
        let redirect = https.as_ref().map(|https| redirect(&config, https, &ports, &metrics));
        let places = Arc::new(Places::new(WEBSOCKETS, STRANGERS));
        let app = App {
            meetings: meetings.clone(),
            metrics: Arc::clone(&metrics),
            issuer,
            keys,
            store,
            policy: Arc::clone(&policy),
            open_room,
            limits,
            https: config.is_https(),
            turn: config.turn,
            base,
            public_url: config.public_url,
            trusted_proxies: config.trusted_proxies,
            joins: Throttle::new(JOINS),
            connections: Throttle::new(CONNECTIONS),
            sessions: Throttle::new(SESSIONS),
            access: Access::start(Arc::clone(&metrics)),
            places: Arc::clone(&places),
            stopping: stopping.clone(),
        };
        let door =
            Door { stopping: stopping.clone(), proxies, metrics: Arc::clone(&metrics), tls: None };
        let (http, metrics_at, redirect_at) = (ports.http(), ports.metrics(), ports.redirect());
        let routes = Routes {
            http: http::router(Arc::new(app)),
            tls: https.as_ref().map(|https| Arc::clone(&https.server)),
            metrics: http::metrics_router(metrics, engine.clone()),
            redirect: redirect.map(http::redirect_router),
        };
        let mut tasks = ports.open(routes, door);
        tasks.extend(https.map(|https| https.keeper));
        tasks.push(kept.look_after(policy, stopping));
        let at = Addresses { http, metrics: metrics_at, redirect: redirect_at };
        tracing::info!(http = http.port(), "listening");
        Ok(Self { at, links, kept, meetings, engine, places, stop, reload, tasks })
    }

    /// Where HTTP is served.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.at.http
    }

    /// Where metrics are served.
    #[must_use]
    pub fn metrics(&self) -> Option<SocketAddr> {
        self.at.metrics
    }

    /// Where plain HTTP is led to HTTPS.
    #[must_use]
    pub fn redirect(&self) -> Option<SocketAddr> {
        self.at.redirect
    }

    /// Reads the files of the certificate again; running connections stay.
    pub fn reload(&self) {
        self.reload.send_replace(());
    }

    /// The link of the room that is always there, unless it is switched off. Whoever has it can
    /// join.
    #[must_use]
    pub fn open_room_link(&self) -> Option<&str> {
        self.links.open_room.as_ref().map(|link| link.reveal().as_str())
    }

    /// The link that makes the first administrator, while there is none: for 24 hours, and until
    /// the next start.
    #[must_use]
    pub fn first_administrator_link(&self) -> Option<&str> {
        self.links.first_administrator.as_ref().map(|link| link.reveal().as_str())
    }

    /// Ends all meetings, closes all sockets and ports. Takes five seconds at most.
    pub async fn stop(self) {
        tracing::info!("stopping");
        self.stop.send_replace(true);
        let over = async {
            self.meetings.stop().await;
            for task in self.tasks {
                let _panicked = task.await;
            }
            // Until the last frames have left.
            self.places.empty().await;
        };
        if timeout(PATIENCE, over).await.is_err() {
            tracing::warn!("not everything ended in time");
        }
        let engine = self.engine;
        let stopped = tokio::task::spawn_blocking(move || engine.stop());
        let _in_time = timeout(PATIENCE_FOR_MEDIA, stopped).await;
        self.kept.close().await;
        tracing::info!("stopped");
    }
}

fn keys(secrets: &Secrets, given: &[ApiKey]) -> Result<Keys, StartError> {
    let own = secrets.token_key.clone();
    if let Some(taken) = given.iter().find(|given| given.key == own) {
        return Err(StartError::KeyTaken { key: taken.key.clone() });
    }
    let given = given.iter().map(|given| (given.key.clone(), given.secret.clone()));
    let mut all: HashMap<String, Pii<String>> = given.collect();
    all.insert(own.clone(), secrets.token_secret.clone());
    Ok(Keys { own, secrets: all })
}

fn engine(config: &Config, metrics: &Arc<Metrics>) -> Result<Engine, StartError> {
    Engine::start(config, Arc::clone(metrics)).map_err(|cause| StartError::Media { cause })
}

fn meetings(
    config: &Config,
    limits: &Limits,
    issuer: &Issuer,
    engine: &Engine,
    metrics: &Arc<Metrics>,
) -> Meetings {
    Meetings::new(Common {
        limits: limits.clone(),
        most: config.meetings,
        players: config.players,
        issuer: issuer.clone(),
        turn: config.turn.as_ref().map(TurnServer::granting),
        engine: engine.clone(),
        metrics: Arc::clone(metrics),
    })
}

fn https(
    config: &Config,
    reload: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
) -> Result<Option<Https>, TlsError> {
    config.tls.as_ref().map(|tls| tls::start(tls, config, reload, stopping)).transpose()
}

/// What leads plain HTTP to HTTPS.
fn redirect(config: &Config, https: &Https, ports: &Ports, metrics: &Arc<Metrics>) -> Redirect {
    Redirect {
        public_url: config.public_url.clone(),
        names: config.tls.as_ref().map(Tls::names).unwrap_or_default(),
        port: ports.http().port(),
        challenges: Arc::clone(&https.challenges),
        metrics: Arc::clone(metrics),
    }
}

/// Begins the links to this server.
pub(crate) fn base(config: &Config, http: SocketAddr) -> String {
    match &config.public_url {
        Some(url) => url.to_string(),
        None if config.tls.is_some() => format!("https://{http}"),
        None => format!("http://{http}"),
    }
}

/// Twice as many as the default limits of meetings and participants need.
const WEBSOCKETS: u32 = 20_000;
const STRANGERS: usize = 1_024;
const PATIENCE: Duration = Duration::from_millis(3_500);
const PATIENCE_FOR_MEDIA: Duration = Duration::from_secs(1);
