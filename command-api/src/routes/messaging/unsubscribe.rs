//! The page by which whoever has a mail stops others like it, and what mail programs do for them (RFC 8058). It is made for people
//! and not for clients of the API, so that the description that they get does not have it. The token in the path says whose mails
//! are stopped; whoever has the mail has it, so it does nothing else.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use tidemark_domain::RefusalKind;
use tidemark_domain::messaging::preferences::Unsubscribe;
use tidemark_event_store::Unsubscription;
use tidemark_events::PreferencesId;
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::preferences::Via;
use tidemark_platform::http::{Path, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::forms::{MULTIPART, URLENCODED, expect_form};
use crate::app::App;
use crate::caller::UnknownCaller;
use crate::error::Error;

/// The name and the value that a mail program sends (RFC 8058, section 3.1).
const ONE_CLICK: (&str, &str) = ("List-Unsubscribe", "One-Click");

pub(super) fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(ask, unsubscribe))
}

/// Asks. Programs that look at links in mails do no more than this, so it changes nothing.
#[utoipa::path(
    get,
    path = "/unsubscribe/{token}",
    operation_id = "ask_whether_to_unsubscribe",
    params(("token" = String, Path, description = "Whose mails, of which category")),
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
async fn ask(State(app): State<App>, Path(token): Path<String>) -> Response {
    let Some(read) = Unsubscription::read(&token, &app.lookup_key) else {
        return unknown();
    };
    let what = words(read.category);
    // The form goes to the page's own address.
    page(
        StatusCode::OK,
        &format!(
            "<p>Do you want no more mails that tell you {what}?</p>\
             <form method=\"post\"><button>No more of these mails</button></form>"
        ),
    )
}

/// Stops mails. A mail program acts on the status alone, and may accept whatever it likes, so no answer is described: it is told
/// that it has succeeded by a page that it did not ask for.
#[utoipa::path(
    post,
    path = "/unsubscribe/{token}",
    operation_id = "unsubscribe",
    params(("token" = String, Path, description = "Whose mails, of which category")),
    request_body(content = String, content_type = "multipart/form-data"),
    responses((status = 200, description = "No more such mails are sent"))
)]
async fn unsubscribe(
    State(app): State<App>,
    UnknownCaller(caller): UnknownCaller,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    expect_form(&headers, &[URLENCODED, MULTIPART])?;
    let Some(read) = Unsubscription::read(&token, &app.lookup_key) else {
        return Ok(unknown());
    };
    let command = Unsubscribe {
        user_id: read.user_id,
        category: read.category,
        via: if is_one_click(&body) {
            Via::OneClick
        } else {
            Via::Page
        },
    };
    let preferences_id = PreferencesId::of(read.user_id);
    let submission = app.submission(&caller, StatusCode::OK, preferences_id.0, command)?;
    match app.executor.execute(submission).await {
        Ok(_) => {}
        // It is as wanted: a mail program may send it twice.
        Err(Error::Refused(refusal)) if refusal.kind == RefusalKind::Conflict => {}
        Err(error) => return Err(error.into()),
    }
    let what = words(read.category);
    let text = format!("<p>You get no more mails that tell you {what}.</p>");
    Ok(page(StatusCode::OK, &text))
}

/// Whether a mail program has sent the form, in one of the two ways that it may choose from. Whatever else a form holds says nothing.
fn is_one_click(body: &[u8]) -> bool {
    let (name, value) = ONE_CLICK;
    if form_urlencoded::parse(body).any(|field| field == (name.into(), value.into())) {
        return true;
    }
    let text = String::from_utf8_lossy(body);
    let mut lines = text.lines().map(str::trim_end);
    let is_named = format!("name=\"{name}\"").to_ascii_lowercase();
    lines.any(|line| line.to_ascii_lowercase().contains(&is_named)) && lines.any(|it| it == value)
}

fn unknown() -> Response {
    page(
        StatusCode::NOT_FOUND,
        "<p>This link is not one of ours, or not all of it. Take it from the mail as it is there.</p>",
    )
}

fn page(status: StatusCode, text: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Mails of Tidemark</title></head>\
         <body><h1>Mails of Tidemark</h1>{text}</body></html>"
    );
    (status, Html(page)).into_response()
}

/// What mails of a category tell.
const fn words(category: Category) -> &'static str {
    match category {
        Category::Outbid => "that somebody else has bid more than you",
        Category::Won => "that you have won an auction",
        Category::NotWon => "that you have not won an auction",
        Category::Sold => "that a product of yours is sold",
        Category::Unsold => "that a product of yours is not sold",
        Category::EndsSoon => "auctions that you watch and that end soon",
        Category::TaskPaused => "that a task of yours was paused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_click_is_told_in_either_form_that_mail_programs_send() {
        let parts = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
        for (body, is_it) in [
            ("List-Unsubscribe=One-Click", true),
            ("a=b&List-Unsubscribe=One%2DClick", true),
            (parts, true),
            (&parts.replace("One-Click", "Two-Clicks"), false),
            (&parts.replace("List-Unsubscribe", "List"), false),
            ("List-Unsubscribe=No", false),
            ("", false),
        ] {
            assert_eq!(is_one_click(body.as_bytes()), is_it, "{body}");
        }
    }
}
