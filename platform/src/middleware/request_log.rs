//! Makes one span, one log line and one measurement for each request. Bodies, query strings and raw paths
//! are not logged, since clients choose what is in them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use tracing::{Instrument, error, info, info_span, warn};

use crate::auth::RequestActor;
use crate::http::{CORRELATION_ID, Correlation, Problem};
use crate::telemetry::RequestSpan;

/// Stands for every method that no route has.
const OTHER: &str = "other";

/// Chooses the requests that are logged: every command, every failure and refusal, and of all reads that succeed, one
/// in so many. All are measured.
#[derive(Debug)]
pub(super) struct Sampling {
    one_in: u64,
    reads: AtomicU64,
}

impl Sampling {
    pub(super) const fn new(one_in: u64) -> Self {
        Self {
            one_in,
            reads: AtomicU64::new(0),
        }
    }

    fn chooses(&self, method: &str, status: u16) -> bool {
        let is_read = matches!(method, "GET" | "HEAD") && status < 400;
        !is_read
            || self
                .reads
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(self.one_in)
    }
}

/// Has `respond` answer a request, logs and measures it, and gives its response the correlation id.
pub(super) async fn log_request<F: Future<Output = Response>>(
    mut request: Request,
    sampling: &Sampling,
    respond: impl FnOnce(Request, Correlation) -> F,
) -> Response {
    let started = Instant::now();
    let mut correlation = Correlation::from_headers(request.headers());
    let request_span = RequestSpan::begin(&mut correlation);
    let actor = RequestActor::default();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = method_label(request.method());
    request.extensions_mut().insert(correlation.clone());
    request.extensions_mut().insert(actor.clone());

    let span = info_span!("request", correlation_id = %correlation.correlation_id);
    let mut response = respond(request, correlation.clone()).instrument(span).await;
    let problem = response.extensions_mut().remove::<Problem>();
    let is_handled = response.extensions_mut().remove::<Handled>().is_some();
    if let Ok(id) = HeaderValue::try_from(correlation.correlation_id.to_string()) {
        response.headers_mut().insert(CORRELATION_ID, id);
    }

    let line = Line {
        correlation: &correlation,
        method,
        path: path.as_ref().map_or("unmatched", MatchedPath::as_str),
        // That of a problem is another one where the problem is told as an event.
        status: problem
            .as_ref()
            .map_or(response.status(), Problem::status)
            .as_u16(),
        seconds: started.elapsed().as_secs_f64(),
        is_handled,
        actor: actor.get().unwrap_or("anonymous"),
    };
    if sampling.chooses(line.method, line.status) {
        line.log(problem.as_ref());
    }
    line.measure(problem.as_ref());
    request_span.end(&correlation, line.method, line.path, line.status);
    response
}

/// Turns every error into a problem, and gives every problem the correlation id as its instance. The
/// response carries the problem as an extension, for the log line.
pub(super) fn name_problem(response: &mut Response, correlation: &Correlation) {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let problem = response.extensions_mut().remove::<Problem>();
    if let Some(problem) = problem.or_else(|| is_error.then(|| Problem::of_status(status))) {
        let id = correlation.correlation_id;
        problem.fill(response, Some(format!("urn:uuid:{id}")));
        response.extensions_mut().insert(problem);
    }
}

/// Marks the response of a route, as opposed to a refusal before the request came to one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled;

/// What is logged of a request.
struct Line<'a> {
    correlation: &'a Correlation,
    method: &'static str,
    path: &'a str,
    status: u16,
    seconds: f64,
    /// Whether a route handled the request.
    is_handled: bool,
    actor: &'a str,
}

impl Line<'_> {
    /// A refusal is a response like any other; only failures on our side are errors. The line repeats the
    /// one field of the span itself, because writing the span as well would cost more.
    fn log(&self, problem: Option<&Problem>) {
        let Self {
            correlation: Correlation { correlation_id, .. },
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

    /// The histogram counts the requests as well, so they need no counter. Each combination of labels costs
    /// memory for ever, so there are no more of them than three for each route, whatever clients send.
    fn measure(&self, problem: Option<&Problem>) {
        let method = match self.method {
            _ if !self.is_handled => OTHER,
            "HEAD" => "GET",
            method => method,
        };
        let status = match self.status {
            500.. => "5xx",
            400.. => "4xx",
            300.. => "3xx",
            _ => "2xx",
        };
        metrics::histogram!(
            "tidemark_http_request_duration_seconds",
            "method" => method, "path" => self.path.to_owned(), "status" => status
        )
        .record(self.seconds);
        if let Some(problem) = problem {
            metrics::counter!("tidemark_http_problems_total", "code" => problem.code())
                .increment(1);
        }
    }
}

/// A client may invent methods, which are not logged.
fn method_label(method: &Method) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    KNOWN
        .into_iter()
        .find(|known| *known == method.as_str())
        .unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reads_that_succeed_are_left_out_of_the_log() {
        let sampling = Sampling::new(3);
        let reads = [("GET", 200), ("HEAD", 304), ("GET", 200), ("GET", 304)];
        let chosen = reads.map(|(method, status)| sampling.chooses(method, status));
        assert_eq!(chosen, [true, false, false, true]);
        for (method, status) in [("GET", 404), ("GET", 503), ("POST", 201), (OTHER, 405)] {
            assert!(sampling.chooses(method, status), "{method} {status}");
        }
    }
}
