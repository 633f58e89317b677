//! The effect that calls the URL of a task. It tries once; whether it is tried again is decided by the command that records
//! what came of it.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use tidemark_domain::tasks::definition::{CallTerms, Definition};
use tidemark_domain::tasks::destination::{Destination, Hosts, own_hosts};
use tidemark_domain::tasks::processes::task_caller;
use tidemark_domain::tasks::processes::task_caller::Call;
use tidemark_event_store::{DefinitionPart, Log, SubjectKeys, TimedPool};
use tidemark_events::tasks::task_run;
use tidemark_events::tasks::task_run::Outcome;
use tidemark_events::{Event, Sealed, Timestamp, UserId};
use tidemark_platform::{Config, config};
use uuid::Uuid;

use super::attempt::Attempt;
use super::http_client::{HttpClient, KEPT_BYTES_MAX, of_platform};
use super::sending::Sending;
use crate::error::{Error, with_causes};
use crate::reacting::effects;
use crate::reacting::effects::{Effect, Performed};

/// More events than a run has.
const RUN_EVENTS_MAX: i64 = 200;
/// After how long a call is made for which no name could be looked up.
const LOOK_UP_PAUSE: Duration = Duration::from_secs(5);

/// Calls the URLs of tasks.
pub(crate) struct CallUrl {
    client: HttpClient,
    keys: SubjectKeys,
    log: Log,
    settings: config::Tasks,
    /// The hosts of this deployment, which are not called.
    own_hosts: Vec<String>,
}

#[async_trait]
impl Effect for CallUrl {
    const NAME: &'static str = task_caller::WEBHOOK;
    type Body = Call;

    async fn perform(&self, call: Call, destination: &str, _: i32) -> Performed {
        let tried = self.attempt(&call, destination).await;
        let contact = match &tried {
            Ok(Tried::Called(called)) => called.attempt.contact,
            Ok(Tried::NotNeeded | Tried::Elsewhere(_) | Tried::Postponed) | Err(_) => None,
        };
        let outcome = match tried {
            Ok(Tried::NotNeeded) => effects::Outcome::NotNeeded,
            Ok(Tried::Elsewhere(server)) => effects::Outcome::Elsewhere(server),
            Ok(Tried::Postponed) => effects::Outcome::Later {
                after: LOOK_UP_PAUSE,
                reason: "as many names are looked up for tasks as may be".to_owned(),
            },
            Ok(Tried::Called(called)) => called.outcome(&call),
            Err(reason) => effects::Outcome::Failed(reason),
        };
        Performed { outcome, contact }
    }
}

/// What came of trying to call.
enum Tried {
    /// The run is over, or has the attempt.
    NotNeeded,
    /// The task calls this server by now, and not the one by which the call was bounded.
    Elsewhere(String),
    /// The name cannot be looked up now. That is no attempt of the run.
    Postponed,
    /// The call was made, or could not be.
    Called(Called),
}

impl Tried {
    /// An attempt without an answer.
    const fn called(attempt: Attempt, definition: &Definition) -> Self {
        Self::Called(Called {
            attempt,
            answer: None,
            changes: definition.changes,
        })
    }
}

/// A call that is an attempt of its run.
struct Called {
    attempt: Attempt,
    /// The sealed beginning of the answer.
    answer: Option<Sealed>,
    /// How often the task had been changed.
    changes: u32,
}

impl Called {
    /// The command that records it.
    fn outcome(&self, call: &Call) -> effects::Outcome {
        let Self {
            attempt,
            answer,
            changes,
        } = self;
        effects::Outcome::Over {
            path: format!("/v1/task-runs/{}/attempts", call.run_id),
            body: Some(json!({
                "attempt": call.attempt,
                "changes": changes,
                "outcome": attempt.outcome,
                "status": attempt.status,
                "ms": attempt.ms,
                "answer": answer,
                "retry_after_s": attempt.retry_after_s,
            })),
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
        let allowed = &settings.allowed_private_hosts;
        Ok(Self {
            client: HttpClient::new(settings.clone(), of_platform()?),
            own_hosts: own_hosts(&settings.own_hosts, allowed, config.public_urls()),
            keys,
            log: Log::new(pool),
            settings: settings.clone(),
        })
    }

    /// Calls once, if the run awaits that and the task still calls this server. What fails within Tidemark is no attempt.
    async fn attempt(&self, call: &Call, server: &str) -> Result<Tried, String> {
        if !self.is_awaited(call).await? {
            return Ok(Tried::NotNeeded);
        }
        let definition = self.definition(call.task_id.0).await?;
        let now = self.log.now().await.map_err(|it| with_causes(&it))?;
        let request = self.unseal("task_call", &definition.call).await?;
        let secrets = self.secrets(&definition, now).await?;
        let (Some(request), Some(secrets)) = (request, secrets) else {
            let attempt = Attempt::without_answer(Outcome::OwnerErased);
            return Ok(Tried::called(attempt, &definition));
        };
        let request: CallTerms = serde_json::from_str(&request).map_err(|it| it.to_string())?;
        let Some(destination) = self.destination(&request.url) else {
            let attempt = Attempt::without_answer(Outcome::AddressForbidden);
            return Ok(Tried::called(attempt, &definition));
        };
        if destination.server() != server {
            return Ok(Tried::Elsewhere(destination.server()));
        }
        let Some(time_limit) = self.time_limit(call, now) else {
            let attempt = Attempt::without_answer(Outcome::TooLate);
            return Ok(Tried::called(attempt, &definition));
        };
        let sending = Sending {
            id: call.run_id.to_string(),
            owner_id: definition.owner_id,
            method: definition.method,
            url: destination.url,
            headers: request.headers,
            body: request.body.unwrap_or_default(),
            secrets,
            now,
        };
        let Some(attempt) = sending.send(&self.client, time_limit).await? else {
            return Ok(Tried::Postponed);
        };
        let answer = self.sealed_answer(definition.owner_id, &attempt).await?;
        Ok(Tried::Called(Called {
            attempt,
            answer,
            changes: definition.changes,
        }))
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
        let parts = self.log.task_definition(task_id, None).await;
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
        let old = definition.old_secrets.iter();
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

    /// What a URL leads to, if it may be called: the client asks no resolver about addresses, and settings may have changed since the
    /// task was defined.
    fn destination(&self, url: &str) -> Option<Destination> {
        let hosts = Hosts {
            allowed: &self.settings.allowed_private_hosts,
            own: &self.own_hosts,
        };
        Destination::new(url, hosts).ok()
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
