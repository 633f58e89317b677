//! Watches the checkpoints of the read models for all requests of this process: one task is notified of them by the
//! projectors, and looks at them itself, often while anybody waits, and seldom otherwise. It tells waiting queries when to
//! look again, and has the documents that changed sent to those who follow them.

use std::sync::Arc;
use std::time::Duration;

use tidemark_event_store::{Notifications, TimedPool};
use tidemark_platform::config;
use tidemark_read_models::ReadModel;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::messaging::inbox::Inbox;
use tidemark_read_models::notification;
use tidemark_read_models::notification::Advanced;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::freshness::{Checkpoints, ShardStatus};
use crate::live::{Followers, Publisher};
use crate::pools::Pools;

/// How many notifications may wait until the watcher sees them.
const NOTIFICATIONS_MAX: usize = 1_024;

/// The one task of a process that watches.
pub(crate) struct Watcher {
    pool: TimedPool,
    notifications: Notifications,
    /// The shortest pause between polls for those who follow documents.
    live_interval: Duration,
    /// The pause between polls while anybody waits.
    busy_interval: Duration,
    /// The longest pause between polls while nobody waits.
    idle_interval: Duration,
    /// Notified when somebody begins to wait.
    wake: Arc<Notify>,
    checkpoints: Checkpoints,
    auctions: Publisher<Auction>,
    inboxes: Publisher<Inbox>,
}

impl Watcher {
    /// A watcher on these connections. It does nothing before [`Watcher::run`].
    pub(crate) fn new(pools: &Pools, limits: &config::Query) -> Self {
        let wake = Arc::new(Notify::new());
        Self {
            notifications: Notifications {
                pool: pools.notified.clone(),
                channel: notification::CHANNEL,
                silence_max: Duration::from_millis(limits.notification_silence_ms),
            },
            pool: pools.prompt.clone(),
            live_interval: Duration::from_millis(limits.live_ms),
            busy_interval: Duration::from_millis(limits.watch_ms),
            idle_interval: Duration::from_millis(limits.watch_idle_ms),
            checkpoints: Checkpoints::new(
                Arc::clone(&wake),
                Duration::from_millis(limits.hot_lag_max_ms),
            ),
            auctions: Publisher::new(pools.live.clone(), Arc::clone(&wake)),
            inboxes: Publisher::new(pools.live.clone(), Arc::clone(&wake)),
            wake,
        }
    }

    /// The checkpoints that this watcher publishes.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        self.checkpoints.clone()
    }

    /// The followers whom this watcher has auctions sent to.
    pub(crate) fn auction_followers(&self) -> Followers {
        self.auctions.followers().clone()
    }

    /// The followers whom this watcher has their inboxes sent to.
    pub(crate) fn inbox_followers(&self) -> Followers {
        self.inboxes.followers().clone()
    }

    /// Whether anybody follows documents of this read model.
    fn is_followed(&self, read_model: &str) -> bool {
        let followers = match read_model {
            Auction::NAME => self.auctions.followers(),
            Inbox::NAME => self.inboxes.followers(),
            _ => return false,
        };
        !followers.is_empty()
    }

    /// Watches until `stop` is cancelled.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let (sender, notified) = mpsc::channel(NOTIFICATIONS_MAX);
        // Those that wait have been overtaken if the channel is full, and the next look tells the rest.
        let receiving = Box::pin(self.notifications.receive(|payload| {
            let _ = sender.try_send(notification::parse(payload));
        }));
        let watching = async {
            let polling = self.poll_for_ever(notified);
            tokio::join!(receiving, polling, self.auctions.run(), self.inboxes.run())
        };
        // The queries of all read models make it large.
        stop.run_until_cancelled(Box::pin(watching)).await;
    }

    async fn poll_for_ever(&self, mut notified: mpsc::Receiver<Vec<Advanced>>) {
        loop {
            if let Err(error) = self.pool.with_timeout(self.poll()).await {
                tracing::warn!(%error, "cannot poll the checkpoints");
            }
            self.wait_for_poll(&mut notified).await;
        }
    }

    /// Waits until it is time to poll again, and meanwhile publishes the checkpoints that projectors tell of.
    async fn wait_for_poll(&self, notified: &mut mpsc::Receiver<Vec<Advanced>>) {
        let polled_at = Instant::now();
        let mut have_changed = false;
        loop {
            let is_followed = self.is_followed(Auction::NAME) || self.is_followed(Inbox::NAME);
            let pause = if is_followed && have_changed {
                self.live_interval
            } else if is_followed || self.checkpoints.has_subscribers() {
                self.busy_interval
            } else {
                self.idle_interval
            };
            tokio::select! {
                () = sleep_until(polled_at + pause) => return,
                // Somebody has begun to wait.
                () = self.wake.notified() => {}
                Some(advanced) = notified.recv() => {
                    self.checkpoints.advance(&advanced);
                    have_changed |= advanced.iter().any(|it| self.is_followed(&it.read_model));
                }
            }
        }
    }

    /// Publishes the checkpoints, and has those look who send what has changed.
    async fn poll(&self) -> sqlx::Result<()> {
        let statuses: Arc<[ShardStatus]> = self.read_checkpoints().await?.into();
        self.checkpoints.publish(Arc::clone(&statuses));
        self.auctions.look(&statuses);
        self.inboxes.look(&statuses);
        Ok(())
    }

    async fn read_checkpoints(&self) -> sqlx::Result<Vec<ShardStatus>> {
        sqlx::query_as!(
            ShardStatus,
            r#"
            select read_model as "read_model!",
                   generation as "generation!",
                   shard as "shard!",
                   shards as "shards!",
                   position as "position!",
                   blocked_at,
                   parked_at,
                   head as "head!",
                   timeline as "timeline!"
              from serving_shards
             order by read_model, shard
            "#
        )
        .fetch_all(&*self.pool)
        .await
    }
}
