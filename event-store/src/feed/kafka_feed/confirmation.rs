//! Compares what Kafka gave with the log. Whoever may write to the topics could otherwise put events into all read
//! models that never happened.

use tidemark_events::Recorded;

use super::counts::Counter;
use super::{KafkaFeed, Source};
use crate::FollowError;

impl KafkaFeed {
    /// Those of the collected events that the log holds too. What it holds in place of the first that it does not is read
    /// from the log. The log is asked again only when all that it was seen to hold was given.
    pub(super) async fn confirm(&mut self) -> Result<Vec<Recorded>, FollowError> {
        if self.next_ids.is_empty() && !self.collected.is_empty() {
            self.read_next_ids().await?;
        }
        let pairs = self.collected.iter().zip(&self.next_ids);
        let confirmed = pairs.take_while(|(event, id)| event.event_id == **id);
        let confirmed = confirmed.count();
        if confirmed == 0 {
            return self.replace_first().await;
        }
        self.next_ids.drain(..confirmed);
        let events: Vec<_> = self.collected.drain(..confirmed).collect();
        self.last = events.last().map_or(self.last, Recorded::point);
        self.has_fallen_back = false;
        self.counts.add(Counter::Merged, confirmed);
        Ok(events)
    }

    /// Reads which events the log holds next, and drops those from Kafka that are after its end.
    async fn read_next_ids(&mut self) -> Result<(), FollowError> {
        let next = self.log.next_ids(self.last, self.page.events).await?;
        self.next_ids = next.event_ids.into();
        let collected = self.collected.len();
        self.collected.retain(|event| event.position <= next.head);
        let beyond = collected - self.collected.len();
        if let Source::Following { session, .. } = &mut self.source {
            session.follow_timeline(next.timeline);
            session.drop_beyond(next.head, beyond, &mut self.counts);
        }
        Ok(())
    }

    /// Reads from the log what it holds in place of the first event that was collected, which is none of its own.
    async fn replace_first(&mut self) -> Result<Vec<Recorded>, FollowError> {
        let Some(Recorded { position, .. }) = self.collected.front() else {
            return Ok(Vec::new());
        };
        let position = *position;
        let events = self.read_log(position, Counter::Backfilled).await?;
        if !events.is_empty() {
            self.collected.pop_front();
            self.counts.add(Counter::Foreign, 1);
            tracing::error!(position, "Kafka holds an event that is not of this log");
        }
        Ok(events)
    }
}
