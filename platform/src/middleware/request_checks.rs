//! Refuses requests that no route should see: too large ones, ambiguous ones, and those with a secret in
//! the URL, where it would be logged.

use std::net::Ipv6Addr;

use axum::extract::Request;
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::LAST_EVENT_ID;
use crate::http::tus::{
    TUS_RESUMABLE, UPLOAD_CHECKSUM, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET,
};
use crate::http::{CAUSATION_ID, IDEMPOTENCY_KEY, Problem, REACTOR, elements};
use crate::{config, tidemark};

/// Headers that may be sent only once, since two values would contradict each other.
const SINGLE_HEADERS: [HeaderName; 12] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IDEMPOTENCY_KEY,
    LAST_EVENT_ID,
    tidemark::HEADER,
    TUS_RESUMABLE,
    UPLOAD_LENGTH,
    UPLOAD_OFFSET,
    UPLOAD_METADATA,
    UPLOAD_CHECKSUM,
    CAUSATION_ID,
    REACTOR,
];
/// Query parameters that hold secrets. Query strings end up in logs, histories and `Referer`.
const SECRET_PARAMETERS: [&str; 5] = [
    "token",
    "access_token",
    "refresh_token",
    "api_key",
    "password",
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
    check_method(request)?;
    check_host(request)?;
    check_transfer_codings(request.headers())?;
    check_repetition(request.headers())?;
    check_uri(request.uri())
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

/// A proper CONNECT names a host and no path (RFC 9110, section 9.3.6), so the router, which answers all others, would not know what to
/// say.
fn check_method(request: &Request) -> Result<(), Problem> {
    if *request.method() == Method::CONNECT && request.uri().path().is_empty() {
        let allow = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
        return Err(Problem::of_status(StatusCode::METHOD_NOT_ALLOWED).header(ALLOW, allow));
    }
    Ok(())
}

/// A request names one host (RFC 9112, section 3.2; RFC 9113, section 8.3.1), or a proxy in front of us might
/// have seen another one. Only HTTP/1.0 needs none. Over HTTP/1.1 a target that names a host stands in place of `Host`;
/// no user may stand before it, who could make it look like another host (RFC 9110, section 4.2.4).
fn check_host(request: &Request) -> Result<(), Problem> {
    let authority = request.uri().authority().map(Authority::as_str);
    let mut hosts = request.headers().get_all(HOST).iter();
    let is_valid = match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            let is_other =
                |authority: &str| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
            is_host(host.to_str().unwrap_or_default())
                && !(request.version() == Version::HTTP_2 && authority.is_some_and(is_other))
        }
        (None, _) => match request.version() {
            Version::HTTP_11 => false,
            Version::HTTP_2 => authority.is_some(),
            _ => true,
        },
        (Some(_), Some(_)) => false,
    };
    if is_valid && authority.is_none_or(is_host) {
        return Ok(());
    }
    let detail = "The request must name one host, in one valid header Host.";
    Err(Problem::bad_request("invalid_host", detail))
}

/// Whether this is a host, with or without a port.
fn is_host(text: &str) -> bool {
    let Ok(authority) = text.parse::<Authority>() else {
        return false;
    };
    let host = authority.host();
    let is_literal = |rest: &str| {
        rest.strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    };
    // The rest would not begin with the host if a user stood before it.
    let port = text
        .strip_prefix(host)
        .map(|rest| rest.strip_prefix(':').unwrap_or(rest));
    !host.is_empty()
        && host.strip_prefix('[').is_none_or(is_literal)
        && port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// hyper decodes `chunked`, and would hand on the body with any other coding that is still applied.
fn check_transfer_codings(headers: &HeaderMap) -> Result<(), Problem> {
    let mut codings = elements(headers, TRANSFER_ENCODING);
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(()),
        (Some(_), _) => Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "unsupported_transfer_coding",
            "The only transfer coding that is supported is chunked.",
        )),
    }
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
            let detail = format!(
                "The parameter {name} does not belong in a URL: send it as a header or in the body."
            );
            Err(Problem::bad_request("secret_in_url", detail))
        }
        None => Ok(()),
    }
}
