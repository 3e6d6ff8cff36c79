//! Is a request meant for this server, and does it come from one of its pages?
//!
//! A page of a stranger can make its own name point to this machine (DNS rebinding): then browsers
//! take both for one origin. So only names that cannot be pointed elsewhere are answered: IP
//! addresses, `localhost`, and that of `http.public_url`.
//!
//! Browsers name the page's origin with every websocket and every cross-origin request, and no
//! page can change it. Programs that are no browser name none; nothing here depends on a cookie,
//! so they may pass.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::{ApiError, App};
use crate::config::PublicUrl;

/// Answers requests that are meant for this server only.
pub(super) async fn only_for_us(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    let nameless = request.version() < Version::HTTP_11;
    if is_for_us(request.headers(), app.public_url.as_ref(), nameless) {
        next.run(request).await
    } else {
        ApiError::HostForeign.into_response()
    }
}

/// Whether the one `Host` is a name of this server; `nameless`: it may be missing (HTTP/1.0).
pub(super) fn is_for_us(
    headers: &HeaderMap,
    public_url: Option<&PublicUrl>,
    nameless: bool,
) -> bool {
    if headers.get(header::HOST).is_none() {
        return nameless;
    }
    let Some(name) = host_of(headers) else { return false };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    bare.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || public_url.is_some_and(|url| url.name() == name)
}

/// The name in the one `Host`, in lower case, without its port.
pub(super) fn host_of(headers: &HeaderMap) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return None };
    let authority: Authority = host.to_str().ok()?.parse().ok()?;
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
    plain.then(|| authority.host().to_ascii_lowercase())
}

/// Whether the origin, if any is named, is `public_url` or the host that the request is for.
pub(super) fn is_own(headers: &HeaderMap, public_url: Option<&PublicUrl>) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Some(origin) = origin.to_str().ok().and_then(PublicUrl::parse) else { return false };
    public_url == Some(&origin) || own_host(headers, &origin).as_ref() == Some(&origin)
}

/// The `Host` of the request, as an origin with the scheme of the page's.
fn own_host(headers: &HeaderMap, origin: &PublicUrl) -> Option<PublicUrl> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    let scheme = if origin.is_secure() { "https" } else { "http" };
    PublicUrl::parse(&format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(host: &'static str, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_page_of_this_host_or_of_the_public_url_is_our_own() {
        let public = PublicUrl::parse("https://meet.example.org");
        let own = |host, origin| is_own(&headers(host, origin), public.as_ref());
        assert!(own("127.0.0.1:8080", Some("http://127.0.0.1:8080")));
        assert!(own("127.0.0.1:8080", Some("https://meet.example.org")));
        assert!(own("Meet.example.org:443", Some("https://meet.example.org")));
        assert!(own("127.0.0.1:8080", None));
    }

    #[test]
    fn only_names_that_nobody_can_point_here_are_answered() {
        let public = PublicUrl::parse("https://meet.example.org:8443");
        let for_us = |host: &'static str| is_for_us(&headers(host, None), public.as_ref(), false);
        for host in [
            "127.0.0.1:8080",
            "[::1]:8080",
            "192.0.2.7",
            "LOCALHOST:8080",
            "conf.localhost",
            "Meet.Example.org",
            "meet.example.org:8443",
        ] {
            assert!(for_us(host), "{host}");
        }
        for host in ["evil.example:8080", "127.0.0.1.evil.example", "a@127.0.0.1", "", "a b"] {
            assert!(!for_us(host), "{host}");
        }
        let mut two = headers("127.0.0.1", None);
        two.append(header::HOST, "localhost".parse().unwrap());
        assert!(!is_for_us(&two, None, false));
        assert!(!is_for_us(&HeaderMap::new(), None, false));
        assert!(is_for_us(&HeaderMap::new(), None, true));
    }

    #[test]
    fn any_other_page_is_not() {
        for origin in [
            "null",
            "https://evil.example",
            "http://127.0.0.1:9999",
            "http://127.0.0.1:8080.evil.example",
            "http://127.0.0.1",
        ] {
            assert!(!is_own(&headers("127.0.0.1:8080", Some(origin)), None), "{origin}");
        }
    }
}
