//! The port of plain HTTP beside HTTPS: shows the way there, and answers the ACME server.
//!
//! Like the other port it knows only names that strangers cannot point at it, so that nobody can
//! use it to lead people elsewhere. Nothing is served and no cookie is read here.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::error::{self, ApiError};
use super::{headers, origin};
use crate::config::PublicUrl;
use crate::metrics::Metrics;
use crate::tls::Challenges;

/// What the port has to know.
#[derive(Debug)]
pub(crate) struct Redirect {
    pub(crate) public_url: Option<PublicUrl>,
    /// Further names of this server: those of the ACME certificate.
    pub(crate) names: Vec<String>,
    /// The port of HTTPS, for requests to an address.
    pub(crate) port: u16,
    pub(crate) challenges: Arc<Challenges>,
    pub(crate) metrics: Arc<Metrics>,
}

/// All routes of the port.
pub(crate) fn redirect_router(redirect: Redirect) -> Router {
    let metrics = Arc::clone(&redirect.metrics);
    Router::new()
        .route("/.well-known/acme-challenge/{token}", get(challenge))
        .fallback(to_https)
        .layer(from_fn(headers::bare))
        .layer(from_fn_with_state(metrics, error::count))
        .with_state(Arc::new(redirect))
}

type Shared = State<Arc<Redirect>>;

async fn challenge(State(redirect): Shared, Path(token): Path<String>) -> Response {
    match redirect.challenges.answer(&token) {
        Some(answer) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], answer).into_response()
        }
        None => ApiError::NotFound.into_response(),
    }
}

async fn to_https(State(redirect): Shared, request: Request) -> Response {
    let nameless = request.version() < Version::HTTP_11;
    let Some(host) = redirect.host(request.headers(), nameless) else {
        return ApiError::HostForeign.into_response();
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('/') { path } else { "/" };
    match HeaderValue::from_str(&format!("https://{host}{path}")) {
        Ok(place) => (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, place)]).into_response(),
        Err(_) => ApiError::NotFound.into_response(),
    }
}

impl Redirect {
    /// Host and port of HTTPS for a request that is meant for this server.
    fn host(&self, headers: &HeaderMap, nameless: bool) -> Option<String> {
        let named = origin::host_of(headers);
        let ours = origin::is_for_us(headers, self.public_url.as_ref(), nameless)
            || named.as_ref().is_some_and(|name| self.names.contains(name));
        if !ours {
            return None;
        }
        match (&self.public_url, named) {
            (Some(url), _) => Some(url.host().to_owned()),
            (None, Some(name)) if self.port == 443 => Some(name),
            (None, Some(name)) => Some(format!("{name}:{}", self.port)),
            (None, None) => None,
        }
    }
}
