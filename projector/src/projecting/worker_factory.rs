//! Makes the workers of read models, and has what reactors share with the sender.

use std::sync::Arc;

use sqlx::PgPool;
use tidemark_event_store::{Log, TimedPool};
use tidemark_platform::Config;
use tidemark_read_models::redis::Documents;
use tidemark_read_models::storage::Storage;
use tidemark_read_models::{Generation, ReadModel, Shard};
use tokio::sync::watch;

use super::build_id::BUILD_ID;
use super::joint_writer::JointWriter;
use super::redis_writer::RedisWriter;
use super::shards::ShardCounts;
use super::worker::Worker;

/// What every worker is made with.
#[derive(Clone)]
pub(crate) struct WorkerFactory {
    /// Where rows are kept.
    pub(crate) pool: TimedPool,
    /// Where reactors keep their actions and their checkpoints. What these wait for holds up no read model.
    pub(crate) reactor_pool: TimedPool,
    /// Where documents are kept; `None` if Redis is not used.
    pub(crate) documents: Option<Documents>,
    /// The number of shards that the configuration wants.
    pub(crate) shards: ShardCounts,
    pub(crate) config: Config,
    /// What the workers that are level with the log write with.
    pub(crate) joint_writer: JointWriter,
    /// Changed by reactors when they have stored actions.
    pub(crate) actions_stored: watch::Sender<()>,
}

impl WorkerFactory {
    /// A worker for one shard of a generation, with a Redis writer if its documents belong in Redis.
    pub(crate) fn worker<M: ReadModel>(&self, generation: Generation, shard: Shard) -> Worker<M> {
        let storage = Storage::new::<M>(
            PgPool::clone(&self.pool),
            self.config.database.response_timeout(),
            generation,
            shard,
            Arc::clone(&BUILD_ID),
        );
        let documents = self.documents.as_ref().filter(|_| M::IN_REDIS);
        let redis_writer = documents.map(|documents| {
            let documents = documents.clone();
            RedisWriter::spawn(M::NAME, storage.clone(), documents, &self.config.redis)
        });
        let log = Log::new(self.pool.clone());
        Worker::new(
            storage,
            log,
            &self.config.projection,
            self.joint_writer.clone(),
            redis_writer,
        )
    }
}
