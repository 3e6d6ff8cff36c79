//! Requests that change something come from a page of this server, or from no page at all.
//!
//! A page of a stranger can make a browser send our cookie along. But every browser names the
//! origin of the page (`Origin`), or how near it is (`Sec-Fetch-Site`), and no page can change
//! either. So whatever carries the cookie, or would set it, has to name ours. JSON as type of the
//! body is one more wall: no form can send it.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::session::cookie;
use super::{ApiError, App, body, origin};
use crate::config::PublicUrl;

/// For every route: whatever carries the cookie comes from our own pages.
pub(super) async fn guard_cookie(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let carries = !request.method().is_safe() && cookie::is_there(request.headers());
    match check(request.headers(), app.public_url.as_ref()) {
        Err(error) if carries => error.into_response(),
        _ => next.run(request).await,
    }
}

/// For the routes of accounts: cookie or not, and JSON only.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if !request.method().is_safe() {
        if let Err(error) = check(request.headers(), app.public_url.as_ref()) {
            return error.into_response();
        }
        if !body::is_json(request.headers()) {
            return ApiError::NotJson.into_response();
        }
    }
    next.run(request).await
}

fn check(headers: &HeaderMap, public_url: Option<&PublicUrl>) -> Result<(), ApiError> {
    let named = headers.contains_key(header::ORIGIN);
    let near = headers.get("sec-fetch-site").map(|site| site.as_bytes() == b"same-origin");
    match near {
        _ if named && !origin::is_own(headers, public_url) => Err(ApiError::OriginForeign),
        Some(false) => Err(ApiError::OriginForeign),
        None if !named => Err(ApiError::OriginMissing),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(headers: &[(&'static str, &'static str)]) -> Result<(), ApiError> {
        let mut all = HeaderMap::new();
        all.insert(header::HOST, "127.0.0.1:8080".parse().unwrap());
        for (name, value) in headers {
            all.append(*name, value.parse().unwrap());
        }
        check(&all, PublicUrl::parse("https://meet.example.org").as_ref())
    }

    #[test]
    fn a_page_of_ours_passes_by_either_header() {
        checked(&[("origin", "http://127.0.0.1:8080")]).unwrap();
        checked(&[("origin", "https://meet.example.org")]).unwrap();
        checked(&[("sec-fetch-site", "same-origin")]).unwrap();
        checked(&[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "same-origin")]).unwrap();
    }

    #[test]
    fn any_other_page_or_none_does_not() {
        for headers in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
            &[("origin", "http://127.0.0.1:8080"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
        ] {
            assert_eq!(checked(headers), Err(ApiError::OriginForeign), "{headers:?}");
        }
        assert_eq!(checked(&[]), Err(ApiError::OriginMissing));
    }
}
