//! Reads the documents of live updates, many with one statement: those that clients begin with, and from time to time
//! all that are followed, in case that the watcher is not able to tell of a change.

use std::collections::{BTreeSet, HashMap};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tidemark_event_store::TimedPool;
use tidemark_platform::http::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Followed, Followers, LiveUpdate};
use crate::error::Error;
use crate::freshness::Fetched;

/// The most documents that one statement reads.
const DOCUMENTS_MAX: usize = 256;

/// A client that begins to follow a document, and waits for it.
struct Asked {
    id: Uuid,
    answer: oneshot::Sender<Result<Fetched<LiveUpdate>, Error>>,
}

/// The live updates of the documents of one read model, as routes use them. Clones share them.
#[derive(Clone)]
pub(crate) struct Updates {
    /// The clients that follow documents.
    pub(crate) followers: Followers,
    asked: mpsc::UnboundedSender<Asked>,
}

impl Updates {
    /// A document as it is now. As many as can be are read together with those that others ask for.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub(crate) async fn read(&self, id: Uuid) -> Result<Fetched<LiveUpdate>, Error> {
        let (answer, answered) = oneshot::channel();
        // Nobody reads any more when the process is about to end.
        let _ = self.asked.send(Asked { id, answer });
        answered.await.unwrap_or(Err(Error::ShuttingDown))
    }
}

/// The one part of a process that reads documents of live updates of a read model.
pub(super) struct Reader<M> {
    pool: TimedPool,
    /// Of those who ask there are no more than there may be live updates.
    asked: mpsc::UnboundedReceiver<Asked>,
    updates: Updates,
    /// One permit for each statement that may run at once.
    turns: Arc<Semaphore>,
    refresh: Duration,
    read_model: PhantomData<M>,
}

impl<M: Followed> Reader<M> {
    /// A reader on these connections for these followers, whose documents are read again after each pause of `refresh`. It does
    /// nothing before [`Reader::run`].
    pub(super) fn new(
        pool: TimedPool,
        followers: Followers,
        turns: Arc<Semaphore>,
        refresh: Duration,
    ) -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        Self {
            pool,
            asked,
            updates: Updates {
                followers,
                asked: sender,
            },
            turns,
            refresh,
            read_model: PhantomData,
        }
    }

    /// The live updates that this reader reads for.
    pub(super) fn updates(&self) -> Updates {
        self.updates.clone()
    }

    /// Reads until `stop` is cancelled.
    pub(super) async fn run(self, stop: CancellationToken) {
        let Self {
            pool,
            mut asked,
            // Until the end it can be asked.
            updates,
            turns,
            refresh,
            ..
        } = self;
        let refresher = Refresher {
            pool: pool.clone(),
            followers: updates.followers.clone(),
            turns: Arc::clone(&turns),
        };
        let reading = async {
            while let Some(first) = asked.recv().await {
                let Ok(turn) = Arc::clone(&turns).acquire_owned().await else {
                    return;
                };
                // While all turns are taken, more are asked for, and are read together afterwards.
                let mut together = vec![first];
                while together.len() < DOCUMENTS_MAX
                    && let Ok(more) = asked.try_recv()
                {
                    together.push(more);
                }
                tokio::spawn(answer::<M>(pool.clone(), together, turn));
            }
        };
        let reading = async { tokio::join!(reading, refresher.refresh_for_ever::<M>(refresh)) };
        stop.run_until_cancelled(reading).await;
    }
}

/// Reads what these clients ask for, and answers them.
async fn answer<M: Followed>(pool: TimedPool, asked: Vec<Asked>, _turn: OwnedSemaphorePermit) {
    let ids: BTreeSet<_> = asked.iter().map(|asked| asked.id).collect();
    let ids: Vec<_> = ids.into_iter().collect();
    match pool.read(|| M::documents(&pool, &ids)).await {
        Ok(read) => {
            let read: HashMap<_, _> = read.into_iter().collect();
            for Asked { id, answer } in asked {
                let found = read.get(&id).cloned();
                // A client that has gone does not receive it.
                let _ = answer.send(found.ok_or(Error::Storage(sqlx::Error::RowNotFound)));
            }
        }
        Err(error) => {
            let problem = Problem::from(Error::from(error));
            for Asked { answer, .. } in asked {
                let _ = answer.send(Err(problem.clone().into()));
            }
        }
    }
}

/// Looks at all documents that are followed.
struct Refresher {
    pool: TimedPool,
    followers: Followers,
    turns: Arc<Semaphore>,
}

impl Refresher {
    async fn refresh_for_ever<M: Followed>(self, pause: Duration) {
        let mut ticks = interval_at(Instant::now() + pause, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for ids in self.followers.followed().chunks(DOCUMENTS_MAX) {
                let Ok(_turn) = self.turns.acquire().await else {
                    return;
                };
                match self.pool.read(|| M::documents(&self.pool, ids)).await {
                    Ok(read) => self.followers.publish_read(read),
                    // The next time may succeed.
                    Err(error) => tracing::warn!(%error, "cannot refresh live updates"),
                }
            }
        }
    }
}
