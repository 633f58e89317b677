//! Where a worker gets its next events: from the ring, or from the log when they have left it.

use std::sync::Arc;

use metrics::counter;
use tidemark_event_store::Log;
use tidemark_events::Recorded;

use crate::ring::Ring;

/// The log from any position on, for many workers at once. None holds up another.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) ring: Arc<Ring>,
    pub(crate) log: Log,
}

impl Source {
    /// The events after a position, at least one and at most `max`. Waits while there are none.
    /// Cancelling the call loses nothing.
    pub(crate) async fn next(&self, after: i64, max: usize) -> sqlx::Result<Vec<Arc<Recorded>>> {
        loop {
            let events = match self.ring.after(after, max) {
                Some(events) => events,
                None => self.page(after, max).await?,
            };
            if !events.is_empty() {
                return Ok(events);
            }
            self.ring.beyond(after).await;
        }
    }

    async fn page(&self, after: i64, max: usize) -> sqlx::Result<Vec<Arc<Recorded>>> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        let events = self.log.page(after, max).await?;
        counter!("tidemark_ring_missed_events_total").increment(events.len() as u64);
        Ok(events.into_iter().map(Arc::new).collect())
    }
}
