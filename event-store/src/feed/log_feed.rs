//! The feed that reads the table of events, page by page.

use async_trait::async_trait;
use tidemark_events::{LogPoint, Recorded};

use super::Feed;
use crate::{Backoff, FollowError, Log};

/// Reads the table: to rebuild, to catch up, and where there is no Kafka.
#[derive(Debug)]
pub struct LogFeed {
    log: Log,
    /// The last event that was given.
    last: LogPoint,
    page_size: i64,
    idle: Backoff,
}

impl LogFeed {
    /// A feed of the events after the point `after`, at most `page_size` at once. While there are none, it
    /// reads again after each pause of `idle`.
    #[must_use]
    pub const fn new(log: Log, after: LogPoint, page_size: i64, idle: Backoff) -> Self {
        Self {
            log,
            last: after,
            page_size,
            idle,
        }
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn next(&mut self) -> Result<Vec<Recorded>, FollowError> {
        loop {
            let up_to = self.last.position.saturating_add(self.page_size);
            let events = self.log.follow(self.last, up_to, None).await?;
            if let Some(event) = events.last() {
                self.last = event.point();
                self.idle.reset();
                return Ok(events);
            }
            tokio::time::sleep(self.idle.take()).await;
        }
    }
}
