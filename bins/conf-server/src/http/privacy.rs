//! `/privacy` and `/privacy/inventory`: what the policy in force and the declarations say.
//!
//! Plain HTML, so that it can be read without script, made of the same data in both languages; the
//! German one is authoritative. The pages link the client's own stylesheets and so follow the
//! client's look; what is peculiar to them is in `privacy/style.css`.

mod listing;
mod notice;
mod words;

use std::fmt::Write as _;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use super::{Shared, assets};
use crate::config::TurnServer;
use words::Language;

pub(crate) use words::{Language as Spoken, basis, term};

/// `?lang=de` or `?lang=en`; without it the browser's first language decides.
#[derive(Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

type Question = Result<Query<Asked>, QueryRejection>;

/// What is processed, why, and how long.
pub(super) async fn page(State(app): Shared, asked: Question, headers: HeaderMap) -> Html<String> {
    let language = language(asked, &headers);
    let relays = app.turn.as_ref().map(TurnServer::hosts).unwrap_or_default();
    let main = notice::main(&app.policy, app.limits.grace, &relays, language);
    Html(frame(language, &main, "/privacy"))
}

/// Every place where something is kept.
pub(super) async fn inventory(
    State(app): Shared,
    asked: Question,
    headers: HeaderMap,
) -> Html<String> {
    let language = language(asked, &headers);
    Html(frame(language, &listing::main(&app.policy, language), "/privacy/inventory"))
}

/// Their style, in a file of its own because the content policy allows none inside the page.
pub(super) async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=3600"),
    ];
    (headers, STYLE).into_response()
}

fn language(asked: Question, headers: &HeaderMap) -> Language {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let asked = asked.ok().and_then(|Query(asked)| asked.lang);
    let language = asked.as_deref().or(accepted).unwrap_or_default().trim_start();
    let german = language.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("de"));
    if german { Language::German } else { Language::English }
}

fn frame(language: Language, main: &str, path: &str) -> String {
    let frame = match language {
        Language::German => GERMAN,
        Language::English => ENGLISH,
    };
    // The text of the policy comes last, so that nothing in it is taken for a place to fill.
    let frame = frame.replace("{path}", path).replace("{client}", &client_head());
    frame.replace("{main}", main)
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

/// One row of a table that becomes a card on a phone: its head, then cells under their columns.
fn row(head: &str, cells: &[(&str, String)]) -> String {
    let mut row = format!("<tr role=\"row\"><th role=\"rowheader\" scope=\"row\">{head}</th>");
    for (column, cell) in cells {
        let _ = write!(row, "<td role=\"cell\" data-label=\"{column}\">{cell}</td>");
    }
    row.push_str("</tr>\n");
    row
}

/// A table under the heading with this id.
fn table(id: &str, columns: &[&str], rows: &str) -> String {
    let head: String = columns
        .iter()
        .map(|column| format!("<th role=\"columnheader\" scope=\"col\">{column}</th>"))
        .collect();
    format!(
        "<table role=\"table\" aria-labelledby=\"{id}\">\n<thead role=\"rowgroup\">\
         <tr role=\"row\">{head}</tr></thead>\n<tbody role=\"rowgroup\">\n{rows}</tbody>\n</table>\n"
    )
}

/// Text that is not ours, as HTML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

const STYLE: &str = include_str!("privacy/style.css");
const GERMAN: &str = include_str!("privacy/de.html");
const ENGLISH: &str = include_str!("privacy/en.html");
