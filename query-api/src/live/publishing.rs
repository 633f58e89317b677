//! Sends what has changed to those who follow it.

use std::marker::PhantomData;
use std::sync::Arc;

use tidemark_event_store::TimedPool;
use tokio::sync::{Notify, watch};

use super::Followers;
use super::followed::Followed;
use super::positions::PublishedPositions;
use crate::freshness::ShardStatus;

/// Sends the documents of one read model to those who follow them. It does so by itself, so that rows which cannot be read for
/// a while hold up neither the followers of another read model nor the checkpoints.
pub(crate) struct Publisher<M> {
    pool: TimedPool,
    followers: Followers,
    /// How far the shards had come when the checkpoints were looked at last.
    applied: watch::Sender<PublishedPositions>,
    read_model: PhantomData<M>,
}

impl<M: Followed> Publisher<M> {
    /// A publisher on these connections, whose documents nobody follows yet. `wake_watcher` is notified of every new follower. It does
    /// nothing before [`Publisher::run`].
    pub(crate) fn new(pool: TimedPool, wake_watcher: Arc<Notify>) -> Self {
        Self {
            pool,
            followers: Followers::new(wake_watcher),
            applied: watch::Sender::default(),
            read_model: PhantomData,
        }
    }

    /// The followers whom it sends documents to.
    pub(crate) const fn followers(&self) -> &Followers {
        &self.followers
    }

    /// Has it send what has changed, now that the checkpoints are known to be these.
    pub(crate) fn look(&self, statuses: &[ShardStatus]) {
        let of_it = statuses.iter().filter(|it| it.read_model == M::NAME);
        self.applied.send_replace(PublishedPositions::of(of_it));
    }

    /// Sends what has changed whenever the checkpoints were looked at, until it is dropped.
    pub(crate) async fn run(&self) {
        let mut looks = self.applied.subscribe();
        let mut published = PublishedPositions::default();
        while looks.changed().await.is_ok() {
            let applied = looks.borrow_and_update().clone();
            let publishing = self.publish_changes(&published, applied);
            match self.pool.with_timeout(publishing).await {
                Ok(now) => published = now,
                Err(error) => {
                    let read_model = M::NAME;
                    tracing::warn!(read_model, %error, "cannot read what has changed for its followers");
                }
            }
        }
    }

    /// Sends the followers those documents that changed after the `published` positions. Returns the positions up to which that
    /// is done now; `applied` is how far the shards had come before.
    async fn publish_changes(
        &self,
        published: &PublishedPositions,
        applied: PublishedPositions,
    ) -> sqlx::Result<PublishedPositions> {
        // Whoever begins to follow after this line reads for themselves what was applied before it.
        if self.followers.is_empty() {
            return Ok(applied);
        }
        let (changed, positions) = M::changed(&self.pool, published).await?;
        let mut followed = self.followers.retain_followed(changed);
        if positions.timeline != published.timeline {
            // Of what the log has lost, no row tells that it has changed.
            followed = self.followers.followed();
        }
        if !followed.is_empty() {
            let documents = M::documents(&self.pool, &followed).await?;
            self.followers.publish_read(documents);
        }
        Ok(positions)
    }
}
