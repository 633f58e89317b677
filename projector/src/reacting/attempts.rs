//! Attempts at actions: what becomes of each is recorded while no later attempt was made.
//!
//! Each action is found by its key, however few there were when Postgres made its plan. What has `num_nulls` is known to no index of
//! what waits, all of which would be read otherwise.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use tidemark_event_store::traces;
use tidemark_event_store::traces::{Span, SpanKind};
use uuid::Uuid;

/// One attempt at an action that is due.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// The name of the reactor.
    pub(super) reactor: String,
    /// The position of the event that caused the action.
    pub(super) position: i64,
    /// Tells the actions of the event apart.
    pub(super) target: String,
    pub(super) work: Work,
    /// Where its effect acts; empty if the effect has one destination, and for a command.
    pub(super) destination: String,
    /// The user who has it done; none if the system does it of itself.
    pub(super) owner_id: Option<Uuid>,
    pub(super) event_id: Uuid,
    pub(super) correlation_id: Uuid,
    /// The number of this attempt, from 1 on. The result of an attempt is recorded only while no later
    /// one was made.
    pub(super) number: i32,
    /// Seconds between the due time and this attempt.
    pub(super) late_s: f64,
    /// The `traceparent` of the event, if it has one.
    pub(super) traceparent: Option<String>,
}

/// What is left to do of an action.
#[derive(Clone, Debug)]
pub(super) enum Work {
    /// To post a command: that of the action, or the one that records what came of its effect.
    Command { path: String, body: Option<Value> },
    /// To perform an effect.
    Effect(Value),
    /// To find out what follows from the event.
    Answer,
}

impl Work {
    pub(super) fn new(path: String, effect: Option<&str>, body: Option<Value>) -> Self {
        match effect {
            Some(_) if path.is_empty() => Self::Effect(body.unwrap_or_default()),
            None if path.is_empty() => Self::Answer,
            _ => Self::Command { path, body },
        }
    }
}

impl Attempt {
    /// Records what was done for as long, in the trace of the request that caused the event.
    pub(super) fn record_span(&self, doing: &str, what: &str, duration: Duration) {
        if let Some(parent) = &self.traceparent {
            let name = format!("{doing} {} {what}", self.reactor);
            traces::span(SpanKind::Client, name, parent, duration).end();
        }
    }
}

/// Makes an action whose effect was performed the command that records what came of it, which is due at once. Returns
/// whether that was done, since nothing is if a later attempt was made.
pub(super) async fn record_performed(
    pool: &PgPool,
    attempt: &Attempt,
    path: &str,
    body: Option<&Value>,
) -> sqlx::Result<bool> {
    let recorded = sqlx::query!(
        r#"
        update reactor_actions
           set path = $5,
               body = $6
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and num_nulls(done_at) = 1
        "#,
        attempt.reactor,
        attempt.position,
        attempt.target,
        attempt.number,
        path,
        body,
    )
    .execute(pool)
    .await?;
    Ok(recorded.rows_affected() == 1)
}

/// Lets an action be tried again at `at`, but not before `retry_min` has passed.
pub(super) async fn put_off(
    pool: &PgPool,
    attempt: &Attempt,
    at: DateTime<Utc>,
    retry_min: Duration,
    outcome: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set next_attempt_at = greatest($5, clock_timestamp() + make_interval(secs => $6)),
               taken_by = null,
               outcome = $7
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and num_nulls(done_at) = 1
        "#,
        attempt.reactor,
        attempt.position,
        attempt.target,
        attempt.number,
        at,
        retry_min.as_secs_f64(),
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Lets an action be tried again after a pause, and not earlier: whoever performs an effect may reckon with it.
pub(super) async fn pause(
    pool: &PgPool,
    attempt: &Attempt,
    pause: Duration,
    outcome: &str,
) -> sqlx::Result<()> {
    put_off(pool, attempt, DateTime::UNIX_EPOCH, pause, outcome).await
}

/// Lets an action be tried at once at another destination.
pub(super) async fn redirect(
    pool: &PgPool,
    attempt: &Attempt,
    destination: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set destination = $5,
               next_attempt_at = clock_timestamp(),
               taken_by = null
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and num_nulls(done_at) = 1
        "#,
        attempt.reactor,
        attempt.position,
        attempt.target,
        attempt.number,
        destination,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Lets an action be tried again after a wait that doubles with every attempt, from `retry.0` to
/// `retry.1`, with jitter.
pub(super) async fn back_off(
    pool: &PgPool,
    attempt: &Attempt,
    retry: (Duration, Duration),
    outcome: &str,
) -> sqlx::Result<()> {
    let (min, max) = retry;
    sqlx::query!(
        r#"
        update reactor_actions
           set next_attempt_at = clock_timestamp() + make_interval(
                   secs => least($6, $5 * 2 ^ least(attempts - 1, 30)) * (0.5 + random() / 2)),
               taken_by = null,
               outcome = $7
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and num_nulls(done_at) = 1
        "#,
        attempt.reactor,
        attempt.position,
        attempt.target,
        attempt.number,
        min.as_secs_f64(),
        max.as_secs_f64(),
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
}
