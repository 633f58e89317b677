//! Read your own writes: an answer contains everything that its client has already seen, as far as the
//! client says so with a `Tidemark`.
//!
//! One statement reads the rows, the checkpoints of their shards and the head of the log, so these
//! belong to one moment ([`Fetched`]). Only that decides whether the rows are fresh enough. If
//! they are not, the query is repeated once the checkpoints have moved, until the time to wait is over.

mod checkpoints;
mod fetched;
mod query;
mod shards;
mod timelines;

use std::time::Duration;

use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::tidemark::Token;
use tidemark_read_models::ReadModel;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::error::{Error, NamedBy};
use crate::pools::Pools;

pub(crate) use checkpoints::Checkpoints;
pub(crate) use fetched::{Fetched, ParkedMark};
pub(crate) use query::{query_all_shards, query_shard_of_row, query_with_freshness};
pub(crate) use shards::{QueriedShards, ShardStatus};
pub(crate) use timelines::on_timeline;

/// Repeats queries until what they fetch is fresh enough.
pub(crate) struct Freshness {
    pool: TimedPool,
    /// The most connections of any pool that queries use.
    connections: u32,
    checkpoints: Checkpoints,
    /// How long a query waits at most for the position of its token.
    wait: Duration,
}

impl Freshness {
    /// `checkpoints` tell when a query is worth repeating.
    pub(crate) fn new(pools: &Pools, checkpoints: Checkpoints, wait: Duration) -> Self {
        Self {
            pool: pools.prompt.clone(),
            connections: pools.most_connections(),
            checkpoints,
            wait,
        }
    }

    /// What `query` fetches, once that is fresh enough for `token`. `query` must read rows and
    /// checkpoints in one statement, as [`query_all_shards`] and [`query_shard_of_row`] do; `shards`
    /// are those that it reads.
    ///
    /// # Errors
    /// As for [`Freshness::fetch_before`].
    pub(crate) async fn fetch<T, F>(
        &self,
        token: Option<Token>,
        shards: impl AsRef<[QueriedShards]>,
        query: impl Fn() -> F,
    ) -> Result<Fetched<T>, Error>
    where
        F: Future<Output = sqlx::Result<Fetched<T>>>,
    {
        let shards = shards.as_ref();
        let deadline = self.wait_for_shards(token, shards).await;
        self.fetch_before(deadline, token, shards, query).await
    }

    /// Whether something was parked in the shard of a row when it was seen last.
    pub(crate) fn is_parked_in_shard_of<M: ReadModel>(&self, id: Uuid) -> bool {
        self.checkpoints.is_parked_in_shard_of::<M>(id)
    }

    /// Waits until the shards are seen to have applied the token's position, or to be unable to, so
    /// that no query runs before it can succeed. Returns the deadline for the query, which still
    /// decides: it runs also when the time to wait is over.
    pub(crate) async fn wait_for_shards(
        &self,
        token: Option<Token>,
        shards: &[QueriedShards],
    ) -> Instant {
        let deadline = Instant::now() + self.wait;
        if let Some(token) = token {
            let mut checkpoints = self.checkpoints.subscribe();
            let _ = timeout_at(deadline, checkpoints.wait(shards, token)).await;
        }
        deadline
    }

    /// Runs `query` at once, and again after each change of the checkpoints that may help, until it is
    /// fresh enough.
    ///
    /// # Errors
    /// [`Error::Behind`] if that is not so before `deadline`; an error of [`Fetched::is_fresh_enough`] if it
    /// cannot become so; the error of a query that fails.
    pub(crate) async fn fetch_before<T, F>(
        &self,
        deadline: Instant,
        token: Option<Token>,
        shards: &[QueriedShards],
        query: impl Fn() -> F,
    ) -> Result<Fetched<T>, Error>
    where
        F: Future<Output = sqlx::Result<Fetched<T>>>,
    {
        let read = || async { Ok(self.pool.read_over(self.connections, &query).await?) };
        self.repeat_before(deadline, token, shards, read).await
    }

    /// The same for a `read` that does not use the pool of the queries.
    ///
    /// # Errors
    /// As for [`Freshness::fetch_before`].
    pub(crate) async fn repeat_before<T, F>(
        &self,
        deadline: Instant,
        token: Option<Token>,
        shards: &[QueriedShards],
        read: impl Fn() -> F,
    ) -> Result<Fetched<T>, Error>
    where
        F: Future<Output = Result<Fetched<T>, Error>>,
    {
        let Some(token) = token else {
            return read().await;
        };
        let mut checkpoints = self.checkpoints.subscribe();
        loop {
            let fetched = read().await?;
            let token = on_timeline(&self.pool, token, NamedBy::Token, fetched.timeline).await?;
            if fetched.is_fresh_enough(Some(token))? {
                return Ok(fetched);
            }
            let change = timeout_at(deadline, checkpoints.wait_for_change(shards, token)).await;
            change.map_err(|_| Error::Behind)?;
        }
    }
}

/// The head of the log, which is what an answer reflects that is read from the log or from what follows it, but not from
/// rows.
///
/// # Errors
/// If the log is not the token's, or does not reach its position.
pub(crate) async fn fresh_head(log: &Log, token: Option<Token>) -> Result<Token, Error> {
    let head = log.head().await?;
    let fetched = Fetched::<()> {
        timeline: head.timeline,
        head: head.position,
        position: head.position,
        blocked_at: None,
        parked_at: None,
        row_parked_at: None,
        items: Vec::new(),
    };
    if let Some(token) = token {
        let token = on_timeline(log.pool(), token, NamedBy::Token, head.timeline).await?;
        fetched.is_fresh_enough(Some(token))?;
    }
    Ok(fetched.token())
}
