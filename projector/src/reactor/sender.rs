//! Sends due actions to the command API. Every projector does; an action is one sender's at a time,
//! and its idempotency key makes it act once however often it is sent.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use tidemark_event_store::TimedPool;
use tidemark_platform::auth::ServiceCredential;
use tidemark_platform::{Config, auth, config};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::actions::Due;
use super::answer::Verdict;
use super::{actions, answer};
use crate::error::with_causes;

/// How long to wait at least before due actions are sought again.
const REST: Duration = Duration::from_millis(1);

/// Why actions cannot be sent at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no credential to send them with.
    #[error(transparent)]
    Credential(#[from] auth::Error),
    /// There is no HTTP client to be had.
    #[error("HTTP cannot be spoken: {0}")]
    Client(#[from] reqwest::Error),
}

/// Sends the actions of all reactors.
#[derive(Clone)]
pub(crate) struct Sender {
    pool: TimedPool,
    client: Client,
    url: Arc<str>,
    authorization: HeaderValue,
    settings: config::Reactor,
}

impl Sender {
    pub(crate) fn new(config: &Config, pool: TimedPool) -> Result<Self, Error> {
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
        })
    }

    /// Sends until `stop`, then waits for the answers that are still to come.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut in_flight = JoinSet::new();
        while !stop.is_cancelled() {
            let free = self.settings.in_flight_max.saturating_sub(in_flight.len());
            let pause = match self.start(&mut in_flight, free).await {
                Ok(pause) => pause,
                Err(error) => {
                    tracing::warn!(%error, "due actions cannot be sought");
                    Duration::from_millis(self.settings.poll_ms)
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                Some(_) = in_flight.join_next() => {}
            }
        }
        while in_flight.join_next().await.is_some() {}
    }

    /// Starts to send what is due, and says how long nothing will be.
    async fn start(&self, in_flight: &mut JoinSet<()>, free: usize) -> sqlx::Result<Duration> {
        let poll = Duration::from_millis(self.settings.poll_ms);
        if free == 0 {
            return Ok(poll);
        }
        let lease = Duration::from_millis(self.settings.lease_ms);
        let taken = actions::take(&self.pool, free, lease);
        for due in self.pool.with_timeout(taken).await? {
            let sender = self.clone();
            in_flight.spawn(async move { sender.handle(due).await });
        }
        let next_due = self
            .pool
            .with_timeout(actions::next_due(&self.pool))
            .await?;
        Ok(next_due.map_or(poll, |wait| wait.clamp(REST, poll)))
    }

    async fn handle(&self, due: Due) {
        if due.attempts == 1 {
            histogram!("tidemark_reactor_late_seconds", "reactor" => due.reactor.clone())
                .record(due.late_s);
        }
        let verdict = match self.request(&due).send().await {
            Ok(response) => {
                let status = response.status();
                match response.bytes().await {
                    Ok(body) => answer::verdict(status, &body),
                    Err(error) => Verdict::Unanswered(with_causes(&error)),
                }
            }
            Err(error) => Verdict::Unanswered(with_causes(&error)),
        };
        if let Err(error) = self.pool.with_timeout(self.settle(&due, &verdict)).await {
            tracing::warn!(%error, path = due.path, "an answer is not recorded; the action is sent again");
        }
    }

    fn request(&self, due: &Due) -> RequestBuilder {
        self.client
            .post(format!("{}{}", self.url, due.path))
            .header(AUTHORIZATION, self.authorization.clone())
            .header("Idempotency-Key", idempotency_key(due))
            .header("X-Correlation-Id", due.correlation_id.to_string())
            .header("X-Causation-Id", due.event_id.to_string())
    }

    async fn settle(&self, due: &Due, verdict: &Verdict) -> sqlx::Result<()> {
        let Due {
            reactor,
            path,
            attempts,
            late_s,
            ..
        } = due;
        let retry_min = Duration::from_millis(self.settings.retry_min_ms);
        let retry_max = Duration::from_millis(self.settings.retry_max_ms);
        let outcome = match verdict {
            Verdict::Done => {
                tracing::info!(reactor, path, attempts, late_s, "action done");
                actions::end(&self.pool, due, "done").await?;
                "done"
            }
            Verdict::Refused(refusal) => {
                tracing::info!(reactor, path, attempts, refusal, "action refused for good");
                actions::end(&self.pool, due, refusal).await?;
                "refused"
            }
            Verdict::NotYet(at) => {
                tracing::info!(reactor, path, attempts, %at, "action not due yet");
                actions::put_off(&self.pool, due, *at, retry_min, "not yet").await?;
                "not_yet"
            }
            Verdict::Unanswered(error) => {
                tracing::warn!(
                    reactor,
                    path,
                    attempts,
                    error,
                    "action not answered; it is sent again"
                );
                actions::back_off(&self.pool, due, (retry_min, retry_max), error).await?;
                "unanswered"
            }
        };
        counter!("tidemark_reactor_answers_total", "reactor" => reactor.clone(), "outcome" => outcome)
            .increment(1);
        Ok(())
    }
}

/// The same for every attempt. Padded, so that no name is too short for a key.
fn idempotency_key(due: &Due) -> String {
    format!("{}-{:016}-{}", due.reactor, due.position, due.target)
}
