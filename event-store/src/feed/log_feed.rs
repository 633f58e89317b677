//! The feed that reads pages of the log's table.

use std::time::Duration;

use async_trait::async_trait;
use tidemark_events::Recorded;

use super::{Feed, FeedError};
use crate::Log;

/// Reads the table: for rebuilding, for catching up, and where there is no Kafka.
#[derive(Debug)]
pub struct LogFeed {
    log: Log,
    last: i64,
    page: i64,
    poll: Duration,
}

impl LogFeed {
    /// The events after position `after`, at most `page` a batch, looking every `poll` while there
    /// are none.
    #[must_use]
    pub const fn new(log: Log, after: i64, page: i64, poll: Duration) -> Self {
        Self {
            log,
            last: after,
            page,
            poll,
        }
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn next(&mut self) -> Result<Vec<Recorded>, FeedError> {
        loop {
            let events = self.log.page(self.last, self.page).await?;
            if let Some(event) = events.last() {
                self.last = event.position;
                return Ok(events);
            }
            tokio::time::sleep(self.poll).await;
        }
    }
}
