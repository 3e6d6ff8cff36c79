//! Reads a body: small, soon, and of the right type.

use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::ApiError;

/// Reads the body as `T`.
///
/// # Errors
/// [`ApiError::NotJson`], [`ApiError::BodyTooLarge`], [`ApiError::BodyInvalid`].
pub(super) async fn json<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    if !is_json(request.headers()) {
        return Err(ApiError::NotJson);
    }
    let bytes = whole(request, LIMIT).await?;
    serde_json::from_slice(&bytes).map_err(|_| ApiError::BodyInvalid)
}

/// Reads the body, of at most `limit` bytes.
///
/// # Errors
/// [`ApiError::BodyTooLarge`], [`ApiError::BodyInvalid`] where it does not come in time.
pub(super) async fn whole(request: Request, limit: usize) -> Result<Bytes, ApiError> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(ApiError::BodyTooLarge { limit });
    }
    let bytes = timeout(PATIENCE, to_bytes(request.into_body(), limit)).await;
    let bytes = bytes.map_err(|_| ApiError::BodyInvalid)?;
    bytes.map_err(|_| ApiError::BodyTooLarge { limit })
}

/// Whether the body says that it is JSON, with whatever parameters.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    is_a("application/json", headers)
}

/// Whether the body says that it is of this type, with whatever parameters.
pub(super) fn is_a(wanted: &str, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case(wanted)
}

/// The longest JSON that any route takes.
const LIMIT: usize = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);
