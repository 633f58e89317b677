//! Finds what is due, and takes it: each action is taken by one sender at a time.

pub(super) mod commands;
pub(super) mod effects;

use std::time::Duration;

use serde_json::Value;
use tidemark_event_store::TimedPool;
use tokio::time::Instant;
use uuid::Uuid;

use super::attempts::{Attempt, Work};
use super::destinations::Call;
use super::owners::{Owners, Place};
use super::turns::{Turn, Turns};

/// What a sender looks for.
pub(super) enum Due {
    /// Commands, and answers to events, within the bounds of each user.
    Commands(Owners),
    /// The effects with this name, within the bounds of each user and each destination.
    Effects(&'static str, Turns),
}

/// An attempt that begins, with the places that it takes.
pub(super) struct Begun {
    pub(super) attempt: Attempt,
    /// The call of its destination; none for a command.
    pub(super) call: Option<Call>,
    /// The place of its user; none if it is nobody's.
    pub(super) place: Option<Place>,
}

/// Nobody else can take what the holder has taken, while the holder lives and this time has not passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) holder: Uuid,
    pub(super) duration: Duration,
}

impl Due {
    /// Takes at most `limit` actions that are due, and returns in what time to look again: at once if there may be more, and none if
    /// nothing waits. While nothing is due, that takes one statement.
    pub(super) async fn take(
        &mut self,
        pool: &TimedPool,
        limit: usize,
        lease: Lease,
    ) -> sqlx::Result<(Vec<Begun>, Option<Duration>)> {
        match self {
            Self::Commands(owners) => take_commands(owners, pool, limit, lease).await,
            Self::Effects(name, turns) => take_effects(name, turns, pool, limit, lease).await,
        }
    }
}

async fn take_commands(
    owners: &Owners,
    pool: &TimedPool,
    limit: usize,
    lease: Lease,
) -> sqlx::Result<(Vec<Begun>, Option<Duration>)> {
    let shares = owners.shares();
    let next_due = commands::next_due(pool, &shares);
    let next_due = pool.with_timeout(next_due).await?;
    if next_due.is_none_or(|wait| !wait.is_zero()) {
        return Ok((Vec::new(), next_due));
    }
    let taken = commands::take(pool, limit, &shares, lease);
    let taken = pool.with_timeout(taken).await?.into_iter();
    let begun = taken.map(|attempt| Begun {
        place: attempt.owner_id.map(|it| owners.place(it)),
        call: None,
        attempt,
    });
    Ok((begun.collect(), next_due))
}

async fn take_effects(
    name: &str,
    turns: &mut Turns,
    pool: &TimedPool,
    limit: usize,
    lease: Lease,
) -> sqlx::Result<(Vec<Begun>, Option<Duration>)> {
    let waiting = pool.with_timeout(effects::waiting(pool, name)).await?;
    let is_later = |wait: &Duration| !wait.is_zero();
    let next_due = waiting.iter().map(|it| it.due_in).filter(is_later).min();
    let due = waiting.into_iter().filter(|it| it.due_in.is_zero());
    let mut turns_begun = turns.begin(due.collect(), limit);
    if turns_begun.is_empty() {
        let more_in = turns.more_at().map(|at| at - Instant::now());
        return Ok((Vec::new(), next_due.into_iter().chain(more_in).min()));
    }
    let taken = effects::take(pool, name, &turns_begun, lease);
    let taken = pool.with_timeout(taken).await?.into_iter();
    // Of what others have taken meanwhile the turns are given back.
    let begun = taken.filter_map(|attempt| {
        let is_of =
            |it: &Turn| it.owner_id == attempt.owner_id && it.destination == attempt.destination;
        let turn = turns_begun.iter().position(is_of)?;
        let turn = turns_begun.swap_remove(turn);
        Some(Begun {
            attempt,
            call: Some(turn.call),
            place: turn.place,
        })
    });
    Ok((begun.collect(), Some(Duration::ZERO)))
}

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

/// The time until something is due that is so many seconds away.
fn wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX)
}
