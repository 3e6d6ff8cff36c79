//! Everything that is served over HTTP: routes, what they share, and the headers of every answer.

mod assets;
mod body;
mod client;
mod error;
mod headers;
mod health;
mod listen;
mod meeting_ws;
mod origin;
mod privacy;
mod rooms;
mod rtc;
mod throttle;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, get, post};
use conf_core::RoomCode;
use conf_media::signal::livekit::token::Issuer;
use conf_privacy::Pii;
use tokio::sync::watch;

use crate::config::PublicUrl;
use crate::meetings::Meetings;
use crate::metrics::Metrics;

pub(crate) use client::Client;
pub(crate) use error::ApiError;
pub(crate) use listen::serve;
pub(crate) use throttle::Throttle;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) meetings: Meetings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) issuer: Issuer,
    pub(crate) keys: Keys,
    pub(crate) open_room: RoomCode,
    pub(crate) limits: conf_core::Limits,
    pub(crate) public_url: Option<PublicUrl>,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    /// Of joins.
    pub(crate) throttle: Throttle,
    /// Of websockets that have not said hello yet.
    pub(crate) sockets: Throttle,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// The keys whose tokens are accepted.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Name of the key with which this server mints its own.
    pub(crate) own: String,
    /// Secrets by name, the own one too.
    pub(crate) secrets: HashMap<String, Pii<String>>,
}

type Shared = axum::extract::State<Arc<App>>;

/// All routes but the metrics.
pub(crate) fn router(app: Arc<App>) -> Router {
    // Client SDKs on pages of other origins may ask these (the start page: whether we are there).
    let open = Router::new()
        .route("/", get(assets::index))
        .route("/rtc/v1/validate", get(rtc::validate))
        .route("/rtc/validate", get(rtc::validate))
        .layer(from_fn(headers::open_to_all_origins));
    Router::new()
        .route("/r/{code}", get(assets::index))
        .route("/privacy", get(privacy::page))
        .route("/privacy.css", get(privacy::style))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/api/v1/rooms/open", get(rooms::open))
        .route("/api/v1/rooms/{code}", get(rooms::info))
        .route("/api/v1/rooms/{code}/join", post(rooms::join))
        .route("/api/meeting/ws", any(meeting_ws::upgrade))
        .route("/rtc/v1", any(rtc::upgrade))
        .merge(open)
        .fallback(assets::file)
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(from_fn_with_state(Arc::clone(&app), headers::secure))
        .with_state(app)
}

/// The route of the metrics, for their own port.
pub(crate) fn metrics_router(metrics: Arc<Metrics>, engine: crate::media::Engine) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let page = metrics.page(&engine.counters());
            async move { ([(axum::http::header::CONTENT_TYPE, "text/plain; version=0.0.4")], page) }
        }),
    )
}
