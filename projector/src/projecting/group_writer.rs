//! Writes together what the workers of a process have changed, so that many read models cost no more transactions than one.
//! It does not wait for more to come: what waits when the last write has ended is written next.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::{RowBatch, ShardBatch, Storage, StorageError, write_together};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

/// Takes what workers have changed. Its task ends with the last of its clones.
#[derive(Clone)]
pub(crate) struct GroupWriter(mpsc::UnboundedSender<Waiting>);

/// A batch that waits to be written, and who waits for it. There is at most one of each worker.
struct Waiting {
    batch: ShardBatch,
    written: oneshot::Sender<Option<i32>>,
}

impl GroupWriter {
    /// Starts to write in a task of its own.
    pub(crate) fn spawn(settings: &Projection) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        // No statement may take longer, so that no shard delays the others for longer.
        let statement_timeout = Duration::from_millis(settings.together_ms);
        tokio::spawn(write_for_ever(waiting, statement_timeout));
        Self(queue)
    }

    /// Writes a batch, and returns the timeline of the log, or none if the batch is not written. That may be the fault of any of the batches that were
    /// written together, and each must be written alone.
    pub(super) async fn write(&self, storage: Storage, batch: Arc<RowBatch>) -> Option<i32> {
        let (sender, written) = oneshot::channel();
        let waiting = Waiting {
            batch: (storage, batch),
            written: sender,
        };
        // Either fails only if the process ends.
        self.0.send(waiting).ok()?;
        written.await.ok()?
    }
}

async fn write_for_ever(mut queue: mpsc::UnboundedReceiver<Waiting>, statement_timeout: Duration) {
    while let Some(first) = queue.recv().await {
        // The events that woke its worker woke others too, which are about to come.
        yield_now().await;
        let mut waiting = vec![first];
        while let Ok(next) = queue.try_recv() {
            waiting.push(next);
        }
        let (batches, written): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|it| (it.batch, it.written)).unzip();
        let timeline = write(batches, statement_timeout).await.ok();
        for written in written {
            // Nobody may wait any more.
            let _ = written.send(timeline);
        }
    }
}

async fn write(batches: Vec<ShardBatch>, statement_timeout: Duration) -> Result<i32, StorageError> {
    let shards = batches.len();
    let written = write_together(batches, Some(statement_timeout)).await;
    match &written {
        Ok(_) => {
            #[expect(clippy::cast_precision_loss, reason = "a measurement")]
            histogram!("tidemark_projection_write_shards").record(shards as f64);
        }
        Err(error) => {
            counter!("tidemark_projection_write_failures_total").increment(1);
            tracing::warn!(shards, %error, "shards cannot be written together, and are written one by one");
        }
    }
    written
}
