//! `/privacy` while no policy names a controller: says so, and what is kept for how long.
//!
//! Its table is made of the declarations of `conf_privacy::category`, so that it says what they say.
//! Plain HTML, so that it can be read without script. It links the client's own stylesheets and so
//! follows the client's look; what is peculiar to it is in `privacy/style.css`.

use std::fmt::Write as _;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use conf_privacy::category::{self, Label};
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
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Html<String> {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let asked = asked.ok().and_then(|Query(asked)| asked.lang);
    let language = asked.as_deref().or(accepted).unwrap_or_default().trim_start();
    let german = language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("de"));
    let language = if german { Language::German } else { Language::English };
    let grace = app.limits.grace.as_secs().to_string();
    let page = language.page().replace("{grace}", &grace).replace("{client}", &client_head());
    Html(page.replace("{rows}", &rows(language)))
}

#[derive(Clone, Copy)]
enum Language {
    German,
    English,
}

impl Language {
    const fn page(self) -> &'static str {
        match self {
            Self::German => GERMAN,
            Self::English => ENGLISH,
        }
    }

    const fn of(self, label: Label) -> &'static str {
        match self {
            Self::German => label.de,
            Self::English => label.en,
        }
    }
}

/// A row for each kind of personal data.
fn rows(language: Language) -> String {
    let why = match language {
        Language::German => "Wozu",
        Language::English => "What for",
    };
    let mut rows = String::new();
    for kind in category::ALL {
        let (label, reason) = (language.of(kind.label), language.of(kind.reason));
        let _ = writeln!(
            rows,
            "<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">{label}</th>\
             <td role=\"cell\" data-label=\"{why}\">{reason}</td></tr>"
        );
    }
    rows
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
