//! Writes together what the workers of a process have changed, so that many read models cost no more transactions than one.
//! What comes after a pause is written at once, and under load what has come in a short time.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tidemark_event_store::Pace;
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::{NotWritten, RowBatch, ShardBatch, Storage, write_together};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::sleep_until;

/// How often batches are written together before each is written alone: once more without the one that is at fault.
const ATTEMPTS_MAX: usize = 2;

/// Takes what workers have changed. Its task ends with the last of its clones.
#[derive(Clone)]
pub(crate) struct JointWriter(mpsc::UnboundedSender<Waiting>);

/// A batch that waits to be written, and who waits for it. There is at most one of each worker.
struct Waiting {
    batch: ShardBatch,
    written: oneshot::Sender<Result<i32, WriteAlone>>,
}

/// A batch was not written together with others, and must be written alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteAlone {
    /// Whether that is the fault of this batch, and not of another, or of none.
    pub(super) is_at_fault: bool,
}

impl JointWriter {
    /// Starts to write in a task of its own.
    pub(crate) fn spawn(settings: &Projection) -> Self {
        let (queue, waiting) = mpsc::unbounded_channel();
        // No shard delays the others for longer.
        let statement_timeout = Duration::from_millis(settings.together_ms);
        let interval = Duration::from_millis(settings.together_interval_ms);
        tokio::spawn(write_for_ever(waiting, statement_timeout, interval));
        Self(queue)
    }

    /// Writes a batch, and returns the timeline of the log.
    pub(super) async fn write(
        &self,
        storage: Storage,
        batch: Arc<RowBatch>,
    ) -> Result<i32, WriteAlone> {
        let (sender, written) = oneshot::channel();
        let waiting = Waiting {
            batch: (storage, batch),
            written: sender,
        };
        // Either fails only if the process ends.
        let not_written = WriteAlone { is_at_fault: false };
        self.0.send(waiting).map_err(|_| not_written)?;
        written.await.map_err(|_| not_written)?
    }
}

async fn write_for_ever(
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    statement_timeout: Duration,
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
        write(waiting, statement_timeout).await;
    }
}

/// Writes the batches, and tells those who wait for it. A batch of which a statement fails, or takes longer than
/// `statement_timeout`, is left out. How long all of them take together says nothing about any of them: if the machine is
/// slow, they would take longer apart.
async fn write(mut waiting: Vec<Waiting>, statement_timeout: Duration) {
    for _ in 0..ATTEMPTS_MAX {
        if waiting.is_empty() {
            return;
        }
        let batches = waiting.iter().map(|it| it.batch.clone()).collect();
        match write_together(batches, Some(statement_timeout)).await {
            Ok(timeline) => {
                #[expect(clippy::cast_precision_loss, reason = "a measurement")]
                histogram!("tidemark_projection_write_shards").record(waiting.len() as f64);
                return tell(waiting, Ok(timeline));
            }
            Err(NotWritten { at_fault, error }) => {
                counter!("tidemark_projection_write_failures_total").increment(1);
                tracing::warn!(shards = waiting.len(), at_fault, %error, "shards cannot be written together");
                let Some(at_fault) = at_fault else { break };
                let at_fault = waiting.swap_remove(at_fault);
                tell([at_fault], Err(WriteAlone { is_at_fault: true }));
            }
        }
    }
    tell(waiting, Err(WriteAlone { is_at_fault: false }));
}

fn tell(waiting: impl IntoIterator<Item = Waiting>, written: Result<i32, WriteAlone>) {
    for waiting in waiting {
        // Nobody may wait any more.
        let _ = waiting.written.send(written);
    }
}
