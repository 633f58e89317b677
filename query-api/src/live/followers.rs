//! The clients that follow documents of a read model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use uuid::Uuid;

use super::update::LiveUpdate;
use crate::freshness::Fetched;

type Channels = HashMap<Uuid, watch::Sender<Option<Arc<LiveUpdate>>>>;

/// The followers of the documents of one read model. Clones share them.
#[derive(Clone)]
pub(crate) struct Followers {
    channels: Arc<Mutex<Channels>>,
    wake_watcher: Arc<Notify>,
}

impl Followers {
    /// Nobody follows anything yet. `wake_watcher` is notified of every new follower.
    pub(crate) fn new(wake_watcher: Arc<Notify>) -> Self {
        Self {
            channels: Arc::default(),
            wake_watcher,
        }
    }

    /// The updates of a document that are published from now on. A slow follower sees only the newest.
    pub(crate) fn follow(&self, id: Uuid) -> watch::Receiver<Option<Arc<LiveUpdate>>> {
        let updates = self.lock().entry(id).or_default().subscribe();
        self.wake_watcher.notify_one();
        updates
    }

    /// Whether nobody follows a document, as far as [`Followers::retain_followed`] has noticed.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The documents that somebody follows. Forgets those that nobody follows any more.
    pub(crate) fn followed(&self) -> Vec<Uuid> {
        let mut channels = self.lock();
        retain_followed(&mut channels);
        channels.keys().copied().collect()
    }

    /// Those of these documents that somebody follows. Forgets those that nobody follows any more.
    pub(crate) fn retain_followed(&self, ids: Vec<Uuid>) -> Vec<Uuid> {
        let mut channels = self.lock();
        retain_followed(&mut channels);
        let is_followed = |id: &Uuid| channels.contains_key(id);
        ids.into_iter().filter(is_followed).collect()
    }

    /// Hands each document that was read to its followers, unless they were handed a later one or the same.
    pub(crate) fn publish_read(&self, read: Vec<(Uuid, Fetched<LiveUpdate>)>) {
        let updates = read.into_iter().filter_map(|(id, fetched)| {
            let update = fetched.items.into_iter().next()?;
            Some((id, update))
        });
        self.publish(updates.collect());
    }

    /// Hands each update to the followers of its document, unless they were handed a later one or the same.
    pub(crate) fn publish(&self, updates: Vec<(Uuid, LiveUpdate)>) {
        let channels = self.lock();
        for (id, update) in updates {
            if let Some(channel) = channels.get(&id) {
                channel.send_if_modified(|newest| {
                    let is_older = |newest: &Arc<LiveUpdate>| !newest.reaches(Some(update.token()));
                    let is_marked_otherwise = |newest: &Arc<LiveUpdate>| {
                        newest.token() == update.token() && newest.parked_at != update.parked_at
                    };
                    let is_news = newest
                        .as_ref()
                        .is_none_or(|newest| is_older(newest) || is_marked_otherwise(newest));
                    if is_news {
                        *newest = Some(Arc::new(update));
                    }
                    is_news
                });
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn retain_followed(channels: &mut Channels) {
    channels.retain(|_, updates| updates.receiver_count() > 0);
}
