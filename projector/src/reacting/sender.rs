//! Does what is due: posts commands to the command API, or performs the effects of one kind. An action is taken by one
//! sender at a time, as long as its process lives, and each kind has a sender of its own, so that none holds up another.

mod recording;

use std::sync::Arc;
use std::time::Duration;

use fail::fail_point;
use metrics::histogram;
use serde_json::Value;
use tidemark_event_store::{Backoff, Log, Pace, TimedPool};
use tidemark_platform::{Config, config};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::answer::Verdict;
use super::attempts::{Attempt, Work};
use super::command_client::CommandClient;
use super::destinations::{Call, Destinations, Limits};
use super::due::{Begun, Due, Lease};
use super::effects::{AnyEffect, Contact, Outcome};
use super::endings::Endings;
use super::owners::Owners;
use super::presence::Present;
use super::turns::Turns;
use super::{attempts, unanswered};
use crate::error::{Error, with_causes};

/// The shortest pause between two searches for due actions.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// Does the actions of all reactors that are of one kind.
#[derive(Clone)]
pub(crate) struct Sender {
    pool: TimedPool,
    commands: CommandClient,
    /// The effect that it performs; with none it posts commands.
    effect: Option<Arc<dyn AnyEffect>>,
    endings: Endings,
    settings: config::Reactor,
    /// Whether others see that this process lives.
    present: Present,
    /// Changed by the reactors of this process when they have stored actions.
    stored: watch::Sender<()>,
}

impl Sender {
    /// A sender of commands that looks for due actions at once whenever `stored` is changed.
    ///
    /// # Errors
    /// If the configuration has no credential for the command API.
    pub(crate) fn new(
        config: &Config,
        pool: TimedPool,
        stored: watch::Sender<()>,
        present: Present,
    ) -> Result<Self, Error> {
        let settings = config.reactor.clone();
        Ok(Self {
            endings: Endings::new(pool.clone(), settings.in_flight_max),
            pool,
            commands: CommandClient::new(config)?,
            effect: None,
            settings,
            present,
            stored,
        })
    }

    /// A sender that performs this effect.
    pub(crate) fn performing(self, effect: Arc<dyn AnyEffect>) -> Self {
        Self {
            effect: Some(effect),
            ..self
        }
    }

