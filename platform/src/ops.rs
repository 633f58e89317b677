//! What operators and their machines ask a process: does it live, is it ready, what has it measured.
//! None of it is for the public, and none of it is limited with the API.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use serde_json::json;

use crate::http::Problem;
use crate::shutdown::Shutdown;
use crate::{config, telemetry};

const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What must hold for this process to be sent requests.
#[derive(Default)]
pub struct Readiness {
    checks: Vec<(&'static str, Check)>,
}

/// Something that becomes true, and may cease to be.
#[derive(Clone, Debug, Default)]
pub struct ReadinessFlag(Arc<AtomicBool>);

impl ReadinessFlag {
    /// Says how it is now.
    pub fn set(&self, is_so: bool) {
        self.0.store(is_so, Ordering::Relaxed);
    }
}

impl Readiness {
    /// Ready from the start.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds something to try each time. What its error says is shown to operators.
    #[must_use]
    pub fn check<F, E>(
        mut self,
        name: &'static str,
        check: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let check = move || {
            check()
                .map(|result| result.map_err(|e| e.to_string()))
                .boxed()
        };
        self.checks.push((name, Box::new(check)));
        self
    }

    /// Adds something that others say; not so until they do.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: &ReadinessFlag) -> Self {
        let flag = flag.clone();
        self.check(name, move || {
            let is_so = flag.0.load(Ordering::Relaxed);
            async move { if is_so { Ok(()) } else { Err("not yet") } }
        })
    }

    /// What is missing, and why.
    async fn missing(&self, timeout: Duration) -> BTreeMap<&'static str, String> {
        let results = self.checks.iter().map(|(name, check)| async move {
            let result = tokio::time::timeout(timeout, check()).await;
            (
                *name,
                result.unwrap_or_else(|_| Err("no answer in time".to_owned())),
            )
        });
        let results = join_all(results).await;
        results
            .into_iter()
            .filter_map(|(name, result)| Some((name, result.err()?)))
            .collect()
    }
}

struct Ops {
    readiness: Readiness,
    timeout: Duration,
    retry_after_s: u64,
}

/// `/livez`, `/readyz` and `/metrics`.
pub fn router(readiness: Readiness, http: &config::Http) -> Router {
    let ops = Ops {
        readiness,
        timeout: Duration::from_millis(http.readiness_timeout_ms),
        retry_after_s: http.retry_after_s,
    };
    Router::new()
        .route(
            "/livez",
            get(|| async { axum::Json(json!({ "status": "alive" })) }),
        )
        .route("/readyz", get(readyz))
        .route(
            "/metrics",
            get(|| async { ([(CONTENT_TYPE, PROMETHEUS_TEXT)], telemetry::render()) }),
        )
        .with_state(Arc::new(ops))
}

/// Nothing new is sent to a process that is about to stop.
async fn readyz(
    State(ops): State<Arc<Ops>>,
    shutdown: Result<Shutdown, Problem>,
) -> Result<impl IntoResponse, Problem> {
    let mut missing = ops.readiness.missing(ops.timeout).await;
    if shutdown.is_ok_and(|Shutdown(token)| token.is_cancelled()) {
        missing.insert("running", "stopping".to_owned());
    }
    if missing.is_empty() {
        return Ok(axum::Json(json!({ "status": "ready" })));
    }
    let detail = "This process is not ready to be sent requests.";
    Err(Problem::unavailable("not_ready", detail, ops.retry_after_s).with("missing", missing))
}

#[cfg(test)]
mod tests;
