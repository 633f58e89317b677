//! What the `EventSource` of a browser is answered. After an answer other than 200 it never connects again, so a
//! refusal that passes is an event for it, after which the stream ends and the browser connects again by itself.

use axum::body::Body;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;

use crate::http::{Correlation, Problem, ProblemDocument};
use crate::tidemark;

const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");

/// What the path of every live update ends with.
const LIVE: &str = "/live";

/// Whether it asks for a live update, and takes nothing but events, as an `EventSource` says of itself. That of a browser
/// sends no `Tidemark`; whoever does can read a refusal.
pub(super) fn is_one(request: &Request) -> bool {
    let path = request.extensions().get::<MatchedPath>();
    let is_live = path.is_some_and(|path| path.as_str().ends_with(LIVE));
    if !is_live || request.headers().contains_key(tidemark::HEADER) {
        return false;
    }
    let mut accepted = request.headers().get_all(ACCEPT).iter();
    let is_alone = accepted.next() == Some(&EVENTS) && accepted.next().is_none();
    is_alone && *request.method() == Method::GET
}

/// The problems of an id of an event which the log does not have, because it was set back or is another one.
const LOST_ID: [&str; 2] = ["other_timeline", "future_position"];

/// Replaces a problem that passes by an event that tells it, and says after how long to connect again. The response
/// keeps the problem as an extension, so that it is logged and counted as what it is.
pub(super) fn keep_coming(response: &mut Response, correlation: &Correlation, retry_ms: u64) {
    let Some(problem) = response.extensions().get::<Problem>() else {
        return;
    };
    let forget = match problem.status() {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "",
        // A browser sends the id of the last event that it was sent, until it is sent an empty one.
        _ if LOST_ID.contains(&problem.code()) => "id:\n",
        _ => return,
    };
    let id = correlation.correlation_id;
    let document = ProblemDocument::new(problem, Some(format!("urn:uuid:{id}")));
    // Serialising strings, numbers and JSON values never fails, and writes no line break.
    let document = serde_json::to_string(&document).unwrap_or_default();
    let events = format!("retry: {retry_ms}\n\nevent: end\n{forget}data: {document}\n\n");
    *response.status_mut() = StatusCode::OK;
    *response.body_mut() = Body::from(events);
    let headers = response.headers_mut();
    for name in [CONTENT_ENCODING, CONTENT_LENGTH] {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, EVENTS);
}
