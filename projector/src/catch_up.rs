//! One read model alone, from where it is up to a position, out of the log's table: what is done to
//! build one. Its workers are those of a projector; checkpoints fence them, so it takes no leases.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::{Config, database};
use tidemark_read_models::ReadModel;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::Error;
use crate::ring::Ring;
use crate::source::Source;
use crate::workers::Stores;
use crate::{subscriber, workers};

/// Has a read model apply the log from where it is up to `position`, which the log must have, all shards
/// at once. Its rows alone are written: documents in Redis follow when a projector does.
///
/// # Errors
/// If the configuration cannot be run with, or Postgres not asked for the shards. A failure after that
/// is tried again, as in a projector.
pub async fn catch_up<M: ReadModel>(config: &Config, position: i64) -> Result<(), Error> {
    let url = required(&config.database.project_url, "database.project_url")?;
    let pool = database::pool(&config.database, url)?;
    let pool = TimedPool::new(pool, config.database.response_timeout());
    let stores = Stores {
        pool: pool.clone(),
        documents: None,
        shards: workers::configured_shards(&config.projection)?,
        config: config.clone(),
    };
    let divided: BTreeMap<_, _> = workers::divided(&stores).await?;
    let source = Source {
        ring: Arc::new(Ring::new(0, 0)),
        log: Log::new(pool),
    };
    let mut shards = JoinSet::new();
    for (_, worker) in workers::workers::<M>(&stores, &divided) {
        shards.spawn(subscriber::follow(
            (worker.subscriber)(),
            source.clone(),
            config.projection.clone(),
            Some(position),
            CancellationToken::new(),
        ));
    }
    shards.join_all().await;
    Ok(())
}
