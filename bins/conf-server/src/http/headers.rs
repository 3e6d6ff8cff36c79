//! The headers of every answer: what a page of this server may load, reach and use.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::App;

/// Adds the security headers.
pub(super) async fn secure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let policy = content_policy(&app, request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in FIXED {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if app.https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The headers of answers that are no pages.
pub(super) async fn bare(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in BARE {
        response
            .headers_mut()
            .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}

/// Lets pages of any origin read the answer. They cannot send our cookie along (`*` forbids it), so
/// nothing is given away that the asking page does not hold itself: the token.
pub(super) async fn open_to_all_origins(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

/// `'self'` does not cover websockets in every browser, so the own host is named once more.
fn content_policy(app: &App, headers: &HeaderMap) -> HeaderValue {
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let asked = asked.filter(|host| host.len() <= 255 && host.bytes().all(is_of_host));
    let host = app.public_url.as_ref().map(|url| url.host()).or(asked);
    let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    let policy = format!("{POLICY}; connect-src 'self'{sockets}");
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(POLICY))
}

fn is_of_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
}

const POLICY: &str = "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; \
    worker-src 'self' blob:; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

/// A year, for this host only: its neighbours' names are not ours to decide about.
const HTTPS_ONLY: &str = "max-age=31536000";

const BARE: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
];

const FIXED: [(&str, &str); 6] = [
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(self), microphone=(self), display-capture=(self), speaker-selection=(self), \
         autoplay=(self), fullscreen=(self), picture-in-picture=(self), screen-wake-lock=(self), \
         geolocation=(), payment=(), usb=(), browsing-topics=()",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
];
