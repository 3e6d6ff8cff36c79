//! Is the process alive, and does it take new meetings?

use axum::extract::State;
use axum::http::StatusCode;

use super::Shared;

/// Alive.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Takes work; 503 while it stops.
pub(super) async fn ready(State(app): Shared) -> (StatusCode, &'static str) {
    if *app.stopping.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else {
        (StatusCode::OK, "ready\n")
    }
}
