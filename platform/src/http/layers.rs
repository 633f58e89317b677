//! The layers around an API, in the one order that works.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
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
    let admission = Arc::new(Admission {
        guard: guard::Bounds::new(http),
        body: body::Limits::new(http),
        handler: contain::Bounds::new(http),
        auth,
    });
    // The first one is the first to see a request. They are few, and one to the router, which boxes
    // each that it is given, and copies all that is inside for every request.
    let layers = ServiceBuilder::new()
        // Outside of what rewrites bodies.
        .layer(CompressionLayer::new())
        .layer(from_fn(complete))
        .layer(cors(http))
        .layer(from_fn_with_state(admission, admit));
    router
        // A fallback of its own is inside the layers, and survives being merged.
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(layers)
}

/// What stands before every handler.
struct Admission {
    guard: guard::Bounds,
    body: body::Limits,
    handler: contain::Bounds,
    auth: Auth,
}

async fn admit(State(admission): State<Arc<Admission>>, request: Request, next: Next) -> Response {
    if let Err(problem) = guard::check(admission.guard, &request) {
        return problem.into_response();
    }
    match body::receive(admission.body, request).await {
        Ok(mut request) => {
            request.extensions_mut().insert(admission.auth.clone());
            contain::contain(&admission.handler, next.run(request)).await
        }
        Err(refusal) => refusal,
    }
}

/// Gives every answer what all answers have.
async fn complete(request: Request, next: Next) -> Response {
    let mut response = observe::observe(request, next).await;
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
