//! Sends due actions to the command API. Every projector has a sender. An action is taken by one sender
//! at a time, and its idempotency key lets it act once however often it is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use metrics::{counter, histogram};
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use tidemark_event_store::traces::{Span, SpanKind};
use tidemark_event_store::{Backoff, Log, TimedPool, traces};
use tidemark_platform::auth::ServiceCredential;
use tidemark_platform::{Config, config};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::actions::{Attempt, CausedAction};
use super::answer::Verdict;
use super::reaction::process_manager;
use super::{actions, answer, unanswered};
use crate::error::{Error, with_causes};

/// The shortest pause between two searches for due actions.
const PAUSE_MIN: Duration = Duration::from_millis(1);
/// Names the reactor under whose name the command acts.
const REACTOR: HeaderName = HeaderName::from_static("x-reactor");

/// Sends the actions of all reactors.
#[derive(Clone)]
pub(crate) struct Sender {
    pool: TimedPool,
    client: Client,
    url: Arc<str>,
    authorization: HeaderValue,
    settings: config::Reactor,
    /// Notified by the reactors of this process when they have stored actions.
    stored: Arc<Notify>,
}

impl Sender {
    /// A sender that looks for due actions at once whenever `stored` is notified.
    pub(crate) fn new(
        config: &Config,
        pool: TimedPool,
        stored: Arc<Notify>,
    ) -> Result<Self, Error> {
        let timeout = Duration::from_millis(config.reactor.request_timeout_ms);
        Ok(Self {
            pool,
            client: Client::builder()
                .timeout(timeout)
                .redirect(Policy::none())
                .build()?,
            url: config.command_api.url.as_str().into(),
            authorization: ServiceCredential::from_config(config)?.authorization()?,
            settings: config.reactor.clone(),
            stored,
        })
    }

    /// Sends due actions until `stop`, then waits for the answers to those in flight.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut in_flight = JoinSet::new();
        let poll = Duration::from_millis(self.settings.poll_ms);
        let poll_max = Duration::from_millis(self.settings.poll_max_ms);
        let mut idle = Backoff::new(poll, poll_max);
        while !stop.is_cancelled() {
            let free = self.settings.in_flight_max.saturating_sub(in_flight.len());
            let pause = match self.start(&mut in_flight, free).await {
                Ok(Some(wait)) => wait.clamp(PAUSE_MIN, idle.take()),
                Ok(None) => idle.take(),
                Err(error) => {
                    tracing::warn!(%error, "cannot look for due actions");
                    poll
                }
            };
            if !in_flight.is_empty() {
                idle.reset();
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = self.stored.notified() => {}
                Some(_) = in_flight.join_next() => {}
            }
        }
        while in_flight.join_next().await.is_some() {}
    }

    /// Starts to send at most `free` actions that are due, and returns in what time the next one is due that is
    /// known.
    async fn start(
        &self,
        in_flight: &mut JoinSet<()>,
        free: usize,
    ) -> sqlx::Result<Option<Duration>> {
        if free == 0 {
            return Ok(None);
        }
        let lease = Duration::from_millis(self.settings.lease_ms);
        let taken = actions::take(&self.pool, free, lease);
        for attempt in self.pool.with_timeout(taken).await? {
            let sender = self.clone();
            in_flight.spawn(async move { sender.send(attempt).await });
        }
        self.pool.with_timeout(actions::next_due(&self.pool)).await
    }

    /// Tries an action once and records the result.
    async fn send(&self, attempt: Attempt) {
        let verdict = if unanswered::is_answer(&attempt) {
            let log = Log::new(self.pool.clone());
            let answer = unanswered::answer(&log, &attempt).await;
            answer.unwrap_or_else(|error| Verdict::Inconclusive(with_causes(&error)))
        } else {
            self.post(&attempt).await
        };
        let recording = self.record(&attempt, &verdict);
        if let Err(error) = self.pool.with_timeout(recording).await {
            let path = attempt.caused.action.path;
            tracing::warn!(%error, path, "the result of an action cannot be recorded; it is sent again");
        }
    }

    /// Sends an action to the command API.
    async fn post(&self, attempt: &Attempt) -> Verdict {
        if attempt.number == 1 {
            histogram!("tidemark_reactor_late_seconds", "reactor" => attempt.reactor.clone())
                .record(attempt.late_s);
        }
        let began = Instant::now();
        let verdict = match self.request(attempt).send().await {
            Ok(response) => {
                let status = response.status();
                match response.bytes().await {
                    Ok(body) => answer::verdict(status, &body, process_manager(&attempt.reactor)),
                    Err(error) => Verdict::Inconclusive(with_causes(&error)),
                }
            }
            Err(error) => Verdict::Inconclusive(with_causes(&error)),
        };
        if let Some(parent) = &attempt.traceparent {
            let name = format!("send {} {}", attempt.reactor, attempt.caused.action.name);
            traces::span(SpanKind::Client, name, parent, began.elapsed()).end();
        }
        verdict
    }

    fn request(&self, attempt: &Attempt) -> RequestBuilder {
        let caused = &attempt.caused;
        let request = self
            .client
            .post(format!("{}{}", self.url, caused.action.path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header(REACTOR, &attempt.reactor)
            .header("Idempotency-Key", idempotency_key(attempt))
            .header("X-Correlation-Id", caused.correlation_id.to_string())
            .header("X-Causation-Id", caused.event_id.to_string());
        match &attempt.traceparent {
            Some(parent) => request.header("traceparent", parent),
            None => request,
        }
    }

    async fn record(&self, attempt: &Attempt, verdict: &Verdict) -> sqlx::Result<()> {
        let Attempt {
            reactor,
            caused,
            number,
            late_s,
            ..
        } = attempt;
        let (position, target) = (caused.position, &caused.action.name);
        let path = &caused.action.path;
        let retry_min = Duration::from_millis(self.settings.retry_min_ms);
        let retry_max = Duration::from_millis(self.settings.retry_max_ms);
        let outcome = match verdict {
            Verdict::Done => {
                tracing::info!(reactor, path, attempt = number, late_s, "action done");
                actions::end(&self.pool, attempt, "done").await?;
                "done"
            }
            Verdict::Refused(refusal) => {
                tracing::info!(
                    reactor,
                    position,
                    target,
                    path,
                    attempt = number,
                    refusal,
                    "action given up"
                );
                actions::end(&self.pool, attempt, refusal).await?;
                "refused"
            }
            Verdict::NotYet(at) => {
                tracing::info!(reactor, path, attempt = number, %at, "action not due yet");
                actions::put_off(&self.pool, attempt, *at, retry_min, "not yet").await?;
                "not_yet"
            }
            Verdict::Inconclusive(reason) => {
                tracing::warn!(
                    reactor,
                    position,
                    target,
                    path,
                    attempt = number,
                    reason,
                    "action is sent again"
                );
                actions::back_off(&self.pool, attempt, (retry_min, retry_max), reason).await?;
                "inconclusive"
            }
        };
        counter!("tidemark_reactor_answers_total", "reactor" => reactor.clone(), "outcome" => outcome)
            .increment(1);
        Ok(())
    }
}

/// The idempotency key of an action, the same at every attempt. The position is padded so that the key
/// of no reactor is too short.
fn idempotency_key(attempt: &Attempt) -> String {
    let CausedAction {
        action, position, ..
    } = &attempt.caused;
    format!("{}-{position:016}-{}", attempt.reactor, action.name)
}
