//! Records how actions have ended. One statement records all that wait for it, since it costs Postgres as much for one as for many.
//!
//! An action that has ended is kept for ever, as events are: it records when it was tried and what came of it. The index of due
//! actions does not contain it.

use std::mem;
use std::slice;
use std::sync::Arc;

use sqlx::PgPool;
use tidemark_event_store::TimedPool;
use tokio::sync::{mpsc, oneshot};

use super::attempts::Attempt;

/// Where the ends of actions wait until they are recorded.
#[derive(Clone)]
pub(super) struct Endings {
    waiting: mpsc::Sender<Ending>,
}

/// An action that has ended, as it is to be recorded.
struct Ending {
    reactor: String,
    position: i64,
    target: String,
    attempt: i32,
    outcome: String,
    recorded: oneshot::Sender<Result<(), Arc<sqlx::Error>>>,
}

impl Endings {
    /// Records what it is given until it is dropped, so many together at most.
    pub(super) fn new(pool: TimedPool, together_max: usize) -> Self {
        let (waiting, mut endings) = mpsc::channel(together_max);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while endings.recv_many(&mut batch, together_max).await > 0 {
                record_all(&pool, mem::take(&mut batch)).await;
            }
        });
        Self { waiting }
    }

    /// Ends an action, which was done or was given up, unless a later attempt at it was made.
    pub(super) async fn end(
        &self,
        attempt: &Attempt,
        outcome: &str,
    ) -> Result<(), Arc<sqlx::Error>> {
        let (recorded, result) = oneshot::channel();
        let ending = Ending {
            reactor: attempt.reactor.clone(),
            position: attempt.position,
            target: attempt.target.clone(),
            attempt: attempt.number,
            outcome: outcome.to_owned(),
            recorded,
        };
        let gone = || Arc::new(sqlx::Error::WorkerCrashed);
        self.waiting.send(ending).await.map_err(|_| gone())?;
        result.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Records endings together, or each by itself if Postgres refuses one of them.
async fn record_all(pool: &TimedPool, endings: Vec<Ending>) {
    let together = pool.with_timeout(record(pool, &endings)).await;
    let together = together.map_err(Arc::new);
    let is_refused = matches!(&together, Err(error) if error.as_database_error().is_some());
    for ending in endings {
        let recorded = if is_refused {
            let alone = record(pool, slice::from_ref(&ending));
            pool.with_timeout(alone).await.map_err(Arc::new)
        } else {
            together.clone()
        };
        ending.recorded.send(recorded).ok();
    }
}

/// Finds each action by its key, however few there were when Postgres made its plan: no other index knows what has `num_nulls`.
async fn record(pool: &PgPool, endings: &[Ending]) -> sqlx::Result<()> {
    let reactors = endings.iter().map(|it| it.reactor.clone());
    let positions = endings.iter().map(|it| it.position);
    let targets = endings.iter().map(|it| it.target.clone());
    let attempts = endings.iter().map(|it| it.attempt);
    let outcomes = endings.iter().map(|it| it.outcome.clone());
    sqlx::query!(
        r#"
        with ending as materialized (
            select waiting.id,
                   ending.outcome
              from unnest($1::text[], $2::bigint[], $3::text[], $4::integer[], $5::text[])
                   as ending (reactor, position, target, attempts, outcome)
             cross join lateral (
                select ctid as id
                  from reactor_actions
                 where reactor = ending.reactor
                   and position = ending.position
                   and target = ending.target
                   and attempts = ending.attempts
                   and num_nulls(done_at) = 1
                   for update
             ) as waiting
        )
        update reactor_actions
           set done_at = clock_timestamp(),
               taken_by = null,
               outcome = (select ending.outcome from ending where ending.id = reactor_actions.ctid)
         where ctid = any (array(select id from ending))
        "#,
        &reactors.collect::<Vec<_>>(),
        &positions.collect::<Vec<_>>(),
        &targets.collect::<Vec<_>>(),
        &attempts.collect::<Vec<_>>(),
        &outcomes.collect::<Vec<_>>(),
    )
    .execute(pool)
    .await
    .map(drop)
}
