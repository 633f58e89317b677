//! Effects that are due: those of each user at each destination are a queue of their own.

use sqlx::PgPool;

use super::{Lease, Taken, wait};
use crate::reacting::attempts::Attempt;
use crate::reacting::turns::{Queue, Turn};

/// All queues of an effect. That costs as much as there are queues, however much waits in them.
pub(in crate::reacting) async fn waiting(pool: &PgPool, effect: &str) -> sqlx::Result<Vec<Queue>> {
    let queues = sqlx::query!(
        r#"
        with recursive queue as (
            (select coalesce(owner_id, '00000000-0000-0000-0000-000000000000') as owner, destination, next_attempt_at
               from reactor_actions
              where done_at is null
                and path = ''
                and effect = $1
              order by 1, 2, 3
              limit 1)
            union all
            select next.*
              from queue
             cross join lateral (
                select coalesce(owner_id, '00000000-0000-0000-0000-000000000000'), destination, next_attempt_at
                  from reactor_actions
                 where done_at is null
                   and path = ''
                   and effect = $1
                   and (coalesce(owner_id, '00000000-0000-0000-0000-000000000000'), destination) > (queue.owner, queue.destination)
                 order by 1, 2, 3
                 limit 1
             ) as next
        )
        select owner as "owner!",
               destination as "destination!",
               extract(epoch from next_attempt_at - clock_timestamp())::float8 as "due_in_s!"
          from queue
        "#,
        effect,
    )
    .fetch_all(pool)
    .await?;
    let queues = queues.into_iter().map(|it| Queue {
        owner_id: (!it.owner.is_nil()).then_some(it.owner),
        destination: it.destination,
        due_in: wait(it.due_in_s),
    });
    Ok(queues.collect())
}

/// Takes what is due of an effect, of each queue so many as it has turns.
pub(in crate::reacting) async fn take(
    pool: &PgPool,
    effect: &str,
    turns: &[Turn],
    lease: Lease,
) -> sqlx::Result<Vec<Attempt>> {
    let owners = turns.iter().map(|it| it.owner_id.unwrap_or_default());
    let destinations = turns.iter().map(|it| it.destination.clone());
    let taken = sqlx::query_as!(
        Taken,
        r#"
        with turn as (
            select owner, destination, count(*) as turns
              from unnest($4::uuid[], $5::text[]) as turn (owner, destination)
             group by owner, destination
        ), due as materialized (
            select action.id
              from turn
             cross join lateral (
                select ctid as id
                  from reactor_actions
                 where done_at is null
                   and path = ''
                   and effect = $1
                   and coalesce(owner_id, '00000000-0000-0000-0000-000000000000') = turn.owner
                   and reactor_actions.destination = turn.destination
                   and next_attempt_at <= statement_timestamp()
                 order by next_attempt_at
                 limit turn.turns
                   for update skip locked
             ) as action
        )
        update reactor_actions action
           set attempts = attempts + 1,
               next_attempt_at = clock_timestamp() + make_interval(secs => $2),
               taken_by = $3
         where ctid = any (array(select id from due))
        returning reactor, position, target,
                  path, effect, body,
                  destination, owner_id,
                  event_id, correlation_id,
                  attempts,
                  (select metadata ->> 'traceparent' from events where events.position = action.position) as traceparent,
                  extract(epoch from clock_timestamp() - due_at)::float8 as "late_s!"
        "#,
        effect,
        lease.duration.as_secs_f64(),
        lease.holder,
        &owners.collect::<Vec<_>>(),
        &destinations.collect::<Vec<_>>(),
    )
    .fetch_all(pool)
    .await?;
    Ok(taken.into_iter().map(Attempt::from).collect())
}
