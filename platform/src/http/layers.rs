//! The layers around an API, in the one order that works.

use axum::Router;
use axum::extract::{Extension, Request};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;

use super::context::CORRELATION_ID;
use super::{body, contain, guard, observe};
use crate::auth::Auth;
use crate::{config, token};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What browsers are told with every answer, unless a route says otherwise.
const SECURITY_HEADERS: [(HeaderName, HeaderValue); 8] = [
    (
        STRICT_TRANSPORT_SECURITY,
        HeaderValue::from_static("max-age=63072000; includeSubDomains"),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

/// Puts everything around an API that all have in common. Routes that operators ask (`ops`) are merged
/// afterwards: they answer even when the API is full.
pub fn layers(router: Router, http: &config::Http, auth: Auth) -> Router {
    // The first one is the first to see a request. Together they are one layer: a router boxes each
    // that it is given, and copies all boxes inside for every request.
    let layers = ServiceBuilder::new()
        // Outside of what rewrites bodies.
        .layer(CompressionLayer::new())
        .layer(from_fn(secure))
        .layer(from_fn(observe::observe))
        .layer(cors(http))
        .layer(from_fn_with_state(guard::Bounds::new(http), guard::guard))
        .layer(from_fn_with_state(body::Limits::new(http), body::receive))
        .layer(from_fn_with_state(
            contain::Bounds::new(http),
            contain::contain,
        ))
        .layer(Extension(auth));
    router
        // A fallback of its own is inside the layers, and survives being merged.
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(layers)
}

async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

/// Origins are compared as a whole; an entry that cannot be an origin matches none.
fn cors(http: &config::Http) -> CorsLayer {
    let origins = http
        .cors_origins
        .iter()
        .filter_map(|origin| origin.parse::<HeaderValue>().ok());
    CorsLayer::new()
        .allow_origin(origins.collect::<Vec<_>>())
        .allow_methods([
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            IDEMPOTENCY_KEY,
            LAST_EVENT_ID,
            CORRELATION_ID,
            token::HEADER,
        ])
        .expose_headers([ETAG, LOCATION, RETRY_AFTER, CORRELATION_ID, token::HEADER])
}
