//! Refuses requests that no route should see: too large ones, ambiguous ones, and those with a secret in
//! the URL, where it would be logged.

use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, IF_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};

use crate::http::{IDEMPOTENCY_KEY, Problem};
use crate::{config, tidemark};

/// Headers that may be sent only once, since two values would contradict each other.
const SINGLE_HEADERS: [HeaderName; 5] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    IDEMPOTENCY_KEY,
    tidemark::HEADER,
];
/// Query parameters that hold secrets. Query strings end up in logs, histories and `Referer`.
const SECRET_PARAMETERS: [&str; 5] = [
    "token",
    "access_token",
    "refresh_token",
    "api_key",
    "password",
];
/// The routes below this path answer nothing but `API_MEDIA_TYPES`.
const API_PATH: &str = "/v1/";
const API_MEDIA_TYPES: [&str; 3] = [
    "application/json",
    "application/problem+json",
    "text/event-stream",
];

/// How large the head of a request may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeadLimits {
    url_bytes: usize,
    header_bytes: usize,
    headers: usize,
}

impl HeadLimits {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            url_bytes: http.url_bytes_max,
            header_bytes: http.header_bytes_max,
            headers: http.headers_max,
        }
    }
}

/// Checks everything but the body.
///
/// # Errors
/// The problem with the request.
pub(super) fn check(limits: HeadLimits, request: &Request) -> Result<(), Problem> {
    check_size(limits, request.uri(), request.headers())?;
    check_method(request.method())?;
    check_repetition(request.headers())?;
    check_uri(request.uri())?;
    check_accept(request.uri(), request.headers())
}

fn check_size(limits: HeadLimits, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let url_bytes = uri.path().len() + uri.query().map_or(0, |query| query.len() + 1);
    if url_bytes > limits.url_bytes {
        let detail = format!("The URL is longer than {} bytes.", limits.url_bytes);
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
    if bytes > limits.header_bytes || headers.len() > limits.headers {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let detail = format!(
            "There are more than {} headers, or they are larger than {} bytes.",
            limits.headers, limits.header_bytes
        );
        return Err(Problem::new(status, "headers_too_large", detail));
    }
    Ok(())
}

/// No route supports CONNECT or TRACE. The target of a CONNECT is not even a path, so the router could not
/// answer 405.
fn check_method(method: &Method) -> Result<(), Problem> {
    if matches!(*method, Method::CONNECT | Method::TRACE) {
        let allow = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
        return Err(Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, allow));
    }
    Ok(())
}

fn check_repetition(headers: &HeaderMap) -> Result<(), Problem> {
    match SINGLE_HEADERS
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

fn check_uri(uri: &Uri) -> Result<(), Problem> {
    let query = uri.query().unwrap_or_default();
    if uri.path().contains("%00") || query.contains("%00") {
        return Err(Problem::bad_request(
            "malformed_url",
            "The URL holds the character U+0000.",
        ));
    }
    let secret = form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| SECRET_PARAMETERS.contains(&name.to_ascii_lowercase().as_str()));
    match secret {
        Some((name, _)) => {
            let detail =
                format!("{name} does not belong in a URL: send it as a header or in the body.");
            Err(Problem::bad_request("secret_in_url", detail))
        }
        None => Ok(()),
    }
}

/// Answers 406 where the client accepts none of the media types that the API has.
fn check_accept(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let Some(accept) = headers
        .get(ACCEPT)
        .filter(|_| uri.path().starts_with(API_PATH))
    else {
        return Ok(());
    };
    let accept = accept.to_str().unwrap_or_default();
    if accept.split(',').any(accepts_api) {
        return Ok(());
    }
    let detail =
        "This path answers application/json, and text/event-stream where it has live updates.";
    Err(Problem::new(
        StatusCode::NOT_ACCEPTABLE,
        "not_acceptable",
        detail,
    ))
}

fn accepts_api(media_range: &str) -> bool {
    let mut parts = media_range
        .split(';')
        .map(|part| part.trim().to_ascii_lowercase());
    let range = parts.next().unwrap_or_default();
    let has_zero_quality = parts.any(|part| {
        part.strip_prefix("q=")
            .and_then(|q| q.parse::<f32>().ok())
            .is_some_and(|q| q <= 0.0)
    });
    let matches = range == "*/*"
        || API_MEDIA_TYPES.contains(&range.as_str())
        || range.strip_suffix('*').is_some_and(|kind| {
            kind.ends_with('/') && API_MEDIA_TYPES.iter().any(|known| known.starts_with(kind))
        });
    matches && !has_zero_quality
}
