//! Does a request come from a page of this server?
//!
//! Browsers name the page's origin with every websocket and every cross-origin request, and no
//! page can change it. Programs that are no browser name none; nothing here depends on a cookie,
//! so they may pass.

use axum::http::{HeaderMap, header};

use crate::config::PublicUrl;

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
