//! The page by which whoever has a mail stops others like it, and what mail programs do for them (RFC 8058). It is made for people
//! and not for clients of the API, so that the description does not have it. The token in the path says whose mails are
//! stopped; whoever has the mail has it, so it does nothing else.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tidemark_domain::RefusalKind;
use tidemark_domain::messaging::preferences::Unsubscribe;
use tidemark_event_store::Unsubscription;
use tidemark_events::PreferencesId;
use tidemark_events::messaging::channels::Category;
use tidemark_events::messaging::preferences::Via;
use tidemark_platform::http::{Path, Problem};

use crate::app::App;
use crate::caller::UnknownCaller;
use crate::error::Error;

/// What a mail program sends (RFC 8058, section 3.1).
const ONE_CLICK: &[u8] = b"List-Unsubscribe=One-Click";

pub(crate) fn router() -> Router<App> {
    Router::new().route("/unsubscribe/{token}", get(ask).post(unsubscribe))
}

/// Asks. Programs that look at links in mails do no more than this, so it changes nothing.
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

async fn unsubscribe(
    State(app): State<App>,
    UnknownCaller(caller): UnknownCaller,
    Path(token): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let Some(read) = Unsubscription::read(&token, &app.lookup_key) else {
        return Ok(unknown());
    };
    let is_one_click = body
        .windows(ONE_CLICK.len())
        .any(|window| window == ONE_CLICK);
    let command = Unsubscribe {
        user_id: read.user_id,
        category: read.category,
        via: if is_one_click {
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
