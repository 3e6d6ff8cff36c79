//! Everything that is served over HTTP: routes, what they share, and the headers of every answer.

mod access;
mod accounts;
mod assets;
mod body;
mod client;
mod csrf;
mod entry;
mod error;
mod headers;
mod health;
mod links;
mod listen;
mod me;
mod meeting_ws;
mod origin;
mod places;
mod portal;
mod privacy;
mod redirect;
mod rooms;
mod rtc;
mod session;
mod throttle;
mod token;
mod websocket;
mod whip;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{any, delete, get, patch, post, put};
use conf_core::{Room, RoomCode};
use conf_media::signal::livekit::token::Issuer;
use conf_privacy::Pii;
use conf_privacy::policy::Policy;
use conf_store::Store;
use tokio::sync::watch;

use crate::clock;
use crate::config::{PublicUrl, TurnServer};
use crate::meetings::Meetings;
use crate::metrics::Metrics;

pub(crate) use access::Access;
pub(crate) use client::Client;
pub(crate) use error::ApiError;
pub(crate) use links::{Issued, issue, purpose_for};
pub(crate) use listen::{Door, serve};
pub(crate) use places::{Place, Places};
pub(crate) use privacy::{Spoken, basis, term};
pub(crate) use redirect::{Redirect, redirect_router};
pub(crate) use session::COOKIE;
pub(crate) use throttle::{CONNECTIONS, JOINS, SESSIONS, Throttle};

use error::Refused;

/// What the handlers share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) meetings: Meetings,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) issuer: Issuer,
    pub(crate) keys: Keys,
    pub(crate) store: Arc<dyn Store>,
    /// What the server promises, and does.
    pub(crate) policy: Arc<Policy>,
    /// The room that is always there, unless it is switched off.
    pub(crate) open_room: Option<RoomCode>,
    pub(crate) limits: conf_core::Limits,
    /// Whether browsers come over TLS: cookies are `Secure` then, and HSTS is said.
    pub(crate) https: bool,
    /// Tools are told of it, and `/privacy` names its hosts.
    pub(crate) turn: Option<TurnServer>,
    pub(crate) public_url: Option<PublicUrl>,
    /// Begins the links to this server; no slash at the end.
    pub(crate) base: String,
    pub(crate) trusted_proxies: Vec<IpAddr>,
    pub(crate) joins: Throttle,
    pub(crate) connections: Throttle,
    pub(crate) sessions: Throttle,
    pub(crate) access: Access,
    pub(crate) places: Arc<Places>,
    pub(crate) stopping: watch::Receiver<bool>,
}

impl App {
    /// The room that a link opens.
    async fn room(&self, code: &str) -> Result<Room, ApiError> {
        let code: RoomCode = code.parse().map_err(|_| ApiError::RoomUnknown)?;
        let found = self.store.by_code(code).await.map_err(|_| ApiError::Unavailable)?;
        found.ok_or(ApiError::RoomUnknown)
    }

    /// Takes one of the joins of an address.
    fn take_join(&self, client: Client, headers: &HeaderMap) -> Result<(), ApiError> {
        self.take(&self.joins, client, headers)
    }

    /// Takes one of the websockets, or new tokens, of an address.
    fn take_connection(&self, client: Client, headers: &HeaderMap) -> Result<(), ApiError> {
        self.take(&self.connections, client, headers)
    }

    /// Takes one of the WHIP and WHEP sessions of an address.
    fn take_session(&self, client: Client, headers: &HeaderMap) -> Result<(), ApiError> {
        self.take(&self.sessions, client, headers)
    }

    fn take(&self, of: &Throttle, client: Client, headers: &HeaderMap) -> Result<(), ApiError> {
        of.take(clock::mono(), self.address(client, headers)).map_err(access::too_many)
    }

    /// Where a request comes from.
    fn address(&self, client: Client, headers: &HeaderMap) -> IpAddr {
        client.origin(headers, &self.trusted_proxies)
    }
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
        .route("/sign-in", get(assets::index))
        .route("/welcome", get(assets::index))
        .route("/account", get(assets::index))
        .route("/admin/accounts", get(assets::index))
        .route("/privacy", get(privacy::page))
        .route("/privacy/inventory", get(privacy::inventory))
        .route("/privacy.css", get(privacy::style))
        .route("/health", get(health::health))
        .route("/ready", get(health::ready))
        .route("/api/v1/rooms/open", get(rooms::open))
        .route("/api/v1/rooms/{code}", get(rooms::info))
        .route("/api/v1/rooms/{code}/join", post(rooms::join))
        .route("/api/meeting/ws", any(meeting_ws::upgrade))
        .route("/rtc/v1", any(rtc::upgrade))
        .merge(open)
        .merge(of_tools())
        .merge(of_accounts(&app))
        .fallback(assets::file)
        .method_not_allowed_fallback(|| async { ApiError::MethodNotAllowed })
        .layer(from_fn_with_state(Arc::clone(&app), csrf::guard_cookie))
        .layer(from_fn_with_state(Arc::clone(&app), origin::only_for_us))
        .layer(from_fn_with_state(Arc::clone(&app), headers::secure))
        .layer(from_fn_with_state(Arc::clone(&app.metrics), error::count))
        .with_state(app)
}

/// WHIP and WHEP, for tools and for pages of any origin.
fn of_tools() -> Router<Arc<App>> {
    let publish = post(whip::publish).options(whip::preflight);
    let play = post(whip::play).options(whip::preflight);
    let published = delete(whip::hang_up).options(whip::preflight);
    // The last part names whom to play, or the session that ends.
    let of_one = post(whip::play_one).delete(whip::hang_up).options(whip::preflight);
    Router::new()
        .route("/whip/{room}", publish)
        .route("/whip/{room}/{session}", published)
        .route("/whep/{room}", play)
        .route("/whep/{room}/{part}", of_one)
        .layer(from_fn(whip::for_all_origins))
}

/// Signing in, one's own account and rooms, administration.
fn of_accounts(app: &Arc<App>) -> Router<Arc<App>> {
    let session = get(session::current).post(session::sign_in).delete(session::sign_out);
    Router::new()
        .route("/api/v1/session", session)
        .route("/api/v1/links/look", post(links::look))
        .route("/api/v1/links/use", post(links::redeem))
        .route("/api/v1/me", patch(me::change))
        .route("/api/v1/me/password", put(me::set_password))
        .route("/api/v1/me/rooms", get(portal::list).post(portal::create))
        .route("/api/v1/me/rooms/{id}", patch(portal::change).delete(portal::delete))
        .route("/api/v1/me/rooms/{id}/code", post(portal::renew_code))
        .route("/api/v1/accounts", get(accounts::list).post(accounts::create))
        .route("/api/v1/accounts/{id}", patch(accounts::change).delete(accounts::delete))
        .route("/api/v1/accounts/{id}/link", post(accounts::renew_link))
        .layer(from_fn_with_state(Arc::clone(app), csrf::guard))
}

/// The route of the metrics, for their own port.
pub(crate) fn metrics_router(metrics: Arc<Metrics>, engine: crate::media::Engine) -> Router {
    let page = move || {
        let page = metrics.page(&engine.counters(), &engine.tcp_counters());
        async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], page) }
    };
    Router::new().route("/metrics", get(page)).layer(from_fn(headers::bare))
}
