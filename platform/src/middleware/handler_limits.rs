//! Keeps one handler, and one client, from harming the others: limits how many requests are handled at once,
//! in all and of one address, and how long each takes, and turns a panic into a response.

use std::any::Any;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Semaphore;

use crate::config;
use crate::http::Problem;
use crate::server::ClientAddress;
use crate::shares::Shares;

/// How many requests may be handled at once, and for how long.
#[derive(Debug)]
pub(super) struct HandlerLimits {
    addresses: Shares<IpAddr>,
    per_address_max: usize,
    slots: Semaphore,
    pub(super) timeout: Duration,
    retry_after_s: u64,
}

impl HandlerLimits {
    pub(super) fn new(http: &config::Http) -> Self {
        Self {
            addresses: Shares::default(),
            per_address_max: http.in_flight_per_address_max,
            slots: Semaphore::new(http.in_flight_max),
            timeout: Duration::from_millis(http.handler_timeout_ms),
            retry_after_s: http.retry_after_s,
        }
    }

    /// Answers a request, whose body may still be on its way, if its client has a place left.
    pub(super) async fn admit(
        &self,
        client: ClientAddress,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let Some(_place) = self.addresses.take(client.0, self.per_address_max) else {
            let max = self.per_address_max;
            let detail = format!("At most {max} requests of one address are handled at a time.");
            return Problem::too_many_requests(detail).into_response();
        };
        answer.await
    }

    /// Runs a handler within this time and the limits. They hold until it returns its response: a body that is a stream
    /// is sent outside of them.
    pub(super) async fn run(
        &self,
        timeout: Duration,
        handler: impl Future<Output = Response>,
    ) -> Response {
        let Ok(_slot) = self.slots.try_acquire() else {
            let detail = "Too many requests are being handled at the moment.";
            return Problem::unavailable("overloaded", detail, self.retry_after_s).into_response();
        };
        let handler = AssertUnwindSafe(handler).catch_unwind();
        match tokio::time::timeout(timeout, handler).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => Problem::internal(describe(&*panic)).into_response(),
            Err(_) => {
                let detail = "The response was not ready in time. A command may have taken effect or \
                              not: send it again with the same Idempotency-Key.";
                Problem::unavailable("timeout", detail, self.retry_after_s).into_response()
            }
        }
    }
}

fn describe(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}
