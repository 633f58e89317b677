//! What runs before and after every route of an API: checks, limits, authentication, the log line, and
//! the headers of every response. The order of the layers matters; `apply` puts them in it.

mod cors;
mod event_source;
mod handler_limits;
mod representation;
mod request_checks;
mod request_log;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower::ServiceBuilder;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use self::cors::cors;
use self::handler_limits::HandlerLimits;
use self::representation::Conditions;
use self::request_checks::HeadLimits;
use self::request_log::{Handled, Sampling};
use crate::auth::Authenticator;
use crate::http::{BodyLimits, Correlation, Problem, Streamed};
use crate::server::ClientAddress;
use crate::{config, http};

/// About how many headers the layers outside of a route add to its response.
const ADDED_HEADERS: usize = 16;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Headers for browsers, which every response carries unless its route sets another value.
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

/// Wraps an API in the layers that all APIs have in common. The routes for operators (`ops`) must be
/// merged afterwards, so that they answer even when the API is overloaded.
pub fn apply(router: Router, http: &config::Http, authenticator: Authenticator) -> Router {
    apply_streaming(router, http, authenticator, Streamed::default())
}

/// As [`apply`], with routes that receive the bodies of their requests themselves.
pub fn apply_streaming(
    router: Router,
    http: &config::Http,
    authenticator: Authenticator,
    streamed: Streamed,
) -> Router {
    let gate = Arc::new(Gate {
        head: HeadLimits::new(http),
        body: BodyLimits::new(http),
        handler: HandlerLimits::new(http),
        streamed,
        authenticator,
        sampling: Sampling::new(http.read_logged_one_in),
        event_retry_ms: http.event_retry_ms,
    });
    // A request passes the layers from the first to the last. They are few, and joined to one for the
    // router, since it boxes each layer that it is given and copies what is inside for every request.
    let resumable = streamed.resumable;
    let layers = ServiceBuilder::new()
        .layer(from_fn_with_state(Arc::clone(&gate), complete))
        // Compression must be outside of the layer that replaces the bodies of errors, which is `admit`.
        // It is done by the threads that serve everybody, so it may not take long.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(cors(http))
        .layer(from_fn_with_state(gate, admit));
    let router = router
        // A fallback that is set here runs inside the layers, and remains so when the routes for operators
        // are merged. The default one would not.
        .fallback(async || StatusCode::NOT_FOUND)
        .layer(layers);
    resumable.override_methods(router)
}

/// Wraps routes that answer even when the API is overloaded: of all that [`apply`] does, their requests are checked, and
/// their responses have the headers for browsers.
pub(crate) fn check_alone(router: Router, http: &config::Http) -> Router {
    let answer = async |State(limits): State<HeadLimits>, request: Request, next: Next| {
        let mut response = match request_checks::check(limits, &request) {
            Ok(()) => next.run(request).await,
            Err(problem) => problem.into_response(),
        };
        add_security_headers(&mut response);
        response
    };
    router.layer(from_fn_with_state(HeadLimits::new(http), answer))
}

/// What a request must pass before its handler runs.
struct Gate {
    head: HeadLimits,
    body: BodyLimits,
    handler: HandlerLimits,
    streamed: Streamed,
    authenticator: Authenticator,
    sampling: Sampling,
    /// After how long an `EventSource` that was refused connects again.
    event_retry_ms: u64,
}

/// Runs the handler if the request passes, and turns every error into a problem.
async fn admit(
    State(gate): State<Arc<Gate>>,
    correlation: Correlation,
    request: Request,
    next: Next,
) -> Response {
    let mut response = gate.answer(request, next).await;
    request_log::name_problem(&mut response, &correlation);
    response
}

/// Has a route answer, if there is one.
async fn handle(request: Request, next: Next) -> Response {
    let has_path = request.extensions().get::<MatchedPath>().is_some();
    let mut response = next.run(request).await;
    // The layers outside add so many that the map would grow twice, and move all of them each time.
    response.headers_mut().reserve(ADDED_HEADERS);
    if has_path && response.status() != StatusCode::METHOD_NOT_ALLOWED {
        response.extensions_mut().insert(Handled);
    }
    response
}

impl Gate {
    async fn answer(&self, request: Request, next: Next) -> Response {
        if let Err(problem) = request_checks::check(self.head, &request) {
            return problem.into_response();
        }
        let client = match ClientAddress::of(request.extensions()) {
            Ok(client) => client,
            Err(problem) => return problem.into_response(),
        };
        let answer = async {
            let (received, timeout) = if self.streamed.has(&request) {
                let request = http::leave_body(self.body, request);
                (Ok(request), self.streamed.timeout)
            } else {
                let received = http::receive_body(self.body, request).await;
                (received, self.handler.timeout)
            };
            match received {
                Ok(mut request) => {
                    request.extensions_mut().insert(self.authenticator.clone());
                    self.handler.run(timeout, handle(request, next)).await
                }
                Err(refusal) => refusal,
            }
        };
        self.handler.admit(client, answer).await
    }

    /// Answers with the representation that the client asks for.
    async fn respond(
        &self,
        mut request: Request,
        correlation: Correlation,
        next: Next,
    ) -> Response {
        let conditions = Conditions::of(&request);
        let is_event_source = event_source::is_one(&request);
        representation::choose_coding(request.headers_mut());
        let mut response = match self.check_options(&request) {
            Ok(()) => next.run(request).await,
            Err(problem) => {
                let mut response = problem.into_response();
                request_log::name_problem(&mut response, &correlation);
                response
            }
        };
        if let Err(problem) = conditions.apply(&mut response) {
            response.extensions_mut().insert(problem);
            request_log::name_problem(&mut response, &correlation);
        }
        if is_event_source {
            event_source::keep_coming(&mut response, &correlation, self.event_retry_ms);
        }
        response
    }

    /// Checks OPTIONS requests, all of which the layer for CORS would answer, whatever is wrong with them.
    fn check_options(&self, request: &Request) -> Result<(), Problem> {
        if *request.method() != Method::OPTIONS {
            return Ok(());
        }
        request_checks::check(self.head, request)?;
        match request.extensions().get::<MatchedPath>() {
            Some(_) => Ok(()),
            None => Err(Problem::of_status(StatusCode::NOT_FOUND)),
        }
    }
}

/// Logs the request, and gives its response the headers that every response has.
async fn complete(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let resumable = gate.streamed.resumable;
    let resumed = resumable
        .has(request.extensions().get::<MatchedPath>())
        .then(|| request.method().clone());
    let respond = |request, correlation| gate.respond(request, correlation, next);
    let mut response = request_log::log_request(request, &gate.sampling, respond).await;
    if let Some(method) = resumed {
        resumable.describe(&method, response.headers_mut());
    }
    add_security_headers(&mut response);
    response
}

fn add_security_headers(response: &mut Response) {
    for (name, value) in SECURITY_HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
}

#[cfg(test)]
mod tests;
