//! What pages of other origins may send and read (CORS): all that the descriptions of the APIs have, but for what only services send.

use std::time::Duration;

use axum::http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_NONE_MATCH, IF_RANGE, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderName, HeaderValue, Method};
use tower_http::cors::CorsLayer;

use super::LAST_EVENT_ID;
use crate::http::tus::{
    METHOD_OVERRIDE, TUS_CHECKSUM_ALGORITHM, TUS_EXTENSION, TUS_MAX_SIZE, TUS_RESUMABLE,
    TUS_VERSION, UPLOAD_CHECKSUM, UPLOAD_EXPIRES, UPLOAD_LENGTH, UPLOAD_METADATA, UPLOAD_OFFSET,
};
use crate::http::{
    CORRELATION_ID, EMAIL_ADDRESS, IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, PHONE_NUMBER, TRACEPARENT,
};
use crate::{config, tidemark};

const METHODS: [Method; 5] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];

/// The headers of requests. `Accept` needs no permission.
const ALLOWED: [HeaderName; 19] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    IF_MATCH,
    IF_NONE_MATCH,
    IF_RANGE,
    RANGE,
    IDEMPOTENCY_KEY,
    LAST_EVENT_ID,
    CORRELATION_ID,
    TRACEPARENT,
    EMAIL_ADDRESS,
    PHONE_NUMBER,
    tidemark::HEADER,
    TUS_RESUMABLE,
    UPLOAD_LENGTH,
    UPLOAD_OFFSET,
    UPLOAD_METADATA,
    UPLOAD_CHECKSUM,
    METHOD_OVERRIDE,
];

/// The headers of answers, beside those that every page may read.
const EXPOSED: [HeaderName; 20] = [
    ETAG,
    LOCATION,
    RETRY_AFTER,
    WWW_AUTHENTICATE,
    ACCEPT_RANGES,
    CONTENT_DISPOSITION,
    CONTENT_RANGE,
    IDEMPOTENCY_REPLAYED,
    CORRELATION_ID,
    tidemark::HEADER,
    tidemark::PARKED,
    TUS_RESUMABLE,
    TUS_VERSION,
    TUS_EXTENSION,
    TUS_MAX_SIZE,
    TUS_CHECKSUM_ALGORITHM,
    UPLOAD_LENGTH,
    UPLOAD_OFFSET,
    UPLOAD_EXPIRES,
    UPLOAD_METADATA,
];

/// Origins are compared as whole texts; an entry that is not a header value matches none.
pub(super) fn cors(http: &config::Http) -> CorsLayer {
    let origins = http
        .cors_origins
        .iter()
        .filter_map(|origin| origin.parse::<HeaderValue>().ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods(METHODS)
        .allow_headers(ALLOWED)
        .expose_headers(EXPOSED)
        .max_age(Duration::from_secs(http.cors_max_age_s))
}
