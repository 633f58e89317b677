//! The connections to Postgres, divided by what they are for: queries that are slow take those of their own kind, and
//! all others go on.

use std::net::IpAddr;
use std::ops::Deref;
use std::sync::Arc;

use metrics::gauge;
use sqlx::PgPool;
use tidemark_event_store::TimedPool;
use tidemark_platform::config::required;
use tidemark_platform::fair_semaphore::FairSemaphore;
use tidemark_platform::server::ClientAddress;
use tidemark_platform::{Config, config, database};

use crate::start_error::StartError;

/// A pool whose connections the addresses of clients get in turn, so that one client's many queries delay another's by
/// no more than one of them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct SharedPool {
    pool: PgPool,
    turns: Arc<FairSemaphore<IpAddr>>,
}

impl SharedPool {
    fn new(pool: PgPool) -> Self {
        let connections = pool.options().get_max_connections();
        let permits = usize::try_from(connections).unwrap_or(usize::MAX);
        Self {
            pool,
            turns: Arc::new(FairSemaphore::new(permits)),
        }
    }

    /// Runs a query on this pool when it is the client's turn.
    pub(crate) async fn in_turn<T>(
        &self,
        client: ClientAddress,
        query: impl Future<Output = T>,
    ) -> T {
        let _counted = Counted::new();
        let _turn = self.turns.acquire(client.0).await;
        query.await
    }
}

/// One of the lists that the metric counts, until it is dropped.
struct Counted;

impl Counted {
    const GAUGE: &str = "tidemark_query_lists";

    fn new() -> Self {
        gauge!(Self::GAUGE).increment(1);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        gauge!(Self::GAUGE).decrement(1);
    }
}

impl Deref for SharedPool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.pool
    }
}

/// A pool for each kind of work. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Pools {
    /// What the process needs to be sound: readiness, the watcher and the clock.
    pub(crate) prompt: TimedPool,
    /// The one connection on which projectors notify the watcher.
    pub(crate) notified: PgPool,
    /// What has changed of the documents that are followed.
    pub(crate) live: TimedPool,
    /// Documents by id, and the keys of what is sealed in them.
    pub(crate) documents: TimedPool,
    /// Lists and searches.
    pub(crate) lists: SharedPool,
    /// The audit trail.
    pub(crate) audit: TimedPool,
    /// What operators see.
    pub(crate) operations: TimedPool,
}

impl Pools {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// If the URL of the role that reads is missing or cannot be used.
    pub(crate) fn new(config: &Config) -> Result<Self, StartError> {
        let url = required(&config.database.read_url, "database.read_url")?;
        let untimed = |max_connections| {
            let settings = config::Database {
                max_connections,
                ..config.database.clone()
            };
            database::planned_once_pool(&settings, url)
        };
        let pool = |max_connections| -> sqlx::Result<_> {
            let pool = untimed(max_connections)?;
            Ok(TimedPool::new(pool, config.database.response_timeout()))
        };
        Ok(Self {
            notified: untimed(1)?,
            prompt: pool(config.query.prompt_connections)?,
            live: pool(config.query.live_connections)?,
            documents: pool(config.query.document_connections)?,
            lists: SharedPool::new(untimed(config.query.list_connections)?),
            audit: pool(config.query.audit_connections)?,
            operations: pool(config.query.operations_connections)?,
        })
    }

    /// The most connections that any of the pools may have.
    pub(crate) fn most_connections(&self) -> u32 {
        let pools = self.named().into_iter();
        let connections = pools.map(|(_, pool)| pool.options().get_max_connections());
        connections.max().unwrap_or_default()
    }

    /// The pools with their names, for measurements.
    pub(crate) fn named(&self) -> Vec<(&'static str, PgPool)> {
        let pools = [
            ("prompt", &*self.prompt),
            ("live", &self.live),
            ("documents", &self.documents),
            ("lists", &self.lists),
            ("audit", &self.audit),
            ("operations", &self.operations),
        ];
        let pools = pools.into_iter();
        pools.map(|(name, pool)| (name, pool.clone())).collect()
    }
}
