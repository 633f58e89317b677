//! Requests that no route should see: too large, ambiguous, or with secrets where they are logged.

use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use super::Problem;
use crate::{config, token};

/// Headers that mean something to us and must not mean two things.
const SINGLE: [HeaderName; 5] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    HeaderName::from_static("idempotency-key"),
    token::HEADER,
];
/// Query strings end up in logs, histories and `Referer`.
const SECRETS: [&str; 5] = [
    "token",
    "access_token",
    "refresh_token",
    "api_key",
    "password",
];
/// What the routes under here can answer.
const API: &str = "/v1/";
const SERVED: [&str; 3] = [
    "application/json",
    "application/problem+json",
    "text/event-stream",
];

/// The largest that is let in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    url_bytes: usize,
    header_bytes: usize,
    headers: usize,
}

impl Bounds {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            url_bytes: http.url_bytes_max,
            header_bytes: http.header_bytes_max,
            headers: http.headers_max,
        }
    }
}

/// Lets a request pass, or says why not.
pub(super) fn check(bounds: Bounds, request: &Request) -> Result<(), Problem> {
    refuse_size(bounds, request.uri(), request.headers())?;
    refuse_method(request.method())?;
    refuse_repeated(request.headers())?;
    refuse_uri(request.uri())?;
    refuse_accept(request.uri(), request.headers())
}

fn refuse_size(bounds: Bounds, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let url_bytes = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if url_bytes > bounds.url_bytes {
        let detail = format!("The URL is longer than {} bytes.", bounds.url_bytes);
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            "url_too_long",
            detail,
        ));
    }
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    if bytes > bounds.header_bytes || headers.len() > bounds.headers {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let detail = format!(
            "The headers are more than {} or larger than {} bytes.",
            bounds.headers, bounds.header_bytes
        );
        return Err(Problem::new(status, "headers_too_large", detail));
    }
    Ok(())
}

/// These reach no route whose `Allow` could be told.
fn refuse_method(method: &Method) -> Result<(), Problem> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        let allow = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
        return Err(Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, allow));
    }
    Ok(())
}

fn refuse_repeated(headers: &HeaderMap) -> Result<(), Problem> {
    match SINGLE
        .iter()
        .find(|name| headers.get_all(*name).iter().count() > 1)
    {
        Some(name) => {
            let detail = format!("The header {name} is sent more than once.");
            Err(Problem::bad_request("repeated_header", detail))
        }
        None => Ok(()),
    }
}

fn refuse_uri(uri: &Uri) -> Result<(), Problem> {
    let query = uri.query().unwrap_or_default();
    if uri.path().contains("%00") || query.contains("%00") {
        return Err(Problem::bad_request(
            "malformed_url",
            "The URL holds U+0000.",
        ));
    }
    let secret = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| SECRETS.contains(&name.to_ascii_lowercase().as_str()));
    match secret {
        Some((name, _)) => {
            let detail =
                format!("{name} does not belong into a URL: send it as a header or in the body.");
            Err(Problem::bad_request("secret_in_url", detail))
        }
        None => Ok(()),
    }
}

/// 406 where JSON and server-sent events are all there is and the client takes neither.
fn refuse_accept(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(accept) = headers.get(ACCEPT).filter(|_| uri.path().starts_with(API)) else {
        return Ok(());
    };
    let accept = accept.to_str().unwrap_or_default();
    if accept.split(',').any(is_served) {
        return Ok(());
    }
    let detail = "This path answers application/json, live updates text/event-stream.";
    Err(Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not_acceptable",
        detail,
    ))
}

fn is_served(media_range: &str) -> bool {
    let mut parts = media_range
        .split(';')
        .map(|part| part.trim().to_ascii_lowercase());
    let range = parts.next().unwrap_or_default();
    let is_refused = parts.any(|part| {
        part.strip_prefix("q=")
            .and_then(|q| q.parse::<f32>().ok())
            .is_some_and(|q| q <= 0.0)
    });
    let matches = range == "*/*"
        || SERVED.contains(&range.as_str())
        || range.strip_suffix('*').is_some_and(|kind| {
            kind.ends_with('/') && SERVED.iter().any(|served| served.starts_with(kind))
        });
    matches && !is_refused
}
