//! The actions of reactors in Postgres: written with the checkpoint, taken when due, settled by the
//! answer. All of it is durable before anybody acts on it.
//!
//! An action that has ended stays, for ever as the facts do: it is the record of when it was tried and
//! how it was answered. What looks for work never sees it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use uuid::Uuid;

use super::Action;
use crate::subscriber::Failure;

/// An action whose time has come, taken for one attempt.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub(super) reactor: String,
    pub(super) position: i64,
    pub(super) target: String,
    pub(super) path: String,
    pub(super) event_id: Uuid,
    pub(super) correlation_id: Uuid,
    /// The number of this attempt, from 1 on. Whoever took a later one settles in its place.
    pub(super) attempts: i32,
    /// How long after its due time it was taken.
    pub(super) late_s: f64,
}

/// How far a reactor has answered the log.
pub(super) async fn checkpoint(pool: &PgPool, reactor: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!("select position from reactors where name = $1", reactor)
        .fetch_one(pool)
        .await
}

/// Writes actions and checkpoint, both or neither.
pub(super) async fn write(
    pool: &PgPool,
    reactor: &str,
    from: i64,
    to: i64,
    actions: &[Action],
) -> Result<(), Failure> {
    let mut transaction = pool.begin().await?;
    let advanced = sqlx::query!(
        r#"
        update reactors
           set position = $3,
               blocked = null,
               updated_at = clock_timestamp()
         where name = $1
           and position = $2
        "#,
        reactor,
        from,
        to,
    )
    .execute(&mut *transaction)
    .await?;
    fence(advanced.rows_affected(), from)?;
    if !actions.is_empty() {
        let planned = || actions.iter().map(|action| &action.planned);
        sqlx::query!(
            r#"
            insert into reactor_actions
                   (reactor, position, target, path, event_id, correlation_id, due_at, next_attempt_at)
            select $1, position, target, path, event_id, correlation_id, due_at, due_at
              from unnest($2::bigint[], $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::timestamptz[])
                as planned (position, target, path, event_id, correlation_id, due_at)
            "#,
            reactor,
            &actions.iter().map(|action| action.position).collect::<Vec<_>>(),
            &planned().map(|planned| planned.target.to_owned()).collect::<Vec<_>>(),
            &planned().map(|planned| planned.path.clone()).collect::<Vec<_>>(),
            &actions.iter().map(|action| action.event_id).collect::<Vec<_>>(),
            &actions.iter().map(|action| action.correlation_id).collect::<Vec<_>>(),
            &planned().map(|planned| planned.due_at).collect::<Vec<_>>(),
        )
        .execute(&mut *transaction)
        .await?;
    }
    Ok(transaction.commit().await?)
}

/// Says why the event after `position` cannot be answered. The next write takes it back.
pub(super) async fn block(
    pool: &PgPool,
    reactor: &str,
    position: i64,
    reason: &str,
) -> Result<(), Failure> {
    let blocked = sqlx::query!(
        r#"
        update reactors
           set blocked = $3,
               updated_at = clock_timestamp()
         where name = $1
           and position = $2
        "#,
        reactor,
        position,
        reason,
    )
    .execute(pool)
    .await?;
    fence(blocked.rows_affected(), position)
}

fn fence(rows_affected: u64, position: i64) -> Result<(), Failure> {
    if rows_affected == 1 {
        Ok(())
    } else {
        Err(Failure::Fenced(position))
    }
}

/// Takes actions that are due, at most `limit`; nobody else gets them for as long as `lease`.
pub(super) async fn take(pool: &PgPool, limit: usize, lease: Duration) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
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
                  action.event_id,
                  action.correlation_id,
                  action.attempts,
                  extract(epoch from clock_timestamp() - action.due_at)::float8 as "late_s!"
        "#,
        i64::try_from(limit).unwrap_or(i64::MAX),
        lease.as_secs_f64(),
    )
    .fetch_all(pool)
    .await
}

/// How long until the next action is due; `None` if none is waiting.
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

/// Ends an action: it is done, or refused for good.
pub(super) async fn end(pool: &PgPool, due: &Due, outcome: &str) -> sqlx::Result<()> {
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
        due.reactor,
        due.position,
        due.target,
        due.attempts,
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Tries an action again at `at`, and not at once should that be past.
pub(super) async fn put_off(
    pool: &PgPool,
    due: &Due,
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
        due.reactor,
        due.position,
        due.target,
        due.attempts,
        at,
        retry_min.as_secs_f64(),
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Tries an action again after a wait that doubles with every attempt, with jitter.
pub(super) async fn back_off(
    pool: &PgPool,
    due: &Due,
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
        due.reactor,
        due.position,
        due.target,
        due.attempts,
        min.as_secs_f64(),
        max.as_secs_f64(),
        outcome,
    )
    .execute(pool)
    .await
    .map(drop)
}
