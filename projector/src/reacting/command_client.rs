//! Posts the commands of actions to the command API.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tidemark_platform::Config;
use tidemark_platform::auth::ServiceCredential;

use super::answer;
use super::answer::Verdict;
use super::attempts::Attempt;
use super::reaction::process_manager;
use crate::error::{Error, with_causes};

/// Names the reactor under whose name the command acts.
const REACTOR: HeaderName = HeaderName::from_static("x-reactor");

/// The command API, as reactors use it.
#[derive(Clone)]
pub(super) struct CommandClient {
    client: Client,
    url: Arc<str>,
    authorization: HeaderValue,
}

impl CommandClient {
    /// The command API of the configuration.
    ///
    /// # Errors
    /// If the configuration has no credential for it.
    pub(super) fn new(config: &Config) -> Result<Self, Error> {
        let timeout = Duration::from_millis(config.reactor.request_timeout_ms);
        Ok(Self {
            client: Client::builder()
                .timeout(timeout)
                .redirect(Policy::none())
                .build()?,
            url: config.command_api.url.as_str().into(),
            authorization: ServiceCredential::from_config(config)?.authorization()?,
        })
    }

    /// Posts a command once.
    pub(super) async fn post(
        &self,
        attempt: &Attempt,
        path: &str,
        body: Option<&Value>,
    ) -> Verdict {
        let began = Instant::now();
        let verdict = match self.request(attempt, path, body).send().await {
            Ok(response) => {
                let status = response.status();
                match response.bytes().await {
                    Ok(body) => answer::verdict(status, &body, process_manager(&attempt.reactor)),
                    Err(error) => Verdict::Inconclusive(with_causes(&error)),
                }
            }
            Err(error) => Verdict::Inconclusive(with_causes(&error)),
        };
        attempt.record_span("send", &attempt.target, began.elapsed());
        verdict
    }

    fn request(&self, attempt: &Attempt, path: &str, body: Option<&Value>) -> RequestBuilder {
        let mut request = self
            .client
            .post(format!("{}{path}", self.url))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(REACTOR, &attempt.reactor)
            .header("Idempotency-Key", idempotency_key(attempt))
            .header("X-Correlation-Id", attempt.correlation_id.to_string())
            .header("X-Causation-Id", attempt.event_id.to_string());
        if let Some(parent) = &attempt.traceparent {
            request = request.header("traceparent", parent);
        }
        match body {
            Some(body) => request.json(body),
            None => request,
        }
    }
}

/// The idempotency key of an action, the same at every attempt. The position is padded so that the key
/// of no reactor is too short.
fn idempotency_key(attempt: &Attempt) -> String {
    let Attempt {
        reactor,
        position,
        target,
        ..
    } = attempt;
    format!("{reactor}-{position:016}-{target}")
}
