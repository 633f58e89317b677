//! Keeps the documents of one shard in Redis equal to its rows in Postgres. It writes after the rows
//! are committed and never delays them; what it missed it reads back from the rows.

mod refill;

use std::sync::Arc;
use std::time::Duration;

use metrics::{Counter, Gauge, Label};
use redis::RedisError;
use tidemark_events::LogPoint;
use tidemark_platform::config;
use tidemark_platform::telemetry::Series;
use tidemark_read_models::redis::{Bucket, Documents, ScriptLimits};
use tidemark_read_models::storage::{RowBatch, Storage, StoredRow};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

/// Where a worker offers what it has written. The Redis writer ends when its handle is dropped.
pub(super) struct RedisWriterHandle {
    queue: mpsc::UnboundedSender<QueuedBatch>,
    /// Bounds the queue: a permit for each byte that waits.
    permits: Arc<Semaphore>,
    /// The checkpoint of the rows in Postgres, with the timeline on which it was written; 0 before the worker has started.
    /// It is set after the batch was queued or dropped, so that the Redis writer sees by it that a batch was dropped.
    rows_checkpoint: watch::Sender<(LogPoint, i32)>,
    dropped: Counter,
}

/// A batch that waits, and the permits that it holds meanwhile.
type QueuedBatch = (Arc<RowBatch>, OwnedSemaphorePermit);

