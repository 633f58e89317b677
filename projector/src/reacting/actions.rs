//! The actions of reactors in Postgres: stored together with the checkpoint, taken by a sender when they
//! are due, and ended by its result. Each step is committed before anybody acts on it.
//!
//! An action that has ended is kept for ever, as events are: it records when it was tried and what came
//! of it. The index of due actions does not contain it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tidemark_domain::Action;
use tidemark_events::LogPoint;
use uuid::Uuid;

use crate::following::failure::SubscriberError;

/// The target of the action that stands for the answer to its event: what follows from the event is not known yet.
pub(super) const ANSWER: &str = "answer";

/// An action, and the event that caused it.
#[derive(Clone, Debug)]
pub(super) struct CausedAction {
    pub(super) action: Action,
    /// The position of the event.
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    /// The correlation id of the event, which the command carries on.
    pub(super) correlation_id: Uuid,
}

/// An event that could not be answered. It is kept as an action that was given up.
#[derive(Clone, Debug)]
pub(super) struct Unanswered {
    pub(super) position: i64,
    pub(super) event_id: Uuid,
    /// Nil if the metadata cannot be read.
    pub(super) correlation_id: Uuid,
    pub(super) reason: String,
}

/// What follows from the events of a page.
#[derive(Clone, Debug, Default)]
pub(super) struct Reactions {
    pub(super) actions: Vec<CausedAction>,
    /// The events of which it is not known what follows from them.
    pub(super) unanswered: Vec<Unanswered>,
}

impl Reactions {
    /// Whether nothing follows from the events.
    pub(super) const fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.unanswered.is_empty()
    }
}

/// One attempt to send an action that is due.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    /// The name of the reactor.
    pub(super) reactor: String,
    pub(super) caused: CausedAction,
    /// The number of this attempt, from 1 on. The result of an attempt is recorded only while no later
    /// one was made.
    pub(super) number: i32,
    /// Seconds between the due time and this attempt.
    pub(super) late_s: f64,
    /// The `traceparent` of the event, if it has one.
    pub(super) traceparent: Option<String>,
}

/// The point up to which a reactor has answered the log.
///
/// # Errors
/// If Postgres fails, or the log does not hold that point. Then the reactor is blocked.
pub(super) async fn checkpoint(pool: &PgPool, reactor: &str) -> Result<LogPoint, SubscriberError> {
    let stored = sqlx::query!(
        r#"
        select position,
               event_id,
               log_holds(position, event_id) as "is_in_log!"
          from reactors
         where name = $1
        "#,
        reactor,
    )
    .fetch_one(pool)
    .await?;
    let point = LogPoint {
        position: stored.position,
        event_id: stored.event_id,
    };
    if stored.is_in_log {
        return Ok(point);
    }
    let error = SubscriberError::NotInLog(point.position);
    block(pool, reactor, point, &error.to_string()).await?;
    Err(error)
}

