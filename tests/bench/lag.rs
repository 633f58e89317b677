//! How far read models are behind the log while commands arrive: their positions as the projector tells
//! them, against the highest position that was answered to a client before it was asked.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tidemark_tests::Deployment;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);
/// How long read models may take to follow once nothing arrives.
const PATIENCE: Duration = Duration::from_mins(1);
/// What the projector's `/metrics` call the position of a read model, or of a shard of one.
const POSITION: &str = "tidemark_projection_position{";

/// What was seen.
pub(crate) struct Lag {
    /// Of the read model that was furthest behind, in events.
    pub(crate) largest: i64,
    /// From the last command until no read model was behind.
    pub(crate) after: Duration,
}

/// Looks until it is told that the last command was answered.
pub(crate) struct Watching {
    stop: CancellationToken,
    task: JoinHandle<Lag>,
}

impl Watching {
    /// Begins.
    pub(crate) async fn start(deployment: &Deployment, head: &Arc<AtomicI64>) -> Self {
        let mut projector = Connection::open(&deployment.projector.url).await;
        let (stop, head) = (CancellationToken::new(), Arc::clone(head));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut largest = 0;
            while stopped
                .run_until_cancelled(tokio::time::sleep(LOOK))
                .await
                .is_some()
            {
                largest = largest.max(behind(&mut projector, &head).await);
            }
            let ended = Instant::now();
            while behind(&mut projector, &head).await > 0 {
                assert!(ended.elapsed() < PATIENCE, "read models do not follow");
                tokio::time::sleep(LOOK / 10).await;
            }
            Lag {
                largest,
                after: ended.elapsed(),
            }
        });
        Self { stop, task }
    }

    /// Now.
    pub(crate) async fn end(self) -> Lag {
        self.stop.cancel();
        self.task.await.unwrap()
    }
}

async fn behind(projector: &mut Connection, head: &AtomicI64) -> i64 {
    let head = head.load(Relaxed);
    let answer = projector.get("/metrics", None).await;
    let text = std::str::from_utf8(&answer.body).unwrap();
    let positions = text.lines().filter(|line| line.starts_with(POSITION));
    let lags = positions.map(|line| {
        let (_, value) = line.rsplit_once(' ').unwrap();
        head - value.parse::<i64>().unwrap()
    });
    lags.max().unwrap().max(0)
}
