//! The feed that reads the table of events, page by page.

use async_trait::async_trait;
use tidemark_events::Recorded;

use super::{Feed, FeedError};
use crate::{Backoff, Log};

/// Reads the table: to rebuild, to catch up, and where there is no Kafka.
#[derive(Debug)]
pub struct LogFeed {
    log: Log,
    /// The position of the last event that was given.
    last_position: i64,
    page_size: i64,
    idle: Backoff,
}

impl LogFeed {
    /// A feed of the events after position `after`, at most `page_size` at once. While there are none, it
    /// reads again after each pause of `idle`.
    #[must_use]
    pub const fn new(log: Log, after: i64, page_size: i64, idle: Backoff) -> Self {
        Self {
            log,
            last_position: after,
            page_size,
            idle,
        }
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn next(&mut self) -> Result<Vec<Recorded>, FeedError> {
        loop {
            let events = self.log.page(self.last_position, self.page_size).await?;
            if let Some(event) = events.last() {
                self.last_position = event.position;
                self.idle.reset();
                return Ok(events);
            }
            tokio::time::sleep(self.idle.take()).await;
        }
    }
}
