//! What a handler may do to the others: nothing. Its number, its time and its panics are contained.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Semaphore;

use super::Problem;
use crate::config;

/// What a handler gets.
#[derive(Debug)]
pub(super) struct Bounds {
    slots: Semaphore,
    timeout: Duration,
    retry_after_s: u64,
}

impl Bounds {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            slots: Semaphore::new(http.in_flight_max),
            timeout: Duration::from_millis(http.handler_timeout_ms),
            retry_after_s: http.retry_after_s,
        }
    }
}

/// Runs the handler within the bounds. A stream that it answers goes on outside them.
pub(super) async fn contain(bounds: &Bounds, handler: impl Future<Output = Response>) -> Response {
    let Ok(_slot) = bounds.slots.try_acquire() else {
        let detail = "Too many requests are being handled.";
        return Problem::unavailable("overloaded", detail, bounds.retry_after_s).into_response();
    };
    let handler = AssertUnwindSafe(handler).catch_unwind();
    match tokio::time::timeout(bounds.timeout, handler).await {
        Ok(Ok(response)) => response,
        Ok(Err(panic)) => Problem::internal(describe(&*panic)).into_response(),
        Err(_) => {
            let detail = "The answer was not ready in time. Whether a command took effect is not known: \
                          send it again with the same Idempotency-Key.";
            Problem::unavailable("timeout", detail, bounds.retry_after_s).into_response()
        }
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without words"))
}
