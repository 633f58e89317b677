//! Routes for operators and their machines: whether the process lives, whether it is ready, and its metrics.
//! They are not meant for the public, and the limits of the API on how much is handled do not hold for them.

mod metrics;

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared, join_all};
use serde_json::json;

use self::metrics::KeptMetrics;
use crate::http::Problem;
use crate::shutdown::Shutdown;
use crate::{config, middleware};

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// The checks that must succeed for a process to be ready, that is, to be sent requests.
#[derive(Default)]
pub struct Readiness {
    checks: Vec<(&'static str, Check)>,
}

/// A condition of readiness that another part of the process sets. It is false at first.
#[derive(Clone, Debug, Default)]
pub struct ReadinessFlag(Arc<AtomicBool>);

impl ReadinessFlag {
    /// Sets whether the condition holds now.
    pub fn set(&self, holds: bool) {
        self.0.store(holds, Ordering::Relaxed);
    }

    /// Whether the condition holds now.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Readiness {
    /// Makes a readiness without checks, which always holds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check that runs for each request of `/readyz`. The text of its error is shown to operators.
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

    /// Adds a check that succeeds while `flag` is set.
    #[must_use]
    pub fn flag(self, name: &'static str, flag: &ReadinessFlag) -> Self {
        let flag = flag.clone();
        self.check(name, move || {
            let holds = flag.holds();
            async move { if holds { Ok(()) } else { Err("not yet") } }
        })
    }

    async fn missing(&self, timeout: Duration) -> Missing {
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

/// The names of the checks that fail, and why.
type Missing = BTreeMap<&'static str, String>;

struct Ops {
    readiness: Readiness,
    /// The checks that run at the moment.
    running: Mutex<Option<WeakShared<BoxFuture<'static, Missing>>>>,
    timeout: Duration,
    retry_after_s: u64,
}

impl Ops {
    /// Runs the checks. Requests that come meanwhile share what they find: however many ask, the checks cost as
    /// much as for one, and those of a flood do not keep each other from an answer in time.
    fn check(self: &Arc<Self>) -> Shared<BoxFuture<'static, Missing>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = running.as_ref().and_then(WeakShared::upgrade);
        if let Some(checks) = unfinished.filter(|checks| checks.peek().is_none()) {
            return checks;
        }
        let this = Arc::clone(self);
        let checks = async move { this.readiness.missing(this.timeout).await };
        let checks = checks.boxed().shared();
        *running = checks.downgrade();
        checks
    }
}

/// The routes `/livez`, `/readyz` and `/metrics`.
pub fn router(readiness: Readiness, http: &config::Http) -> Router {
    let ops = Ops {
        readiness,
        running: Mutex::default(),
        timeout: Duration::from_millis(http.readiness_timeout_ms),
        retry_after_s: http.retry_after_s,
    };
    let routes = Router::new()
        .route(
            "/livez",
            get(|| async { axum::Json(json!({ "status": "alive" })) }),
        )
        .route("/readyz", get(readyz))
        .with_state(Arc::new(ops))
        .route("/metrics", get(metrics::metrics))
        .with_state(KeptMetrics::new(http));
    middleware::check_alone(routes, http)
}

/// A process that is about to stop is not ready, so that it is sent no new requests.
async fn readyz(
    State(ops): State<Arc<Ops>>,
    shutdown: Result<Shutdown, Problem>,
) -> Result<impl IntoResponse, Problem> {
    let mut missing = ops.check().await;
    if shutdown.is_ok_and(|Shutdown(token)| token.is_cancelled()) {
        missing.insert("running", "stopping".to_owned());
    }
    if missing.is_empty() {
        return Ok(axum::Json(json!({ "status": "ready" })));
    }
    let detail = "This process is not ready to handle requests.";
    Err(Problem::unavailable("not_ready", detail, ops.retry_after_s).with("missing", missing))
}

#[cfg(test)]
mod tests;
