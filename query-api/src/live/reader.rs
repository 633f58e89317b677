//! Reads the documents of live updates, many with one statement: those that clients begin with, and from time to time
//! all that are followed, in case that the watcher is not able to tell of a change.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tidemark_event_store::TimedPool;
use tidemark_platform::config;
use tidemark_platform::http::Problem;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::documents::documents;
use super::{Followers, LiveUpdate};
use crate::error::Error;
use crate::freshness::Fetched;

/// The most documents that one statement reads.
const DOCUMENTS_MAX: usize = 256;

/// A client that begins to follow an auction, and waits for its document.
struct Asked {
    auction: Uuid,
    answer: oneshot::Sender<Result<Fetched<LiveUpdate>, Error>>,
}

/// Where clients ask for documents. Clones ask the same reader.
#[derive(Clone)]
pub(crate) struct FirstDocuments(mpsc::UnboundedSender<Asked>);

impl FirstDocuments {
    /// The document of an auction as it is now. As many as can be are read together with those that others ask for.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub(crate) async fn read(&self, auction: Uuid) -> Result<Fetched<LiveUpdate>, Error> {
        let (answer, answered) = oneshot::channel();
        // Nobody reads any more when the process is about to end.
        let _ = self.0.send(Asked { auction, answer });
        answered.await.unwrap_or(Err(Error::ShuttingDown))
    }
}

/// The one part of a process that reads documents of live updates.
pub(crate) struct Reader {
    pool: TimedPool,
    followers: Followers,
    /// Of those who ask there are no more than there may be live updates.
    asked: mpsc::UnboundedReceiver<Asked>,
    first_documents: FirstDocuments,
    /// One permit for each statement that may run at once.
    turns: Arc<Semaphore>,
    refresh: Duration,
}

impl Reader {
    /// A reader on these connections. It does nothing before [`Reader::run`].
    pub(crate) fn new(pool: TimedPool, followers: Followers, limits: &config::Query) -> Self {
        let (sender, asked) = mpsc::unbounded_channel();
        Self {
            pool,
            followers,
            asked,
            first_documents: FirstDocuments(sender),
            turns: Arc::new(Semaphore::new(limits.sse_reads_max)),
            refresh: Duration::from_secs(limits.sse_refresh_s),
        }
    }

    /// Where clients ask this reader.
    pub(crate) fn first_documents(&self) -> FirstDocuments {
        self.first_documents.clone()
    }

    /// Reads until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            pool,
            followers,
            mut asked,
            first_documents: _first_documents,
            turns,
            refresh,
        } = self;
        let refresher = Refresher {
            pool: pool.clone(),
            followers,
            turns: Arc::clone(&turns),
        };
        let reading = async {
            // While all turns are taken, more are asked for, and are read together afterwards.
            while let Ok(turn) = Arc::clone(&turns).acquire_owned().await {
                let mut together = Vec::new();
                asked.recv_many(&mut together, DOCUMENTS_MAX).await;
                tokio::spawn(answer(pool.clone(), together, turn));
            }
        };
        let reading = async { tokio::join!(reading, refresher.refresh_for_ever(refresh)) };
        stop.run_until_cancelled(reading).await;
    }
}

/// Reads what these clients ask for, and answers them.
async fn answer(pool: TimedPool, asked: Vec<Asked>, _turn: OwnedSemaphorePermit) {
    let auctions: BTreeSet<_> = asked.iter().map(|asked| asked.auction).collect();
    let auctions: Vec<_> = auctions.into_iter().collect();
    match pool.read(|| documents(&pool, &auctions)).await {
        Ok(read) => {
            let read: HashMap<_, _> = read.into_iter().collect();
            for Asked { auction, answer } in asked {
                let found = read.get(&auction).cloned();
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

/// Looks at all auctions that are followed.
struct Refresher {
    pool: TimedPool,
    followers: Followers,
    turns: Arc<Semaphore>,
}

impl Refresher {
    async fn refresh_for_ever(self, pause: Duration) {
        let mut ticks = interval_at(Instant::now() + pause, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            for auctions in self.followers.followed().chunks(DOCUMENTS_MAX) {
                let Ok(_turn) = self.turns.acquire().await else {
                    return;
                };
                match self.pool.read(|| documents(&self.pool, auctions)).await {
                    Ok(read) => self.publish(read),
                    // The next time may succeed.
                    Err(error) => tracing::warn!(%error, "cannot refresh live updates"),
                }
            }
        }
    }

    fn publish(&self, read: Vec<(Uuid, Fetched<LiveUpdate>)>) {
        let updates = read.into_iter().filter_map(|(auction, fetched)| {
            let update = fetched.items.into_iter().next()?;
            Some((auction, update))
        });
        self.followers.publish(updates.collect());
    }
}
