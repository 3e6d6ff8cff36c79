//! `/privacy` while no policy names a controller: says so, and what is kept for how long.
//!
//! Plain HTML, so that it can be read without script. It links the client's own stylesheets and so
//! follows the client's look; what is peculiar to it is in `privacy/style.css`.

use std::fmt::Write as _;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::{Shared, assets};

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
    Html(text.replace("{grace}", &grace).replace("{client}", &client_head()))
}

/// The client's look, and the theme that was chosen in this browser; nothing when the binary
/// carries no client.
fn client_head() -> String {
    let mut head = String::new();
    for style in assets::styles() {
        // Writing to a string cannot fail.
        let _ = writeln!(head, "<link rel=\"stylesheet\" href=\"{style}\">");
    }
    if assets::exists("theme.js") {
        head.push_str("<script src=\"/theme.js\"></script>");
    }
    head
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
