//! `/privacy` while no policy names a controller: says so, and what is kept for how long.

use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::Shared;

/// `?lang=de` or `?lang=en`; without it the browser's first language decides.
#[derive(Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

/// The page.
pub(super) async fn page(
    State(app): Shared,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Html<String> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let language = asked.lang.as_deref().or(accepted).unwrap_or_default().trim_start();
    let german = language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("de"));
    let text = if german { GERMAN } else { ENGLISH };
    let grace = app.limits.grace.as_secs().to_string();
    Html(text.replace("{grace}", &grace))
}

/// Its style, in a file of its own because the content policy allows none inside the page.
pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, STYLE).into_response()
}

const STYLE: &str = include_str!("privacy/style.css");
const GERMAN: &str = include_str!("privacy/de.html");
const ENGLISH: &str = include_str!("privacy/en.html");
