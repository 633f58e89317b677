//! Actions that are due: each is taken by one sender under a lease, within the bounds of its destination and of its user.

use std::time::Duration;

use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::attempts::{Attempt, Work};
use super::destinations::Room;
use super::owners::Shares;

/// An action as its row is.
struct Taken {
    reactor: String,
    position: i64,
    target: String,
    path: String,
    effect: Option<String>,
    destination: String,
    owner_id: Option<Uuid>,
    body: Option<Value>,
    event_id: Uuid,
    correlation_id: Uuid,
    attempts: i32,
    traceparent: Option<String>,
    late_s: f64,
}

impl From<Taken> for Attempt {
    fn from(row: Taken) -> Self {
        Self {
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
        }
    }
}

/// Takes at most `limit` actions that are due: effects with a name, or with none everything else; of each destination, and of
/// each user there, at most so many as there is room for; and of each user so many as their share. Users take turns, and each one
/// leaves more places of a destination free than the user has there. Nobody else can take them while the lease lasts and `sender` lives.
///
/// What is not due is not read: the time of the statement is a bound of the index, which the time of the clock could not be, since that
/// changes from row to row.
pub(super) async fn take(
    pool: &PgPool,
    effect: Option<&str>,
    limit: usize,
    (room, shares): (&Room, &Shares),
    lease: Duration,
    sender: Uuid,
) -> sqlx::Result<Vec<Attempt>> {
    let taken = sqlx::query_as!(
        Taken,
        r#"
        with room as (
            select *
              from unnest($4::text[], $5::uuid[], $6::bigint[], $14::bigint[]) as room (destination, owner_id, calls, in_flight)
        ), spent as (
            select destination,
                   array_agg(owner_id) as owners
              from room
             where owner_id is not null and calls = 0
             group by destination
        ), candidate as (
            select action.*,
                   waiting.free
              from (
                select name,
                       coalesce(room.calls, $7) as free,
                       spent.owners
                  from waiting_destinations(coalesce($3, '')) as name
                  left join room on room.destination = name and room.owner_id is null
                  left join spent on spent.destination = name
                 order by random()
              ) as waiting
             cross join lateral (
                select reactor, position, target, destination, owner_id, next_attempt_at
                  from reactor_actions
                 where done_at is null
                   and coalesce(case when path = '' then effect end, '') = coalesce($3, '')
                   and reactor_actions.destination = waiting.name
                   and next_attempt_at <= statement_timestamp()
                   and (owner_id is null
                        or owner_id <> all ($10) and owner_id <> all (coalesce(waiting.owners, '{}')))
                 order by next_attempt_at
                 limit waiting.free
                   for update skip locked
             ) as action
             limit 2 * $1::bigint
        ), by_user as (
            select candidate.*,
                   room.calls,
                   row_number() over (partition by destination, owner_id order by next_attempt_at) as nth,
                   coalesce(room.in_flight, 0) as in_flight
              from candidate
              left join room using (destination, owner_id)
        ), by_place as (
            select *,
                   row_number() over (partition by destination order by owner_id is not null, in_flight + nth) as place
              from by_user
        ), by_owner as (
            select *,
                   row_number() over (partition by owner_id order by random()) as turn
              from by_place
             where owner_id is null
                or nth <= coalesce(calls, $8) and in_flight + nth <= free - place + 1
        ), due as (
            select reactor, position, target
              from by_owner
              left join unnest($11::uuid[], $12::bigint[]) as share (owner_id, places) using (owner_id)
             where owner_id is null
                or turn <= coalesce(places, $13)
             order by case when owner_id is null then 0 else turn end
             limit $1
        )
        update reactor_actions action
           set attempts = action.attempts + 1,
               next_attempt_at = clock_timestamp() + make_interval(secs => $2),
               taken_by = $9
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
        lease.as_secs_f64(),
        effect,
        &room.destinations,
        &room.owners as &[Option<Uuid>],
        &room.calls,
        i64::try_from(room.most).unwrap_or(i64::MAX),
        i64::try_from(room.owner_most).unwrap_or(i64::MAX),
        sender,
        &shares.spent(),
        &shares.owners,
        &shares.places,
        i64::try_from(shares.most).unwrap_or(i64::MAX),
        &room.in_flight,
    )
    .fetch_all(pool)
    .await?;
    Ok(taken.into_iter().map(Attempt::from).collect())
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
        with room as (
            select *
              from unnest($2::text[], $3::uuid[], $4::bigint[]) as room (destination, owner_id, calls)
             where calls = 0
        ), spent as (
            select destination,
                   array_agg(owner_id) as owners
              from room
             where owner_id is not null
             group by destination
        )
        select extract(epoch from min(next.attempt_at) - clock_timestamp())::float8
          from waiting_destinations(coalesce($1, '')) as waiting (name)
          left join spent on spent.destination = waiting.name
         cross join lateral (
            select min(next_attempt_at) as attempt_at
              from reactor_actions
             where done_at is null
               and coalesce(case when path = '' then effect end, '') = coalesce($1, '')
               and reactor_actions.destination = waiting.name
               and (owner_id is null
                    or owner_id <> all ($5) and owner_id <> all (coalesce(spent.owners, '{}')))
         ) as next
         where not exists (
            select
              from room
             where room.destination = waiting.name
               and room.owner_id is null
         )
        "#,
        effect,
        &room.destinations,
        &room.owners as &[Option<Uuid>],
        &room.calls,
        &shares.spent(),
    )
    .fetch_one(pool)
    .await?;
    Ok(seconds
        .map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)))
}
