//! One span, one log line and one measurement a request. Bodies, query strings and raw paths are not
//! logged: they hold what clients choose.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use tracing::{Instrument, error, info, info_span, warn};

use super::context::CORRELATION_ID;
use super::{Problem, RequestContext};

/// Who acts, noted by the extractor that finds out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Actor(Arc<OnceLock<String>>);

impl Actor {
    pub(crate) fn note(&self, actor: String) {
        // More than one extractor may ask; all find the same.
        self.0.get_or_init(|| actor);
    }
}

/// Gives the request its context, and whatever comes back its last form.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let context = RequestContext::of(request.headers());
    let actor = Actor::default();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = label(request.method());
    request.extensions_mut().insert(context.clone());
    request.extensions_mut().insert(actor.clone());

    let span = info_span!("request", correlation_id = %context.correlation_id);
    let mut response = next.run(request).instrument(span).await;
    let problem = name_occurrence(&mut response, &context);

    let line = Line {
        context: &context,
        method,
        path: path.as_ref().map_or("unmatched", MatchedPath::as_str),
        status: response.status().as_u16(),
        seconds: started.elapsed().as_secs_f64(),
        actor: actor.0.get().map_or("anonymous", String::as_str),
    };
    line.log(problem.as_ref());
    line.measure();
    response
}

/// Every error is a problem, and every problem names its occurrence.
fn name_occurrence(response: &mut Response, context: &RequestContext) -> Option<Problem> {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let problem = response.extensions_mut().remove::<Problem>();
    let problem = problem.or_else(|| is_error.then(|| Problem::of_status(status)));
    if let Some(problem) = &problem {
        problem.fill(
            response,
            Some(format!("urn:uuid:{}", context.correlation_id)),
        );
    }
    if let Ok(id) = HeaderValue::try_from(context.correlation_id.to_string()) {
        response.headers_mut().insert(CORRELATION_ID, id);
    }
    problem
}

/// The canonical line of a request.
struct Line<'a> {
    context: &'a RequestContext,
    method: &'static str,
    path: &'a str,
    status: u16,
    seconds: f64,
    actor: &'a str,
}

impl Line<'_> {
    /// A refusal is an answer like any other; only our own failures are errors. The line holds all
    /// that the span does, which is costly to write once more.
    fn log(&self, problem: Option<&Problem>) {
        let Self {
            context: RequestContext { correlation_id, .. },
            method,
            path,
            status,
            actor,
            ..
        } = *self;
        let latency_ms = self.seconds * 1000.0;
        let code = problem.map(Problem::code);
        let cause = problem.and_then(Problem::cause);
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    parent: None, %correlation_id, method, path, status, latency_ms, actor, code, cause,
                    "request"
                )
            };
        }
        match (status, cause) {
            (500.., Some(_)) => line!(error),
            (500.., None) => line!(warn),
            (_, _) => line!(info),
        }
    }

    /// The number of requests is that of their durations.
    fn measure(&self) {
        metrics::histogram!(
            "tidemark_http_request_duration_seconds",
            "method" => self.method, "path" => self.path.to_owned(), "status" => self.status.to_string()
        )
        .record(self.seconds);
    }
}

/// Methods are the client's to invent; labels are not.
fn label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or("other")
}
