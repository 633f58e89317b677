//! Attempts at actions that are due: each is taken by one sender under a lease, and its result is recorded while no later
//! attempt was made.
//!
//! An action that has ended is kept for ever, as events are: it records when it was tried and what came
//! of it. The index of due actions does not contain it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgPool;
use tidemark_event_store::traces;
use tidemark_event_store::traces::{Span, SpanKind};
use uuid::Uuid;

use super::destinations::Room;
use super::owners::Shares;

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
    fn new(path: String, effect: Option<&str>, body: Option<Value>) -> Self {
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

/// Takes at most `limit` actions that are due: effects with a name, or with none everything else; of each destination at most
/// so many as it has room for, or else `each_max`; and of each user so many as their share. Users take turns. Nobody else can take them while the lease lasts and `sender` lives.
pub(super) async fn take(
    pool: &PgPool,
    effect: Option<&str>,
    (limit, each_max): (usize, usize),
    (room, shares): (&Room, &Shares),
    lease: Duration,
    sender: Uuid,
) -> sqlx::Result<Vec<Attempt>> {
    let taken = sqlx::query!(
        r#"
        with candidate as (
            select action.*
              from (select name from waiting_destinations(coalesce($3, '')) as name order by random()) as destination
              left join unnest($4::text[], $5::bigint[]) as room (name, calls) on room.name = destination.name
             cross join lateral (
                select reactor, position, target, owner_id
                  from reactor_actions
                 where done_at is null
                   and coalesce(case when path = '' then effect end, '') = coalesce($3, '')
                   and reactor_actions.destination = destination.name
                   and next_attempt_at <= clock_timestamp()
                   and (owner_id is null or owner_id <> all ($8))
                 order by next_attempt_at
                 limit coalesce(room.calls, $6)
                   for update skip locked
             ) as action
             limit 2 * $1::bigint
        ), due as (
            select reactor, position, target
              from (
                select *,
                       row_number() over (partition by owner_id order by random()) as turn
                  from candidate
              ) as candidate
              left join unnest($9::uuid[], $10::bigint[]) as share (owner_id, places) using (owner_id)
             where owner_id is null
                or turn <= coalesce(places, $11)
             order by case when owner_id is null then 0 else turn end
             limit $1
        )
        update reactor_actions action
           set attempts = action.attempts + 1,
               next_attempt_at = clock_timestamp() + make_interval(secs => $2),
               taken_by = $7
          from due
         where action.reactor = due.reactor
           and action.position = due.position
           and action.target = due.target
        returning action.reactor,
                  action.position,
                  action.target,
                  action.path,
                  action.effect,
                  action.destination,
                  action.owner_id,
                  action.body,
                  action.event_id,
                  action.correlation_id,
                  action.attempts,
                  (select metadata ->> 'traceparent' from events where events.position = action.position) as traceparent,
                  extract(epoch from clock_timestamp() - action.due_at)::float8 as "late_s!"
        "#,
        i64::try_from(limit).unwrap_or(i64::MAX),
        lease.as_secs_f64(),
        effect,
        &room.destinations,
        &room.calls,
        i64::try_from(each_max).unwrap_or(i64::MAX),
        sender,
        &shares.spent(),
        &shares.owners,
        &shares.places,
        i64::try_from(shares.most).unwrap_or(i64::MAX),
    )
    .fetch_all(pool)
    .await?;
    let attempts = taken.into_iter().map(|row| Attempt {
        reactor: row.reactor,
        position: row.position,
        target: row.target,
        work: Work::new(row.path, row.effect.as_deref(), row.body),
        destination: row.destination,
        owner_id: row.owner_id,
        event_id: row.event_id,
        correlation_id: row.correlation_id,
        number: row.attempts,
        late_s: row.late_s,
        traceparent: row.traceparent,
    });
    Ok(attempts.collect())
}

/// The time until the next action of this kind is due whose destination and user have room; `None` if none waits.
pub(super) async fn next_due(
    pool: &PgPool,
    effect: Option<&str>,
    room: &Room,
    shares: &Shares,
) -> sqlx::Result<Option<Duration>> {
    let seconds = sqlx::query_scalar!(
        r#"
        select extract(epoch from min(next.attempt_at) - clock_timestamp())::float8
          from waiting_destinations(coalesce($1, '')) as destination (name)
         cross join lateral (
            select min(next_attempt_at) as attempt_at
              from reactor_actions
             where done_at is null
               and coalesce(case when path = '' then effect end, '') = coalesce($1, '')
               and reactor_actions.destination = destination.name
               and (owner_id is null or owner_id <> all ($4))
         ) as next
         where not exists (
            select
              from unnest($2::text[], $3::bigint[]) as room (name, calls)
             where room.name = destination.name
               and calls = 0
         )
        "#,
        effect,
        &room.destinations,
        &room.calls,
        &shares.spent(),
    )
    .fetch_one(pool)
    .await?;
    Ok(seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
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
           and done_at is null
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

/// Ends an action, which was done or was given up.
pub(super) async fn end(pool: &PgPool, attempt: &Attempt, outcome: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        update reactor_actions
           set done_at = clock_timestamp(),
               taken_by = null,
               outcome = $5
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is null
        "#,
        attempt.reactor,
        attempt.position,
        attempt.target,
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
               taken_by = null,
               outcome = $7
         where reactor = $1
           and position = $2
           and target = $3
           and attempts = $4
           and done_at is null
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
           and done_at is null
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
           and done_at is null
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
