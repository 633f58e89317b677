//! How far read models are behind the log while commands arrive: the positions in the projector's
//! metrics, against the highest position that any client had been answered before.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tidemark_tests::Deployment;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Connection;

/// The time between two looks at the metrics.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long read models may take to catch up when no commands arrive any more.
const CATCH_UP: Duration = Duration::from_mins(1);
/// How the lines of the projector's `/metrics` begin that show the position of a read model's
/// shard.
const POSITION: &str = "tidemark_projection_position{";

/// The lag that was seen.
pub(crate) struct Lag {
    /// The lag in events of the read model that was furthest behind at any time.
    pub(crate) largest: i64,
    /// From the last command until no read model was behind.
    pub(crate) catch_up: Duration,
}

/// Watches the lag until [`LagWatch::end`].
pub(crate) struct LagWatch {
    stop: CancellationToken,
    task: JoinHandle<Lag>,
}

impl LagWatch {
    /// Begins to watch. `head` is the highest position that a client has been answered.
    pub(crate) async fn start(deployment: &Deployment, head: &Arc<AtomicI64>) -> Self {
        let mut projector = Connection::open(&deployment.projector.url).await;
        let (stop, head) = (CancellationToken::new(), Arc::clone(head));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut largest = 0;
            while stopped
                .run_until_cancelled(tokio::time::sleep(INTERVAL))
                .await
                .is_some()
            {
                largest = largest.max(lag(&mut projector, &head).await);
            }
            let ended = Instant::now();
            while lag(&mut projector, &head).await > 0 {
                assert!(
                    ended.elapsed() < CATCH_UP,
                    "read models do not catch up within {CATCH_UP:?}"
                );
                tokio::time::sleep(INTERVAL / 10).await;
            }
            Lag {
                largest,
                catch_up: ended.elapsed(),
            }
        });
        Self { stop, task }
    }

    /// Waits until no read model is behind, and returns what was seen. To be called when the last
    /// command has been answered.
    pub(crate) async fn end(self) -> Lag {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

/// The lag in events of the read model that is furthest behind now.
async fn lag(projector: &mut Connection, head: &AtomicI64) -> i64 {
    let head = head.load(Relaxed);
    let first = positions(projector).await.into_iter().min();
    (head - first.unwrap()).max(0)
}

/// The position of each shard of a read model that the projector follows.
pub(super) async fn positions(projector: &mut Connection) -> Vec<i64> {
    let answer = projector.get("/metrics", None).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    let lines = text.lines().filter(|line| line.starts_with(POSITION));
    let values = lines.map(|line| line.rsplit_once(' ').unwrap().1);
    values.map(|value| value.parse().unwrap()).collect()
}
