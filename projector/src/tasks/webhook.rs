//! The effect that calls the URL of a task. It tries once; whether it is tried again is decided by the command that records
//! what came of it.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use reqwest::{Client, Method};
use serde_json::json;
use tidemark_domain::tasks::definition::{CallTerms, Definition};
use tidemark_domain::tasks::destination::{Destination, Hosts};
use tidemark_domain::tasks::processes::task_caller;
use tidemark_domain::tasks::processes::task_caller::Call;
use tidemark_event_store::{DefinitionPart, Log, SubjectKeys, TimedPool};
use tidemark_events::tasks::task_run::Outcome;
use tidemark_events::tasks::{task, task_run};
use tidemark_events::{Event, Sealed, Timestamp, UserId};
use tidemark_platform::{Config, config};
use uuid::Uuid;

use super::attempt::{Attempt, KEPT_BYTES_MAX, answered, failure};
use super::http_client::client;
use super::signature::sign;
use crate::error::{Error, with_causes};
use crate::reacting::effects;
use crate::reacting::effects::{Effect, Performed};

/// More events than a run has.
const RUN_EVENTS_MAX: i64 = 200;
/// The pause after a failure of Postgres.
const PAUSE: Duration = Duration::from_secs(1);

/// Calls the URLs of tasks.
pub(crate) struct CallUrl {
    client: Client,
    keys: SubjectKeys,
    log: Log,
    settings: config::Tasks,
}

/// What a call is signed with.
struct Signing {
    /// The id of the run.
    id: String,
    secrets: Vec<String>,
    now: Timestamp,
}

#[async_trait]
impl Effect for CallUrl {
    const NAME: &'static str = task_caller::WEBHOOK;
    type Body = Call;

    async fn perform(&self, call: Call, _: &str, _: i32) -> Performed {
        let attempted = self.attempt(&call).await;
        let attempt = attempted.as_ref().ok().and_then(Option::as_ref);
        let has_answered = attempt.and_then(|(it, _)| it.has_answered());
        let outcome = match attempted {
            Ok(None) => effects::Outcome::NotNeeded,
            Ok(Some((attempt, answer))) => effects::Outcome::Over {
                path: format!("/v1/task-runs/{}/attempts", call.run_id),
                body: Some(json!({
                    "attempt": call.attempt,
                    "outcome": attempt.outcome,
                    "status": attempt.status,
                    "ms": attempt.ms,
                    "answer": answer,
                    "retry_after_s": attempt.retry_after_s,
                })),
            },
            Err(reason) => effects::Outcome::Later {
                after: PAUSE,
                reason,
            },
        };
        Performed {
            outcome,
            has_answered,
        }
    }
}