/// Why the documents are not up to date.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("Redis failed: {0}")]
    Redis(#[from] RedisError),
    #[error("Postgres failed: {0}")]
    Database(#[from] sqlx::Error),
    #[error("another process writes these documents too")]
    Overtaken,
}

/// The task that writes the documents of one shard.
pub(super) struct RedisWriter {
    read_model: &'static str,
    storage: Storage,
    documents: Documents,
    /// The timeline whose bucket is written.
    timeline: i32,
    bucket: Bucket,
    script: ScriptLimits,
    check: Duration,
    queue: mpsc::UnboundedReceiver<QueuedBatch>,
    rows_checkpoint: watch::Receiver<(LogPoint, i32)>,
    /// The bucket's checkpoint as this writer left it; `None` if it must be read from Redis.
    checkpoint: Option<LogPoint>,
    measurements: Measurements,
}

struct Measurements {
    up: Gauge,
    position: Gauge,
    documents: Counter,
    refills: Counter,
    /// They are shown as long as the writer runs: another process that writes from then on measures that itself.
    _series: Series,
}

impl RedisWriterHandle {
    /// Sets the checkpoint of the rows, as a worker finds it when it starts.
    pub(super) fn start_at(&self, checkpoint: LogPoint, timeline: i32) {
        self.rows_checkpoint.send_replace((checkpoint, timeline));
    }

    /// Queues a committed batch. If the queue is full the batch is dropped, and its rows are read back
    /// later.
    pub(super) fn offer(&self, batch: Arc<RowBatch>, timeline: i32) {
        let checkpoint = batch.to;
        let bytes = batch.rows.iter().map(StoredRow::size).sum::<usize>();
        let permits = u32::try_from(bytes.max(size_of::<RowBatch>())).unwrap_or(u32::MAX);
        let permits = Arc::clone(&self.permits).try_acquire_many_owned(permits);
        let is_queued = permits.is_ok_and(|permits| self.queue.send((batch, permits)).is_ok());
        if !is_queued {
            self.dropped.increment(1);
        }
        self.rows_checkpoint.send_replace((checkpoint, timeline));
    }
}

impl RedisWriter {
    /// Starts to write in a task of its own.
    pub(super) fn spawn(
        read_model: &'static str,
        storage: Storage,
        documents: Documents,
        settings: &config::Redis,
    ) -> RedisWriterHandle {
        let (handle, writer) = Self::new(read_model, storage, documents, settings);
        tokio::spawn(writer.run());
        handle
    }

    fn new(
        read_model: &'static str,
        storage: Storage,
        documents: Documents,
        settings: &config::Redis,
    ) -> (RedisWriterHandle, Self) {
        let (sender, queue) = mpsc::unbounded_channel();
        let rows_checkpoint = watch::Sender::new((LogPoint::START, 0));
        let mut series = Series::new(vec![
            Label::new("read_model", read_model),
            Label::new("generation", storage.generation().number.to_string()),
            Label::new("shard", storage.shard().number.to_string()),
        ]);
        let dropped = series.counter("tidemark_redis_writer_dropped_batches_total");
        let writer = Self {
            read_model,
            timeline: 0,
            bucket: bucket(&documents, 0, &storage, read_model),
            storage,
            documents,
            script: ScriptLimits {
                documents: settings.script_documents_max,
                bytes: settings.script_bytes_max,
            },
            check: Duration::from_millis(settings.check_ms),
            queue,
            rows_checkpoint: rows_checkpoint.subscribe(),
            checkpoint: None,
            measurements: Measurements {
                up: series.gauge("tidemark_redis_writer_up"),
                position: series.gauge("tidemark_redis_writer_position"),
                documents: series.counter("tidemark_redis_writer_documents_total"),
                refills: series.counter("tidemark_redis_writer_refills_total"),
                _series: series,
            },
        };
        let handle = RedisWriterHandle {
            queue: sender,
            permits: Arc::new(Semaphore::new(
                settings.queue_bytes_max.min(Semaphore::MAX_PERMITS),
            )),
            rows_checkpoint,
            dropped,
        };
        (handle, writer)
    }

    async fn run(mut self) {
        let (read_model, shard) = (self.read_model, self.storage.shard().number);
        let mut is_up = true;
        loop {
            // Redis may lose documents while no event arrives, so a quiet bucket is checked at times.
            let is_quiet = match timeout(self.check, self.rows_checkpoint.changed()).await {
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
            self.measurements.up.set(if is_up { 1.0 } else { 0.0 });
            if !is_up {
                self.checkpoint = None;
                sleep(self.check).await;
                self.rows_checkpoint.mark_changed();
            }
        }
    }

    /// Writes the queued batches, then reads back from the rows what they did not contain, or everything if the rows
    /// went back. With `is_quiet` it also checks that the bucket still is what this writer left.
    async fn catch_up(&mut self, is_quiet: bool) -> Result<(), Error> {
        let (rows_checkpoint, timeline) = *self.rows_checkpoint.borrow_and_update();
        if timeline == 0 {
            return Ok(());
        }
        if timeline != self.timeline {
            self.follow_timeline(timeline).await?;
        }
        while let Ok((batch, _permits)) = self.queue.try_recv() {
            self.write(&batch).await?;
        }
        let now = self.rows_checkpoint.borrow().0.position;
        let differs = |at: LogPoint| at.position < rows_checkpoint.position || at.position > now;
        let is_behind = self.checkpoint.is_none_or(differs);
        if is_behind || (is_quiet && self.bucket.checkpoint().await? != self.checkpoint) {
            self.checkpoint = Some(self.refill().await?);
        }
        self.measure();
        Ok(())
    }

    /// Goes on with the bucket of another timeline. That of the one before is removed, so that nobody reads it any more.
    async fn follow_timeline(&mut self, timeline: i32) -> Result<(), Error> {
        self.bucket.remove().await?;
        self.bucket = bucket(&self.documents, timeline, &self.storage, self.read_model);
        self.timeline = timeline;
        self.checkpoint = None;
        Ok(())
    }

    /// Writes a batch if it starts where the bucket's checkpoint is. Otherwise a batch was dropped, the rows are of
    /// another history, or the bucket is unknown to this writer, and a refill follows.
    async fn write(&mut self, batch: &RowBatch) -> Result<(), Error> {
        if self.checkpoint != Some(batch.from) {
            self.checkpoint = None;
            return Ok(());
        }
        let is_written = self.bucket.apply(batch, self.script).await?;
        self.measurements
            .documents
            .increment(batch.rows.len() as u64);
        self.checkpoint = is_written.then_some(batch.to);
        Ok(())
    }

    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    fn measure(&self) {
        let position = self.checkpoint.map_or(0, |at| at.position);
        self.measurements.position.set(position as f64);
    }
}

fn bucket(documents: &Documents, timeline: i32, storage: &Storage, read_model: &str) -> Bucket {
    let generation = storage.generation().number;
    documents.bucket(timeline, read_model, generation, storage.shard())
}

#[cfg(test)]
mod tests;
