//! The web client's files, out of the binary: compressed where the browser takes it, and cached
//! for ever where the name holds a hash of the content.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};

use super::ApiError;

/// One file; the table of all is written by build.rs.
struct Asset {
    path: &'static str,
    etag: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
    brotli: Option<&'static [u8]>,
}

/// Sorted by path.
static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The page of the client, the same for every room.
pub(super) async fn index(headers: HeaderMap) -> Response {
    match find("index.html") {
        Some(asset) => answer(asset, &headers),
        None => Html(NO_CLIENT).into_response(),
    }
}

/// Any other file of the client.
pub(super) async fn file(request: Request) -> Response {
    let found = find(request.uri().path().trim_start_matches('/'));
    match (found, request.method()) {
        (Some(asset), &(Method::GET | Method::HEAD)) => answer(asset, request.headers()),
        (Some(_), _) => ApiError::MethodNotAllowed.into_response(),
        (None, _) => ApiError::NotFound.into_response(),
    }
}

/// Addresses of the stylesheets that the client's page names.
pub(super) fn styles() -> impl Iterator<Item = &'static str> {
    let page = find("index.html").and_then(|asset| str::from_utf8(asset.plain).ok());
    let links = page.unwrap_or_default().split("href=\"").skip(1);
    let addresses = links.filter_map(|rest| rest.split_once('"')).map(|(address, _)| address);
    addresses.filter(|address| address.ends_with(".css"))
}

/// Whether the client has this file.
pub(super) fn exists(path: &str) -> bool {
    find(path).is_some()
}

fn find(path: &str) -> Option<&'static Asset> {
    let index = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    ASSETS.get(index)
}

fn answer(asset: &'static Asset, headers: &HeaderMap) -> Response {
    let (bytes, encoding) = match (asset.brotli, asset.gzip) {
        (Some(brotli), _) if takes(headers, "br") => (brotli, Some("br")),
        (_, Some(gzip)) if takes(headers, "gzip") => (gzip, Some("gzip")),
        _ => (asset.plain, None),
    };
    // The same file in another encoding is another representation (RFC 9110, section 8.8.3).
    let etag = match encoding {
        Some(encoding) => format!("{}-{encoding}\"", asset.etag.trim_end_matches('"')),
        None => asset.etag.to_owned(),
    };
    let known = has(headers, &etag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(bytes).into_response()
    };
    let out = response.headers_mut();
    if let (false, Some(encoding)) = (known, encoding) {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        out.insert(header::ETAG, etag);
    }
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(asset.path)));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    let caching = if asset.path.starts_with("assets/") { FOR_EVER } else { ASK_AGAIN };
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

/// Whether the browser takes an encoding: named, and not with `q=0` (RFC 9110, section 12.5.3).
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let all = headers.get_all(header::ACCEPT_ENCODING).iter();
    all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).unwrap_or("1");
        named && weight.parse::<f32>().is_ok_and(|weight| weight > 0.0)
    })
}

/// Whether the browser already has it.
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|known| {
        let mut tags = known.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == etag || tag == "*")
    })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";
const ASK_AGAIN: &str = "no-cache";
const NO_CLIENT: &str = "<!doctype html><html lang=en><title>conf</title>\
    <p>This server was built without its web client. Meetings can be joined with other clients.";

#[cfg(test)]
mod tests {
    use super::*;

    const ASSET: Asset = Asset {
        path: "assets/a-1234.js",
        etag: "\"00ff\"",
        plain: b"plain",
        gzip: Some(b"gzip"),
        brotli: Some(b"brotli"),
    };

    fn ask(pairs: &[(header::HeaderName, &'static str)]) -> Response {
        let headers = pairs.iter().cloned();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        static SERVED: Asset = ASSET;
        answer(&SERVED, &headers.collect())
    }

    #[test]
    fn the_best_encoding_that_the_browser_takes_is_served() {
        let encoding = |accepted| {
            let response = ask(&[(header::ACCEPT_ENCODING, accepted)]);
            response
                .headers()
                .get(header::CONTENT_ENCODING)
                .map(|it| it.to_str().unwrap().to_owned())
        };
        assert_eq!(encoding("gzip, deflate, br, zstd").as_deref(), Some("br"));
        assert_eq!(encoding("gzip;q=1.0, br;q=0").as_deref(), Some("gzip"));
        assert_eq!(encoding("deflate"), None);
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let response = ask(&[(header::IF_NONE_MATCH, "\"aa\", W/\"00ff\"")]);
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        let other_encoding =
            ask(&[(header::IF_NONE_MATCH, "\"00ff\""), (header::ACCEPT_ENCODING, "br")]);
        assert_eq!(other_encoding.status(), StatusCode::OK);
        assert_eq!(other_encoding.headers()[header::ETAG], "\"00ff-br\"");
    }

    #[test]
    fn files_with_a_hash_in_the_name_are_kept_for_ever() {
        let response = ask(&[]);
        assert_eq!(response.headers()[header::CACHE_CONTROL], FOR_EVER);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(ASSETS.is_sorted_by_key(|asset| asset.path));
    }
}
