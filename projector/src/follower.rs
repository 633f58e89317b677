//! Keeps the documents of a shard of a read model in Redis as its rows in Postgres are: after their commit, and
//! without ever delaying them. What it missed it reads back from the rows.

mod refill;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, counter, gauge};
use redis::RedisError;
use tidemark_platform::config;
use tidemark_read_models::redis::Bucket;
use tidemark_read_models::storage::{Batch, Storage};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

/// Where a worker offers what it wrote. Dropping it ends the follower.
pub(crate) struct Copies {
    batches: mpsc::UnboundedSender<Queued>,
    /// One permit a document that waits.
    places: Arc<Semaphore>,
    /// The checkpoint in Postgres. It moves after the batch was queued, or was not.
    stored: watch::Sender<i64>,
    dropped: Counter,
}

/// A batch that waits, and its places in the queue.
type Queued = (Arc<Batch>, OwnedSemaphorePermit);

/// Why the documents are not up to date.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("Redis: {0}")]
    Redis(#[from] RedisError),
    #[error("Postgres: {0}")]
    Database(#[from] sqlx::Error),
    #[error("somebody else writes these documents too")]
    Overtaken,
}

struct Follower {
    read_model: &'static str,
    storage: Storage,
    bucket: Bucket,
    script_documents_max: usize,
    check: Duration,
    batches: mpsc::UnboundedReceiver<Queued>,
    stored: watch::Receiver<i64>,
    /// The checkpoint in Redis, as it was left.
    at: Option<i64>,
    measures: Measures,
}

struct Measures {
    up: Gauge,
    position: Gauge,
    documents: Counter,
    refills: Counter,
}

impl Copies {
    /// Starts a follower.
    pub(crate) fn start(
        read_model: &'static str,
        storage: Storage,
        bucket: Bucket,
        settings: &config::Redis,
    ) -> Self {
        let (copies, follower) = Follower::new(read_model, storage, bucket, settings);
        tokio::spawn(follower.run());
        copies
    }

    /// The checkpoint in Postgres, found there.
    pub(crate) fn stands_at(&self, position: i64) {
        self.stored.send_replace(position);
    }

    /// Takes a batch that is committed. Where the queue is full it is dropped, and read back later.
    pub(crate) fn offer(&self, batch: Arc<Batch>) {
        let position = batch.to;
        let places = u32::try_from(batch.documents.len().max(1)).unwrap_or(u32::MAX);
        let places = Arc::clone(&self.places).try_acquire_many_owned(places);
        let queued = places.is_ok_and(|places| self.batches.send((batch, places)).is_ok());
        if !queued {
            self.dropped.increment(1);
        }
        self.stored.send_replace(position);
    }
}

impl Follower {
    fn new(
        read_model: &'static str,
        storage: Storage,
        bucket: Bucket,
        settings: &config::Redis,
    ) -> (Copies, Self) {
        let (batches, queue) = mpsc::unbounded_channel();
        let stored = watch::Sender::new(0);
        let shard = storage.shard().number.to_string();
        let labels = [("read_model", read_model.to_owned()), ("shard", shard)];
        let counter = |name: &'static str| counter!(name, &labels);
        let gauge = |name: &'static str| gauge!(name, &labels);
        let follower = Self {
            read_model,
            storage,
            bucket,
            script_documents_max: settings.script_documents_max,
            check: Duration::from_millis(settings.check_ms),
            batches: queue,
            stored: stored.subscribe(),
            at: None,
            measures: Measures {
                up: gauge("tidemark_redis_follower_up"),
                position: gauge("tidemark_redis_follower_position"),
                documents: counter("tidemark_redis_follower_documents_total"),
                refills: counter("tidemark_redis_follower_refills_total"),
            },
        };
        let copies = Copies {
            batches,
            places: Arc::new(Semaphore::new(settings.queue_max)),
            stored,
            dropped: counter("tidemark_redis_follower_dropped_batches_total"),
        };
        (copies, follower)
    }

    async fn run(mut self) {
        let (read_model, shard) = (self.read_model, self.storage.shard().number);
        let mut is_up = true;
        loop {
            // Documents may be lost while nothing happens, hence the look at times.
            let is_quiet = match timeout(self.check, self.stored.changed()).await {
                Ok(Ok(())) => false,
                Ok(Err(_)) => return,
                Err(_) => true,
            };
            let result = self.catch_up(is_quiet).await;
            match &result {
                Ok(()) if !is_up => {
                    tracing::info!(read_model, shard, "documents in Redis are up to date again");
                }
                Err(error) if is_up => {
                    tracing::warn!(read_model, shard, %error, "documents in Redis are behind");
                }
                Ok(()) | Err(_) => {}
            }
            is_up = result.is_ok();
            self.measures.up.set(if is_up { 1.0 } else { 0.0 });
            if !is_up {
                self.at = None;
                sleep(self.check).await;
                self.stored.mark_changed();
            }
        }
    }

    /// Writes what is queued, then looks whether that was all.
    async fn catch_up(&mut self, is_quiet: bool) -> Result<(), Error> {
        let stored = *self.stored.borrow_and_update();
        while let Ok((batch, _places)) = self.batches.try_recv() {
            self.apply(&batch).await?;
        }
        if is_quiet || self.at.is_none_or(|at| at < stored) {
            self.at = Some(self.refill().await?);
        }
        self.measure();
        Ok(())
    }

    async fn apply(&mut self, batch: &Batch) -> Result<(), Error> {
        if self.at != Some(batch.from) {
            return Ok(());
        }
        let applied = self.bucket.apply(batch, self.script_documents_max).await?;
        self.measures
            .documents
            .increment(batch.documents.len() as u64);
        self.at = applied.then_some(batch.to);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    fn measure(&self) {
        self.measures.position.set(self.at.unwrap_or(0) as f64);
    }
}

#[cfg(test)]
mod tests;
