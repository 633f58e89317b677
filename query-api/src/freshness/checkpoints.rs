//! The checkpoints that were seen last. They say when a query is worth running; whether its rows are
//! fresh enough is decided by what its own statement sees.

use std::sync::Arc;

use tidemark_platform::tidemark::Token;
use tidemark_read_models::ReadModel;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::shards::{QueriedShards, ShardStatus};

/// All shards of all serving generations.
type Statuses = Arc<[ShardStatus]>;

/// The checkpoints that the watcher saw last. Clones share them.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    seen: watch::Sender<Statuses>,
    wake_watcher: Arc<Notify>,
}

impl Checkpoints {
    /// Nothing has been seen yet. `wake_watcher` is notified of every subscription.
    pub(crate) fn new(wake_watcher: Arc<Notify>) -> Self {
        Self {
            seen: watch::Sender::new(Arc::from([])),
            wake_watcher,
        }
    }

    /// Replaces what was seen last.
    pub(crate) fn publish(&self, statuses: Statuses) {
        self.seen.send_replace(statuses);
    }

    /// Whether anybody waits for a change.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.seen.receiver_count() > 0
    }

    /// The shard of a row as it was seen last; `None` if none has been seen yet.
    pub(crate) fn shard_of<M: ReadModel>(&self, id: Uuid) -> Option<ShardStatus> {
        let shard = QueriedShards::of_row::<M>(id);
        let seen = self.seen.borrow();
        seen.iter().find(|status| shard.includes(status)).cloned()
    }

    /// Follows the checkpoints from now on, and has the watcher look at once.
    pub(super) fn subscribe(&self) -> Subscription {
        let changes = self.seen.subscribe();
        self.wake_watcher.notify_one();
        Subscription(changes)
    }
}

/// The checkpoints as one query follows them.
pub(super) struct Subscription(watch::Receiver<Statuses>);

impl Subscription {
    /// Waits until each of these shards has applied the token's position, or cannot be expected to.
    pub(super) async fn wait(&mut self, shards: &[QueriedShards], token: Token) {
        // What was seen before this query began may be out of date: that a shard has applied a position
        // stays true, that it cannot reach one may not.
        let are_applied = all(&self.0.borrow_and_update(), shards, |status| {
            status.position >= token.position
        });
        if !are_applied {
            self.wait_for_change(shards, token).await;
        }
    }

    /// The same, but what has been seen so far does not count.
    pub(super) async fn wait_for_change(&mut self, shards: &[QueriedShards], token: Token) {
        while self.0.changed().await.is_ok() {
            let seen = self.0.borrow_and_update();
            if all(&seen, shards, |status| status.ends_wait_for(token)) {
                return;
            }
        }
        // The process is about to end, so no change will come: the caller's deadline ends the wait.
        std::future::pending::<()>().await;
    }
}

/// Whether a condition holds for each of the queried shards that were seen.
fn all(
    seen: &[ShardStatus],
    shards: &[QueriedShards],
    condition: impl Fn(&ShardStatus) -> bool,
) -> bool {
    let is_queried = |status: &&ShardStatus| shards.iter().any(|shards| shards.includes(status));
    seen.iter().filter(is_queried).all(condition)
}
