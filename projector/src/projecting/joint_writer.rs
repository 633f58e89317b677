//! Writes together what the workers of a process have changed, so that many read models cost no more transactions than one.
//! What comes after a pause is written at once, and under load what has come in a short time.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tidemark_event_store::Pace;
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::{RowBatch, ShardBatch, Storage, write_together};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

/// Takes what workers have changed. Its task ends with the last of its clones.
#[derive(Clone)]
pub(crate) struct JointWriter(mpsc::UnboundedSender<Waiting>);

/// A batch that waits to be written, and who waits for it. There is at most one of each worker.
struct Waiting {
    batch: ShardBatch,
    written: oneshot::Sender<Option<i32>>,
}

impl JointWriter {
    /// Starts to write in a task of its own.
    pub(crate) fn spawn(settings: &Projection) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        // No shard delays the others for longer.
        let time_limit = Duration::from_millis(settings.together_ms);
        let interval = Duration::from_millis(settings.together_interval_ms);
        tokio::spawn(write_for_ever(waiting, time_limit, interval));
        Self(queue)
    }

    /// Writes a batch, and returns the timeline of the log, or none if the batch may not be written. That may be the fault
    /// of any of the batches that were written together, and each must be written alone.
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

async fn write_for_ever(
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    time_limit: Duration,
    interval: Duration,
) {
    let mut pace = Pace::new(interval);
    while let Some(first) = queue.recv().await {
        sleep_until(pace.next()).await;
        // The events that woke its worker woke others too, which are about to come.
        yield_now().await;
        let mut waiting = vec![first];
        while let Ok(next) = queue.try_recv() {
            waiting.push(next);
        }
        // A worker that has started again has no use for what it had folded before.
        waiting.retain(|it| !it.written.is_closed());
        if waiting.is_empty() {
            continue;
        }
        pace.take();
        let (batches, written): (Vec<_>, Vec<_>) =
            waiting.into_iter().map(|it| (it.batch, it.written)).unzip();
        let timeline = write(batches, time_limit).await;
        for written in written {
            // Nobody may wait any more.
            let _ = written.send(timeline);
        }
    }
}

/// Writes the batches, and returns the timeline of the log, or none if they may not be written.
async fn write(batches: Vec<ShardBatch>, time_limit: Duration) -> Option<i32> {
    let shards = batches.len();
    let write = write_together(batches, Some(time_limit));
    let problem = match timeout(time_limit, write).await {
        Ok(Ok(timeline)) => {
            #[expect(clippy::cast_precision_loss, reason = "a measurement")]
            histogram!("tidemark_projection_write_shards").record(shards as f64);
            return Some(timeline);
        }
        Ok(Err(error)) => error.to_string(),
        // Whatever becomes of it, the checkpoints tell.
        Err(_) => format!("it takes longer than {time_limit:?}"),
    };
    counter!("tidemark_projection_write_failures_total").increment(1);
    tracing::warn!(
        shards,
        problem,
        "shards cannot be written together, and are written one by one"
    );
    None
}
