//! The readers of all read models whose documents are followed. They take turns at the connections.

use std::sync::Arc;
use std::time::Duration;

use tidemark_event_store::TimedPool;
use tidemark_platform::config;
use tidemark_read_models::market::auction::Auction;
use tidemark_read_models::messaging::inbox::Inbox;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::Followers;
use super::reader::{Reader, Updates};

/// The readers of a process.
pub(crate) struct Readers {
    auctions: Reader<Auction>,
    inboxes: Reader<Inbox>,
}

impl Readers {
    /// Readers on these connections for those who follow auctions and inboxes. They do nothing before [`Readers::run`].
    pub(crate) fn new(
        pool: &TimedPool,
        (auctions, inboxes): (Followers, Followers),
        limits: &config::Query,
    ) -> Self {
        let turns = Arc::new(Semaphore::new(limits.sse_reads_max));
        let refresh = Duration::from_secs(limits.sse_refresh_s);
        Self {
            auctions: Reader::new(pool.clone(), auctions, Arc::clone(&turns), refresh),
            inboxes: Reader::new(pool.clone(), inboxes, turns, refresh),
        }
    }

    /// The live updates of auctions.
    pub(crate) fn auctions(&self) -> Updates {
        self.auctions.updates()
    }

    /// The live updates of inboxes.
    pub(crate) fn inboxes(&self) -> Updates {
        self.inboxes.updates()
    }

    /// Reads until `stop` is cancelled.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::join!(self.auctions.run(stop.clone()), self.inboxes.run(stop));
    }
}
