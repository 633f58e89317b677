//! Writes together what the workers of a process have changed, so that many read models cost no more transactions than one.
//! What comes after a pause is written at once, and under load what has come in a short time. Workers that are folding the
//! same events are waited for, but not for long.

use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use tidemark_event_store::Pace;
use tidemark_platform::config::Projection;
use tidemark_read_models::storage::{NotWritten, RowBatch, ShardBatch, Storage, write_together};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

/// How often batches are written together before each is written alone: once more without the one that is at fault.
const ATTEMPTS_MAX: usize = 2;

/// Takes what workers have changed. Its task ends with the last of its clones.
#[derive(Clone)]
pub(crate) struct JointWriter {
    queue: mpsc::UnboundedSender<Waiting>,
    /// How many workers are about to hand over a batch.
    folding: Arc<watch::Sender<usize>>,
}

/// While it lives, a worker is about to hand over a batch.
#[derive(Debug)]
pub(super) struct Folding(Arc<watch::Sender<usize>>);

impl Drop for Folding {
    fn drop(&mut self) {
        self.0.send_modify(|workers| *workers -= 1);
    }
}

/// A batch that waits to be written, and who waits for it. There is at most one of each worker.
struct Waiting {
    batch: ShardBatch,
    written: oneshot::Sender<Result<i32, WriteAlone>>,
}

/// A batch was not written together with others, and must be written alone.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteAlone {
    /// Whether that is the fault of this batch, or of another of the same read model, and not of others, or of none.
    pub(super) is_at_fault: bool,
}

impl JointWriter {
    /// Starts to write in a task of its own.
    pub(crate) fn spawn(settings: &Projection) -> Self {
        let (sender, queue) = mpsc::unbounded_channel();
        let folding = Arc::new(watch::Sender::new(0));
        let turns = Turns {
            pace: Pace::new(Duration::from_millis(settings.together_interval_ms)),
            folding: folding.subscribe(),
            wait_max: Duration::from_millis(settings.together_wait_ms),
        };
        // No shard delays the others for longer.
        let statement_timeout = Duration::from_millis(settings.together_ms);
        tokio::spawn(write_for_ever(queue, turns, statement_timeout));
        Self {
            queue: sender,
            folding,
        }
    }

    /// Says that a worker begins to fold what it will hand over, so that it is waited for.
    pub(super) fn begin_folding(&self) -> Folding {
        self.folding.send_modify(|workers| *workers += 1);
        Folding(Arc::clone(&self.folding))
    }

    /// Writes a batch whose `folding` is over, and returns the timeline of the log.
    pub(super) async fn write(
        &self,
        folding: Folding,
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
        self.queue.send(waiting).map_err(|_| not_written)?;
        drop(folding);
        written.await.map_err(|_| not_written)?
    }
}

/// When what has been handed over is written.
struct Turns {
    pace: Pace,
    folding: watch::Receiver<usize>,
    /// How long workers that are folding are waited for.
    wait_max: Duration,
}

impl Turns {
    /// Waits until it is time to write after the first batch was handed over.
    async fn next(&mut self) {
        sleep_until(self.pace.next()).await;
        // The events that woke its worker woke others too, which are about to begin.
        yield_now().await;
        let nobody = self.folding.wait_for(|workers| *workers == 0);
        // Either way those are written that are there.
        let _ = timeout(self.wait_max, nobody).await;
    }
}

async fn write_for_ever(
    mut queue: mpsc::UnboundedReceiver<Waiting>,
    mut turns: Turns,
    statement_timeout: Duration,
) {
    while let Some(first) = queue.recv().await {
        turns.next().await;
        let mut waiting = vec![first];
        while let Ok(next) = queue.try_recv() {
            waiting.push(next);
        }
        // A worker that has started again has no use for what it had folded before.
        waiting.retain(|it| !it.written.is_closed());
        if waiting.is_empty() {
            continue;
        }
        turns.pace.take();
        write(waiting, statement_timeout).await;
    }
}

/// Writes the batches, and tells those who wait for it. The batches of a read model of which a statement fails, or takes longer
/// than `statement_timeout`, are left out. How long all of them take together says nothing about any of them: if the machine is
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
                tracing::warn!(shards = waiting.len(), ?at_fault, %error, "shards cannot be written together");
                if at_fault.is_empty() {
                    break;
                }
                for index in at_fault.into_iter().rev() {
                    let at_fault = waiting.swap_remove(index);
                    tell([at_fault], Err(WriteAlone { is_at_fault: true }));
                }
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
