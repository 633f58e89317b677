//! Commands that are due: the oldest first, and of each user so many as the user has places.

use std::time::Duration;

use sqlx::PgPool;

use super::{Lease, Taken, wait};
use crate::reacting::attempts::Attempt;
use crate::reacting::owners::Shares;

/// Takes at most `limit` commands that are due, and of each user so many as the user's share. Users take turns.
///
/// What is not due is not read: the time of the statement is a bound of the index, which the time of the clock could not be, since that
/// changes from row to row.
pub(in crate::reacting) async fn take(
    pool: &PgPool,
    limit: usize,
    shares: &Shares,
    lease: Lease,
) -> sqlx::Result<Vec<Attempt>> {
    let taken = sqlx::query_as!(
        Taken,
        r#"
        with candidate as (
            select reactor, position, target, owner_id, next_attempt_at
              from reactor_actions
             where done_at is null
               and (path <> '' or effect is null)
               and next_attempt_at <= statement_timestamp()
               and (owner_id is null or owner_id <> all ($4))
             order by next_attempt_at
             limit 2 * $1::bigint
               for update skip locked
        ), by_owner as (
            select *,
                   row_number() over (partition by owner_id order by next_attempt_at) as turn
              from candidate
        ), due as (
            select reactor, position, target
              from by_owner
              left join unnest($5::uuid[], $6::bigint[]) as share (owner_id, places) using (owner_id)
             where owner_id is null
                or turn <= coalesce(places, $7)
             order by case when owner_id is null then 0 else turn end, next_attempt_at
             limit $1
        )
        update reactor_actions action
           set attempts = action.attempts + 1,
               next_attempt_at = clock_timestamp() + make_interval(secs => $2),
               taken_by = $3
          from due
         where (action.reactor, action.position, action.target) = (due.reactor, due.position, due.target)
        returning action.reactor, action.position, action.target,
                  action.path, action.effect, action.body,
                  action.destination, action.owner_id,
                  action.event_id, action.correlation_id,
                  action.attempts,
                  (select metadata ->> 'traceparent' from events where events.position = action.position) as traceparent,
                  extract(epoch from clock_timestamp() - action.due_at)::float8 as "late_s!"
        "#,
        i64::try_from(limit).unwrap_or(i64::MAX),
        lease.duration.as_secs_f64(),
        lease.holder,
        &shares.spent(),
        &shares.owners,
        &shares.places,
        i64::try_from(shares.most).unwrap_or(i64::MAX),
    )
    .fetch_all(pool)
    .await?;
    Ok(taken.into_iter().map(Attempt::from).collect())
}

/// The time until the next command is due whose user has places; `None` if none waits. The least time would be looked for in all that
/// waits, by a plan that was made while nothing did.
pub(in crate::reacting) async fn next_due(
    pool: &PgPool,
    shares: &Shares,
) -> sqlx::Result<Option<Duration>> {
    let seconds = sqlx::query_scalar!(
        r#"
        select extract(epoch from next_attempt_at - clock_timestamp())::float8 as "seconds!"
          from reactor_actions
         where done_at is null
           and (path <> '' or effect is null)
           and (owner_id is null or owner_id <> all ($1))
         order by next_attempt_at
         limit 1
        "#,
        &shares.spent(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(seconds.map(wait))
}