/// Moves the checkpoint of a reactor and stores what follows from the events between, in one statement.
///
/// # Errors
/// If Postgres fails, or the checkpoint is not at `from` or the log does not hold `to`, in which case nothing is
/// written.
pub(super) async fn write(
    pool: &PgPool,
    reactor: &str,
    from: LogPoint,
    to: LogPoint,
    reactions: &Reactions,
) -> Result<(), SubscriberError> {
    let Reactions {
        actions,
        unanswered,
    } = reactions;
    let (paths, names): (Vec<_>, Vec<_>) = actions
        .iter()
        .map(|it| (it.action.path.clone(), it.action.name.clone()))
        .unzip();
    let advanced = sqlx::query_scalar!(
        r#"
        with advanced as (
            update reactors
               set timeline = log_head.timeline,
                   position = $4,
                   event_id = $5,
                   blocked = null,
                   updated_at = clock_timestamp()
              from log_head
             where reactors.name = $1
               and reactors.position = $2
               and reactors.event_id is not distinct from $3
               and log_holds($4, $5)
            returning reactors.name
        ), stored as (
            insert into reactor_actions
                   (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
            select advanced.name, planned.position, target, path, event_id, correlation_id, due_at, due_at
              from advanced,
                   unnest($6::bigint[], $7::text[], $8::text[], $9::uuid[], $10::uuid[], $11::timestamptz[])
                as planned (position, target, path, event_id, correlation_id, due_at)
        ), given_up as (
            insert into reactor_actions
                   (reactor, position, target, path, event_id, correlation_id,
                    due_at, next_attempt_at, attempts, done_at, outcome)
            select advanced.name, unanswered.position, $12, '', event_id, correlation_id,
                   statement_timestamp(), statement_timestamp(), 1, statement_timestamp(), reason
              from advanced,
                   unnest($13::bigint[], $14::uuid[], $15::uuid[], $16::text[])
                as unanswered (position, event_id, correlation_id, reason)
        )
        select count(*) as "count!" from advanced
        "#,
        reactor,
        from.position,
        from.event_id,
        to.position,
        to.event_id,
        &actions.iter().map(|it| it.position).collect::<Vec<_>>(),
        &names,
        &paths,
        &actions.iter().map(|it| it.event_id).collect::<Vec<_>>(),
        &actions.iter().map(|it| it.correlation_id).collect::<Vec<_>>(),
        &actions.iter().map(|it| it.action.due_at).collect::<Vec<_>>(),
        ANSWER,
        &unanswered.iter().map(|it| it.position).collect::<Vec<_>>(),
        &unanswered.iter().map(|it| it.event_id).collect::<Vec<_>>(),
        &unanswered.iter().map(|it| it.correlation_id).collect::<Vec<_>>(),
        &unanswered.iter().map(|it| it.reason.clone()).collect::<Vec<_>>(),
    )
    .fetch_one(pool)
    .await?;
    fence(advanced.cast_unsigned(), from)
}

/// Stores why nothing after the checkpoint `at` can be answered. The next write clears it.
pub(super) async fn block(
    pool: &PgPool,
    reactor: &str,
    at: LogPoint,
    reason: &str,
) -> Result<(), SubscriberError> {
    let blocked = sqlx::query!(
        r#"
        update reactors
           set blocked = $4,
               updated_at = clock_timestamp()
         where name = $1
           and position = $2
           and event_id is not distinct from $3
        "#,
        reactor,
        at.position,
        at.event_id,
        reason,
    )
    .execute(pool)
    .await?;
    fence(blocked.rows_affected(), at)
}

/// Fails if nothing was changed.
fn fence(rows_affected: u64, at: LogPoint) -> Result<(), SubscriberError> {
    if rows_affected == 1 {
        Ok(())
    } else {
        Err(SubscriberError::Fenced(at.position))
    }
}

/// Takes at most `limit` actions that are due. Nobody else can take them while the lease lasts.
pub(super) async fn take(
    pool: &PgPool,
    limit: usize,
    lease: Duration,
) -> sqlx::Result<Vec<Attempt>> {
    let taken = sqlx::query!(
        r#"
        with due as (
            select reactor, position, target
              from reactor_actions
             where done_at is null
               and next_attempt_at <= clock_timestamp()
             order by next_attempt_at
             limit $1
               for update skip locked
        )
        update reactor_actions action
           set attempts = action.attempts + 1,
               next_attempt_at = clock_timestamp() + make_interval(secs => $2)
          from due
         where action.reactor = due.reactor
           and action.position = due.position
           and action.target = due.target
        returning action.reactor,
                  action.position,
                  action.target,
                  action.path,
                  action.due_at,
                  action.event_id,
                  action.correlation_id,
                  action.attempts,
                  (select metadata ->> 'traceparent' from events where events.position = action.position) as traceparent,
                  extract(epoch from clock_timestamp() - action.due_at)::float8 as "late_s!"
        "#,
        i64::try_from(limit).unwrap_or(i64::MAX),
        lease.as_secs_f64(),
    )
    .fetch_all(pool)
    .await?;
    let attempts = taken.into_iter().map(|row| Attempt {
        reactor: row.reactor,
        caused: CausedAction {
            action: Action {
                name: row.target,
                due_at: row.due_at,
                path: row.path,
            },
            position: row.position,
            event_id: row.event_id,
            correlation_id: row.correlation_id,
        },
        number: row.attempts,
        late_s: row.late_s,
        traceparent: row.traceparent,
    });
    Ok(attempts.collect())
}

/// The time until the next action is due; `None` if no action waits.
pub(super) async fn next_due(pool: &PgPool) -> sqlx::Result<Option<Duration>> {
    let seconds = sqlx::query_scalar!(
        r#"
        select extract(epoch from min(next_attempt_at) - clock_timestamp())::float8
          from reactor_actions
         where done_at is null
        "#
    )
    .fetch_one(pool)
    .await?;
    Ok(seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
}

/// Ends an action, which was done or was given up.
pub(super) async fn end(pool: &PgPool, attempt: &Attempt, outcome: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set done_at = clock_timestamp(),
               outcome = $5
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is null
        "#,
        attempt.reactor,
        attempt.caused.position,
        attempt.caused.action.name,
        attempt.number,
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
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
               outcome = $7
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is null
        "#,
        attempt.reactor,
        attempt.caused.position,
        attempt.caused.action.name,
        attempt.number,
        at,
        retry_min.as_secs_f64(),
        outcome,
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
               outcome = $7
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is null
        "#,
        attempt.reactor,
        attempt.caused.position,
        attempt.caused.action.name,
        attempt.number,
        min.as_secs_f64(),
        max.as_secs_f64(),
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
}
