//! The checkpoints that were seen last. They say when a query is worth running; whether its rows are
//! fresh enough is decided by what its own statement sees.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tidemark_platform::tidemark::Token;
use tidemark_read_models::ReadModel;
use tidemark_read_models::notification::Advanced;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use uuid::Uuid;

use super::shards::{QueriedShards, ShardStatus};

/// Into so many parts the time is divided after which positions are due: of what was seen within one, the first is kept.
const STEPS: u32 = 20;

/// All shards of all serving generations.
type Statuses = Arc<[ShardStatus]>;

/// The checkpoints that the watcher saw last. Clones share them.
#[derive(Clone)]
pub(crate) struct Checkpoints {
    seen: watch::Sender<Statuses>,
    wake_watcher: Arc<Notify>,
    /// How long after the rows every copy of them must have reached a position.
    lag_max: Duration,
    past: Arc<Mutex<Past>>,
}

/// What was seen before.
#[derive(Default)]
struct Past {
    /// When something was seen last.
    seen_at: Option<Instant>,
    /// What was seen, the oldest first, with the time until when it had not been seen. The first is due already.
    before: VecDeque<(Option<Instant>, Statuses)>,
}

impl Checkpoints {
    /// Nothing has been seen yet. `wake_watcher` is notified of every subscription. The positions that are seen are
    /// due after `lag_max`.
    pub(crate) fn new(wake_watcher: Arc<Notify>, lag_max: Duration) -> Self {
        Self {
            seen: watch::Sender::new(Arc::from([])),
            wake_watcher,
            lag_max,
            past: Arc::default(),
        }
    }

    /// Adds how far projectors say that they have come, to what was seen last. That is no look: it tells neither how long
    /// the log is, nor what other shards cannot reach, so it ends no wait that is in vain. What is told of a generation
    /// that does not serve is nothing new.
    pub(crate) fn advance(&self, advanced: &[Advanced]) {
        let mut statuses = self.seen.borrow().to_vec();
        let mut is_news = false;
        for Advanced {
            read_model,
            generation,
            shard,
            position,
        } in advanced
        {
            let is_of_it = |status: &&mut ShardStatus| {
                (&status.read_model, status.generation, status.shard)
                    == (read_model, *generation, *shard)
            };
            let status = statuses.iter_mut().find(is_of_it);
            if let Some(status) = status.filter(|status| status.position < *position) {
                status.position = *position;
                status.blocked_at = None;
                is_news = true;
            }
        }
        if is_news {
            for status in &mut statuses {
                status.head = i64::MAX;
            }
            self.seen.send_replace(statuses.into());
        }
    }

    /// Replaces what was seen last.
    pub(crate) fn publish(&self, statuses: Statuses) {
        self.seen.send_replace(Arc::clone(&statuses));
        let now = Instant::now();
        let mut past = self.past();
        let last = past.before.back();
        let is_next_step = last.is_none_or(|(unseen_at, _)| {
            unseen_at.is_none_or(|at| now.duration_since(at) > self.lag_max / STEPS)
        });
        if is_next_step {
            let unseen_at = past.seen_at;
            past.before.push_back((unseen_at, statuses));
        }
        past.seen_at = Some(now);
        // The second becomes the first as soon as it is due.
        while past
            .before
            .get(1)
            .is_some_and(|(at, _)| self.is_due(*at, now))
        {
            past.before.pop_front();
        }
    }

    /// Whether what had not been seen until then must be in every copy of the rows. If it was there when the first
    /// was seen, it is not known for how long.
    fn is_due(&self, unseen_at: Option<Instant>, now: Instant) -> bool {
        unseen_at.is_none_or(|at| now.duration_since(at) >= self.lag_max)
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anybody waits for a change.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.seen.receiver_count() > 0
    }

    /// The shard of a row as it was seen last, and the position that every copy of it must have reached by now;
    /// `None` if none has been seen yet.
    pub(crate) fn shard_of<M: ReadModel>(&self, id: Uuid) -> Option<(ShardStatus, i64)> {
        let shard = QueriedShards::of_row::<M>(id);
        let includes = |status: &&ShardStatus| shard.includes(status);
        let seen = self.seen.borrow().iter().find(includes).cloned()?;
        let now = Instant::now();
        let past = self.past();
        let due = past.before.iter();
        let due = due.take_while(|(at, _)| self.is_due(*at, now)).last();
        let due = due.and_then(|(_, seen)| seen.iter().find(includes));
        Some((seen, due.map_or(0, |status| status.position)))
    }

    /// Whether something was parked in the shard of a row when it was seen last.
    pub(super) fn is_parked_in_shard_of<M: ReadModel>(&self, id: Uuid) -> bool {
        let shard = QueriedShards::of_row::<M>(id);
        let seen = self.seen.borrow();
        let mut of_row = seen.iter().filter(|status| shard.includes(status));
        of_row.any(|status| status.parked_at.is_some())
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