impl CallUrl {
    /// Calls as the configuration says, with what these keys unseal.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub(crate) fn new(config: &Config, pool: TimedPool, keys: SubjectKeys) -> Result<Self, Error> {
        let settings = &config.tasks;
        let timeout = Duration::from_millis(settings.call_timeout_ms);
        Ok(Self {
            client: client(&settings.allowed_private_hosts, timeout)?,
            keys,
            log: Log::new(pool),
            settings: settings.clone(),
        })
    }

    /// Calls once, and returns what came of it with the sealed beginning of the answer; none if the run is over or has the
    /// attempt. What fails within Tidemark is no attempt.
    async fn attempt(&self, call: &Call) -> Result<Option<(Attempt, Option<Sealed>)>, String> {
        if !self.is_awaited(call).await? {
            return Ok(None);
        }
        let definition = self.definition(call.task_id.0).await?;
        let now = self.log.now().await.map_err(|it| with_causes(&it))?;
        let request = self.unseal("task_call", &definition.call).await?;
        let secrets = self.secrets(&definition, now).await?;
        let (Some(request), Some(secrets)) = (request, secrets) else {
            let attempt = Attempt::without_answer(Outcome::OwnerErased);
            return Ok(Some((attempt, None)));
        };
        let request: CallTerms = serde_json::from_str(&request).map_err(|it| it.to_string())?;
        let attempt = match self.time_limit(call, now) {
            None => Attempt::without_answer(Outcome::TooLate),
            Some(time_limit) => {
                let signing = Signing {
                    id: call.run_id.to_string(),
                    secrets,
                    now,
                };
                let sending = self.send(definition.method, request, signing, time_limit);
                sending.await?
            }
        };
        let answer = self.sealed_answer(definition.owner_id, &attempt).await?;
        Ok(Some((attempt, answer)))
    }

    /// Whether the attempt is the next one of a run that is not over.
    async fn is_awaited(&self, call: &Call) -> Result<bool, String> {
        let events = self.log.stream(call.run_id.0, 0, RUN_EVENTS_MAX).await;
        let events = events.map_err(|error| with_causes(&error))?;
        let mut attempts = 0;
        for recorded in events {
            let event = recorded.decode().map_err(|error| with_causes(&error))?;
            if let Event::TaskRun(event) = event {
                match event {
                    task_run::Event::Requested { .. } => {}
                    task_run::Event::Attempted { attempt, .. } => attempts = attempt,
                    task_run::Event::Succeeded { .. }
                    | task_run::Event::Failed { .. }
                    | task_run::Event::Cancelled { .. } => return Ok(false),
                }
            }
        }
        Ok(call.attempt == attempts + 1)
    }

    /// What a task calls, and with which secrets, at the time of the call.
    async fn definition(&self, task_id: Uuid) -> Result<Definition, String> {
        let parts = self.log.task_definition(task_id).await;
        let parts = parts.map_err(|error| with_causes(&error))?;
        let definition = Definition::read(parts.iter().map(DefinitionPart::decode));
        let definition = definition.map_err(|error| with_causes(&error))?;
        definition.ok_or_else(|| "the log has no such task".to_owned())
    }

    /// The secrets that sign calls now, the newest first; none if the owner was erased.
    async fn secrets(
        &self,
        definition: &Definition,
        now: Timestamp,
    ) -> Result<Option<Vec<String>>, String> {
        let old = definition.old_secret.as_ref();
        let old = old.filter(|it| now < *it.until).map(|it| &it.secret);
        let mut secrets = Vec::new();
        for sealed in [&*definition.secret].into_iter().chain(old) {
            let Some(secret) = self.unseal("task_secret", sealed).await? else {
                return Ok(None);
            };
            secrets.push(secret);
        }
        Ok(Some(secrets))
    }

    async fn unseal(&self, field: &str, sealed: &Sealed) -> Result<Option<String>, String> {
        let unsealed = self.keys.unseal(field, sealed).await;
        unsealed.map_err(|error| with_causes(&error))
    }

    /// How long the call may take from now on; none if it comes too late.
    fn time_limit(&self, call: &Call, now: Timestamp) -> Option<Duration> {
        let most = Duration::from_millis(self.settings.call_timeout_ms);
        let Some(limit) = call.limit else {
            return Some(most);
        };
        let left = (*limit.until - now).to_std().ok()?;
        Some(
            left.min(Duration::from_millis(limit.max_ms.into()))
                .min(most),
        )
    }

    async fn send(
        &self,
        method: task::Method,
        request: CallTerms,
        signing: Signing,
        time_limit: Duration,
    ) -> Result<Attempt, String> {
        // The client asks no resolver about addresses, and settings may have changed since the task was defined.
        let hosts = Hosts {
            allowed: &self.settings.allowed_private_hosts,
            own: &self.settings.own_hosts,
        };
        let Ok(destination) = Destination::new(&request.url, hosts) else {
            return Ok(Attempt::without_answer(Outcome::AddressForbidden));
        };
        let method = match method {
            task::Method::Get => Method::GET,
            task::Method::Post => Method::POST,
            task::Method::Put => Method::PUT,
            task::Method::Delete => Method::DELETE,
        };
        let body = request.body.unwrap_or_default();
        let Signing { id, secrets, now } = signing;
        let second = now.timestamp();
        let signed = secrets.iter().map(|it| sign(it, &id, second, &body));
        let signatures: Option<Vec<_>> = signed.collect();
        let signatures = signatures.ok_or("the secret is none")?.join(" ");
        let mut sending = self.client.request(method, destination.url);
        sending = sending.timeout(time_limit);
        for (name, value) in request.headers {
            sending = sending.header(name, value);
        }
        sending = sending
            .header("webhook-id", id)
            .header("webhook-timestamp", second)
            .header("webhook-signature", signatures);
        if !body.is_empty() {
            sending = sending.body(body);
        }
        let begun = Instant::now();
        let attempt = match sending.send().await {
            Ok(response) => answered(response, now).await,
            Err(error) => Attempt::without_answer(failure(&error)),
        };
        let ms = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
        Ok(Attempt { ms, ..attempt })
    }

    /// The beginning of the answer, sealed; none if it is empty or the owner was erased meanwhile.
    async fn sealed_answer(
        &self,
        owner_id: UserId,
        attempt: &Attempt,
    ) -> Result<Option<Sealed>, String> {
        let answer = String::from_utf8_lossy(&attempt.answer);
        let kept = &answer[..answer.floor_char_boundary(KEPT_BYTES_MAX)];
        if kept.is_empty() {
            return Ok(None);
        }
        let key = self.keys.key_of(owner_id).await;
        let key = key.map_err(|error| with_causes(&error))?;
        let seal = |key: tidemark_event_store::SubjectKey| key.seal("task_answer", kept);
        let sealed = key.map(seal).transpose();
        sealed.map_err(|error| with_causes(&error))
    }
}
