//! The feed that reads the table of events, page by page.

use async_trait::async_trait;
use tidemark_events::{LogPoint, Recorded};

use super::Feed;
use crate::{Backoff, FollowError, Log, PageLimits};

/// Reads the table: to rebuild, to catch up, and where there is no Kafka.
#[derive(Debug)]
pub struct LogFeed {
    log: Log,
    /// The last event that was given.
    last: LogPoint,
    page: PageLimits,
    idle: Backoff,
}

impl LogFeed {
    /// A feed of the events after the point `after`, at most a `page` at once. While there are none, it
    /// reads again after each pause of `idle`.
    #[must_use]
    pub const fn new(log: Log, after: LogPoint, page: PageLimits, idle: Backoff) -> Self {
        Self {
            log,
            last: after,
            page,
            idle,
        }
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn next(&mut self) -> Result<Vec<Recorded>, FollowError> {
        loop {
            let up_to = self.last.position.saturating_add(self.page.events);
            let follow = self.log.follow(self.last, up_to, None, self.page.bytes);
            let events = follow.await?;
            if let Some(event) = events.last() {
                self.last = event.point();
                self.idle.reset();
                return Ok(events);
            }
            tokio::time::sleep(self.idle.take()).await;
        }
    }
}