    /// Sends due actions until `stop`, then waits for the answers to those in flight.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut due = self.due();
        let mut in_flight = JoinSet::new();
        let poll = Duration::from_millis(self.settings.poll_ms);
        let poll_max = Duration::from_millis(self.settings.poll_max_ms);
        let mut idle = Backoff::new(poll, poll_max);
        let mut looks = Pace::new(Duration::from_millis(self.settings.take_interval_ms));
        let mut rested = Instant::now();
        let mut stored = self.stored.subscribe();
        while !stop.is_cancelled() {
            let turn = async {
                sleep_until(looks.next().max(rested)).await;
                self.present.seen().await;
            };
            if stop.run_until_cancelled(turn).await.is_none() {
                break;
            }
            looks.take();
            while in_flight.try_join_next().is_some() {}
            let free = self.in_flight_max().saturating_sub(in_flight.len());
            let began = Instant::now();
            let started = self.start(&mut due, &mut in_flight, free).await;
            // However much there is to look at, that takes half of the time.
            rested = Instant::now() + began.elapsed();
            let pause = match started {
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
                Ok(()) = stored.changed() => {}
                Some(_) = in_flight.join_next() => {}
            }
        }
        while in_flight.join_next().await.is_some() {}
    }

    /// Starts to send at most `free` actions that are due, and returns in what time to look again.
    async fn start(
        &self,
        due: &mut Due,
        in_flight: &mut JoinSet<()>,
        free: usize,
    ) -> sqlx::Result<Option<Duration>> {
        if free == 0 {
            return Ok(None);
        }
        let (begun, next_due) = due.take(&self.pool, free, self.lease()).await?;
        for Begun {
            attempt,
            call,
            place,
        } in begun
        {
            let sender = self.clone();
            in_flight.spawn(async move {
                sender.send(attempt, call).await;
                drop(place);
            });
        }
        Ok(next_due)
    }

    /// What it looks for.
    fn due(&self) -> Due {
        let settings = &self.settings;
        let owners = Owners::new(settings.owner_in_flight_max);
        match &self.effect {
            None => Due::Commands(owners),
            Some(effect) => {
                let destinations = Destinations::new(effect.name(), limits(settings));
                Due::Effects(effect.name(), Turns::new(destinations, owners))
            }
        }
    }

    const fn in_flight_max(&self) -> usize {
        match self.effect {
            Some(_) => self.settings.effects_in_flight_max,
            None => self.settings.in_flight_max,
        }
    }

    /// Under which an action belongs to this process once it was taken.
    const fn lease(&self) -> Lease {
        let duration_ms = match self.effect {
            Some(_) => self.settings.effect_lease_ms,
            None => self.settings.lease_ms,
        };
        Lease {
            holder: self.present.id,
            duration: Duration::from_millis(duration_ms),
        }
    }

    /// Tries an action once and records the result.
    async fn send(&self, attempt: Attempt, call: Option<Call>) {
        if attempt.number == 1 {
            histogram!("tidemark_reactor_late_seconds", "reactor" => attempt.reactor.clone())
                .record(attempt.late_s);
        }
        let verdict = self.try_once(&attempt, call).await;
        let recording = self.record(&attempt, verdict);
        if let Err(error) = self.pool.with_timeout(recording).await {
            let Attempt {
                reactor,
                position,
                target,
                ..
            } = attempt;
            tracing::warn!(reactor, position, target, %error, "the result of an action cannot be recorded; it is tried again");
        }
    }

    async fn try_once(&self, attempt: &Attempt, call: Option<Call>) -> Verdict {
        match &attempt.work {
            Work::Command { path, body } => self.commands.post(attempt, path, body.as_ref()).await,
            Work::Effect(body) => self.perform(attempt, body, call).await,
            Work::Answer => {
                let log = Log::new(self.pool.clone());
                let answer = unanswered::answer(&log, attempt).await;
                answer.unwrap_or_else(|error| Verdict::Inconclusive(with_causes(&error)))
            }
        }
    }

    /// Performs an effect, and posts the command that records what came of it. The destination's call is over before that. It
    /// is broken off when others may take this process for dead, so that they do not make the same call beside it.
    async fn perform(&self, attempt: &Attempt, body: &Value, call: Option<Call>) -> Verdict {
        let (Some(effect), Some(call)) = (&self.effect, call) else {
            return Verdict::Inconclusive("this sender posts commands only".to_owned());
        };
        let time_limit = Duration::from_millis(self.settings.effect_timeout_ms);
        let began = Instant::now();
        let performing = effect.perform(body.clone(), &attempt.destination, attempt.number);
        let performed = tokio::select! {
            biased;
            () = self.present.unseen() => {
                let reason = "others may take this process for dead";
                return Verdict::Inconclusive(reason.to_owned());
            }
            performed = timeout(time_limit, performing) => performed,
        };
        attempt.record_span("perform", effect.name(), began.elapsed());
        let performed = match performed {
            Err(_) => {
                call.tell(Contact::Unanswered);
                return Verdict::Inconclusive(format!("it takes longer than {time_limit:?}"));
            }
            Ok(Err(error)) => {
                return Verdict::Inconclusive(format!("the body cannot be read: {error}"));
            }
            Ok(Ok(performed)) => performed,
        };
        if let Some(contact) = performed.contact {
            call.tell(contact);
        }
        drop(call);
        let (path, body) = match performed.outcome {
            Outcome::Over { path, body } => (path, body),
            Outcome::Later { after, reason } => return Verdict::Later(after, reason),
            Outcome::Failed(reason) => return Verdict::Inconclusive(reason),
            Outcome::Elsewhere(destination) => return Verdict::Elsewhere(destination),
            Outcome::NotNeeded => return Verdict::Done,
        };
        fail_point!(&format!("projector_{}_performed", effect.name()));
        let recording = attempts::record_performed(&self.pool, attempt, &path, body.as_ref());
        match self.pool.with_timeout(recording).await {
            Ok(true) => self.commands.post(attempt, &path, body.as_ref()).await,
            Ok(false) => Verdict::Inconclusive("it was tried again meanwhile".to_owned()),
            Err(error) => Verdict::Inconclusive(with_causes(&error)),
        }
    }
}

/// What each destination of an effect is granted.
const fn limits(settings: &config::Reactor) -> Limits {
    Limits {
        in_flight_max: settings.destination_in_flight_max,
        owner_in_flight_max: settings.owner_per_destination_in_flight_max,
        failures_max: settings.destination_failures_max,
        pause_min: Duration::from_millis(settings.destination_pause_min_ms),
        pause_max: Duration::from_millis(settings.destination_pause_max_ms),
    }
}
