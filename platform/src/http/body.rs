//! Bodies arrive whole, within a size and a time, before a handler is started: a slow client holds a
//! connection and nothing else.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::CONNECTION;
use axum::http::{Extensions, HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Problem;
use crate::config;

/// What a body may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    bytes_max: usize,
    timeout: Duration,
    pub(super) json_depth_max: usize,
}

impl Limits {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            bytes_max: http.body_bytes_max,
            timeout: Duration::from_millis(http.body_timeout_ms),
            json_depth_max: http.json_depth_max,
        }
    }

    /// The limits in force; without the layers, only nesting matters, and serde's own limit holds.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self {
            bytes_max: usize::MAX,
            timeout: Duration::MAX,
            json_depth_max: 127,
        })
    }
}

/// Gives the routes of `router` a smaller limit than the server's.
pub fn body_limit<S: Clone + Send + Sync + 'static>(router: Router<S>, bytes: usize) -> Router<S> {
    router.layer(from_fn_with_state(bytes, refuse_larger))
}

/// The body is here already, so its size is exact.
async fn refuse_larger(State(bytes_max): State<usize>, request: Request, next: Next) -> Response {
    match request.body().size_hint().exact() {
        Some(bytes) if bytes <= bytes_max as u64 => next.run(request).await,
        _ => too_large(bytes_max).into_response(),
    }
}

/// Takes in the body.
///
/// # Errors
/// If it is too large or too slow: what is then answered.
pub(super) async fn receive(limits: Limits, mut request: Request) -> Result<Request, Response> {
    request.extensions_mut().insert(limits);
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    match collect(body, limits).await {
        Ok(body) => Ok(Request::from_parts(parts, body)),
        Err(problem) => {
            let mut response = problem.into_response();
            // The rest of the body is still on its way: what follows it must not be read as a request.
            if parts.version < Version::HTTP_2 {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Err(response)
        }
    }
}

async fn collect(body: Body, limits: Limits) -> Result<Body, Problem> {
    if body.size_hint().lower() > limits.bytes_max as u64 {
        return Err(too_large(limits.bytes_max));
    }
    let whole = Limited::new(body, limits.bytes_max).collect();
    match tokio::time::timeout(limits.timeout, whole).await {
        Ok(Ok(body)) => Ok(Body::from(body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limits.bytes_max)),
        Ok(Err(_)) => Err(Problem::bad_request(
            "unreadable_body",
            "The body broke off.",
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "The body did not arrive in time.",
        )),
    }
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("The body is larger than {bytes_max} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
