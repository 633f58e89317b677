//! Watches the checkpoints of the read models for all requests of this process: one task is notified of them by the
//! projectors, and looks at them itself, often while anybody waits, and seldom otherwise. It tells waiting queries when to
//! look again, and sends the documents that changed to those who follow them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
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
use crate::live::{Followed, Followers, PublishedPositions, publish_changes};

/// How many notifications may wait until the watcher sees them.
const NOTIFICATIONS_MAX: usize = 1_024;

/// The positions up to which the changes of each read model that is followed have been published.
#[derive(Default)]
struct Published {
    auctions: PublishedPositions,
    inboxes: PublishedPositions,
}

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
    auction_followers: Followers,
    inbox_followers: Followers,
}

impl Watcher {
    /// A watcher of this database. It does nothing before [`Watcher::run`].
    pub(crate) fn new(pool: TimedPool, notified: PgPool, limits: &config::Query) -> Self {
        let wake = Arc::new(Notify::new());
        Self {
            notifications: Notifications {
                pool: notified,
                channel: notification::CHANNEL,
                silence_max: Duration::from_millis(limits.notification_silence_ms),
            },
            pool,
            live_interval: Duration::from_millis(limits.live_ms),
            busy_interval: Duration::from_millis(limits.watch_ms),
            idle_interval: Duration::from_millis(limits.watch_idle_ms),
            checkpoints: Checkpoints::new(
                Arc::clone(&wake),
                Duration::from_millis(limits.hot_lag_max_ms),
            ),
            auction_followers: Followers::new(Arc::clone(&wake)),
            inbox_followers: Followers::new(Arc::clone(&wake)),
            wake,
        }
    }

    /// The checkpoints that this watcher publishes.
    pub(crate) fn checkpoints(&self) -> Checkpoints {
        self.checkpoints.clone()
    }

    /// The followers whom this watcher sends auctions to.
    pub(crate) fn auction_followers(&self) -> Followers {
        self.auction_followers.clone()
    }

    /// The followers whom this watcher sends their inboxes to.
    pub(crate) fn inbox_followers(&self) -> Followers {
        self.inbox_followers.clone()
    }

    /// Whether anybody follows documents of this read model.
    fn is_followed(&self, read_model: &str) -> bool {
        let followers = match read_model {
            Auction::NAME => &self.auction_followers,
            Inbox::NAME => &self.inbox_followers,
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
        let watching = async { tokio::join!(receiving, self.poll_for_ever(notified)) };
        // The queries of all read models make it large.
        stop.run_until_cancelled(Box::pin(watching)).await;
    }

    async fn poll_for_ever(&self, mut notified: mpsc::Receiver<Vec<Advanced>>) {
        let mut published = Published::default();
        loop {
            match self.pool.with_timeout(self.poll(&published)).await {
                Ok(now) => published = now,
                Err(error) => tracing::warn!(%error, "cannot poll the checkpoints"),
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

    /// Publishes the checkpoints, then what changed after what is `published`. Returns up to where that is published now.
    async fn poll(&self, published: &Published) -> sqlx::Result<Published> {
        let statuses = self.read_checkpoints().await?;
        let auctions = applied::<Auction>(&statuses);
        let inboxes = applied::<Inbox>(&statuses);
        self.checkpoints.publish(statuses.into());
        let (pool, followers) = (&self.pool, &self.auction_followers);
        let auctions = publish_changes::<Auction>(pool, followers, &published.auctions, auctions);
        let auctions = auctions.await?;
        let followers = &self.inbox_followers;
        let inboxes = publish_changes::<Inbox>(pool, followers, &published.inboxes, inboxes);
        Ok(Published {
            auctions,
            inboxes: inboxes.await?,
        })
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

/// The positions up to which the shards of a read model have applied the log.
fn applied<M: Followed>(statuses: &[ShardStatus]) -> PublishedPositions {
    let of_it = statuses.iter().filter(|it| it.read_model == M::NAME);
    PublishedPositions::of(of_it)
}
