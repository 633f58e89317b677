//! Receives the body of a request as a whole, within a size and a time, before its handler starts. So a
//! slow client holds a connection and nothing else.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::CONNECTION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderValue, StatusCode, Version};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::Problem;
use super::tus::Resumable;
use crate::config;

/// The deepest nesting that `serde_json` itself parses.
const SERDE_DEPTH_MAX: usize = 127;

/// How large, how slow and how deeply nested a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    bytes_max: usize,
    timeout: Duration,
    pub(super) json_depth_max: usize,
}

impl BodyLimits {
    pub(crate) fn new(http: &config::Http) -> Self {
        Self {
            bytes_max: http.body_bytes_max,
            timeout: Duration::from_millis(http.body_timeout_ms),
            json_depth_max: http.json_depth_max,
        }
    }

    /// The limits under which the request was received. Without the middleware no limit was applied, and the
    /// depth of nesting is limited by what the parser accepts.
    pub(super) fn of(extensions: &Extensions) -> Self {
        extensions.get().copied().unwrap_or(Self {
            bytes_max: usize::MAX,
            timeout: Duration::MAX,
            json_depth_max: SERDE_DEPTH_MAX,
        })
    }
}

/// Which requests are handled while their bodies are still on their way, as those are that send files.
#[derive(Clone, Copy, Debug, Default)]
pub struct Streamed {
    /// The paths of their routes.
    pub paths: &'static [&'static str],
    /// How long such a request may take, which its handler may narrow.
    pub timeout: Duration,
    /// The routes by which interrupted uploads go on.
    pub resumable: Resumable,
}

impl Streamed {
    pub(crate) fn has(self, request: &Request) -> bool {
        let path = request.extensions().get::<MatchedPath>();
        path.is_some_and(|path| self.paths.contains(&path.as_str()))
    }
}

/// Gives the routes of `router` a limit on the body that is smaller than the server's.
pub fn body_limit<S: Clone + Send + Sync + 'static>(router: Router<S>, bytes: usize) -> Router<S> {
    router.layer(from_fn_with_state(bytes, refuse_larger))
}

/// The bytes of a request's body as they were received, whatever a handler reads from them. There are none of a body that a
/// handler receives itself.
#[derive(Clone, Debug)]
pub struct ReceivedBody(pub Bytes);

impl<S: Sync> FromRequestParts<S> for ReceivedBody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let received = parts.extensions.get::<Self>().cloned();
        received
            .ok_or_else(|| Problem::internal("the router is not wrapped by `middleware::apply`"))
    }
}

/// The body has been received already, so its exact size is known.
async fn refuse_larger(State(bytes_max): State<usize>, request: Request, next: Next) -> Response {
    match request.body().size_hint().exact() {
        Some(bytes) if bytes <= bytes_max as u64 => next.run(request).await,
        _ => too_large(bytes_max).into_response(),
    }
}

/// Replaces the body of a request, which is still on its way, by the bytes that arrived.
///
/// # Errors
/// The response to send if the body is too large, too slow or incomplete.
pub(crate) async fn receive_body(
    limits: BodyLimits,
    request: Request,
) -> Result<Request, Response> {
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(limits);
    match collect(body, limits).await {
        Ok(bytes) => {
            parts.extensions.insert(ReceivedBody(bytes.clone()));
            Ok(Request::from_parts(parts, bytes.into()))
        }
        Err(problem) => {
            let mut response = problem.into_response();
            // The rest of the body is still on its way, and must not be read as the next request.
            if parts.version < Version::HTTP_2 {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Err(response)
        }
    }
}

/// Leaves the body of a request to its handler.
pub(crate) fn leave_body(limits: BodyLimits, mut request: Request) -> Request {
    request.extensions_mut().insert(limits);
    request.extensions_mut().insert(ReceivedBody(Bytes::new()));
    request
}

async fn collect(body: Body, limits: BodyLimits) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limits.bytes_max as u64 {
        return Err(too_large(limits.bytes_max));
    }
    let whole = Limited::new(body, limits.bytes_max).collect();
    match tokio::time::timeout(limits.timeout, whole).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(limits.bytes_max)),
        Ok(Err(_)) => Err(unreadable_body()),
        Err(_) => Err(body_timeout()),
    }
}

/// The problem with a body of which not everything can be read.
#[must_use]
pub fn unreadable_body() -> Problem {
    let detail = "The body cannot be read: the connection broke off, or the chunks of the body are malformed.";
    Problem::bad_request("unreadable_body", detail)
}

/// The problem with a body that pauses, or goes on, for too long.
#[must_use]
pub fn body_timeout() -> Problem {
    let detail = "The body did not arrive in time.";
    Problem::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", detail)
}

fn too_large(bytes_max: usize) -> Problem {
    let detail = format!("The body is larger than {bytes_max} bytes.");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}
