//! Keeps one read model alone, or all, from their checkpoints up to a position, reading the log's table: what a
//! build of them does. It runs the workers of a projector without leases, since their
//! checkpoints fence them.

use std::sync::Arc;

use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::config::required;
use tidemark_platform::{Config, database};
use tidemark_read_models::{FollowedGeneration, ReadModel, Shard, for_each_read_model};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::joint_writer::JointWriter;
use super::shards;
use super::worker_factory::WorkerFactory;
use crate::error::Error;
use crate::following::blocked::Blocked;
use crate::following::follow::follow;
use crate::following::ring::Ring;
use crate::following::source::Source;

/// Lets all shards of a read model apply the log up to `position`, which the log must have reached.
/// Only rows are written: the next projector that runs brings the documents in Redis up to date.
///
/// # Errors
/// If the configuration cannot be used, or Postgres does not answer how many shards there are. A later
/// failure is retried, as in a projector.
pub async fn catch_up<M: ReadModel>(config: &Config, position: i64) -> Result<(), Error> {
    let mut catch_up = CatchUp::new(config, position).await?;
    start::<M>(&mut catch_up);
    catch_up.running.join_all().await;
    Ok(())
}

/// Does the same for all read models at once, which share what they read of the log.
///
/// # Errors
/// As for [`catch_up`].
pub async fn catch_up_all(config: &Config, position: i64) -> Result<(), Error> {
    let mut catch_up = CatchUp::new(config, position).await?;
    for_each_read_model!(start(&mut catch_up));
    catch_up.running.join_all().await;
    Ok(())
}

/// The workers that apply the log up to a position.
struct CatchUp {
    config: Config,
    position: i64,
    workers: WorkerFactory,
    followed: Vec<FollowedGeneration>,
    source: Source,
    running: JoinSet<()>,
}

impl CatchUp {
    async fn new(config: &Config, position: i64) -> Result<Self, Error> {
        let url = required(&config.database.project_url, "database.project_url")?;
        let pool = database::planned_once_pool(&config.database, url)?;
        let pool = TimedPool::new(pool, config.database.response_timeout());
        let workers = WorkerFactory {
            pool: pool.clone(),
            reactor_pool: pool.clone(),
            documents: None,
            shards: shards::configured(&config.projection)?,
            config: config.clone(),
            joint_writer: JointWriter::spawn(&config.projection),
            actions_stored: watch::Sender::default(),
        };
        let followed = shards::actual(&pool, &workers.shards).await?;
        // A ring that is never started sends every worker to the log.
        let ring = Arc::new(Ring::new(0, 0));
        Ok(Self {
            config: config.clone(),
            position,
            source: Source::new(ring, Log::new(pool), Blocked::default(), config),
            workers,
            followed,
            running: JoinSet::new(),
        })
    }
}

/// Starts the workers of a read model.
fn start<M: ReadModel>(catch_up: &mut CatchUp) {
    for followed in shards::of::<M>(&catch_up.followed) {
        for shard in Shard::all(followed.shards) {
            catch_up.running.spawn(follow(
                Box::new(catch_up.workers.worker::<M>(followed.generation, shard)),
                catch_up.source.clone(),
                catch_up.config.projection.clone(),
                Some(catch_up.position),
                CancellationToken::new(),
            ));
        }
    }
}
