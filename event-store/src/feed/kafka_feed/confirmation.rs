//! Compares what Kafka gave with the log. Whoever may write to the topics could otherwise put events into all read
//! models that never happened.

use tidemark_events::Recorded;

use super::counts::Counter;
use super::{KafkaFeed, Source};
use crate::FollowError;
use crate::log::fingerprint;

/// How many events of the log are compared in advance, beside those that were collected. Postgres must read the data of each.
const IN_ADVANCE: i64 = 100;

impl KafkaFeed {
    /// Those of the collected events that the log holds too. What it holds in place of the first that it does not is read
    /// from the log. The log is asked again only when all that it was seen to hold was given.
    pub(super) async fn confirm(&mut self) -> Result<Vec<Recorded>, FollowError> {
        if self.next_in_log.is_empty() && !self.collected.is_empty() {
            self.read_next().await?;
        }
        let pairs = self.collected.iter().zip(&self.next_in_log);
        let confirmed = pairs.take_while(|(event, in_log)| fingerprint(event) == **in_log);
        let confirmed = confirmed.count();
        if confirmed == 0 {
            return self.replace_first().await;
        }
        self.next_in_log.drain(..confirmed);
        let events: Vec<_> = self.collected.drain(..confirmed).collect();
        self.last = events.last().map_or(self.last, Recorded::point);
        self.has_fallen_back = false;
        self.counts.add(Counter::Merged, confirmed);
        Ok(events)
    }

    /// Reads which events the log holds next, and drops those from Kafka that are after its end.
    async fn read_next(&mut self) -> Result<(), FollowError> {
        let collected = self.collected.len();
        let limit = i64::try_from(collected).unwrap_or(i64::MAX);
        let limit = limit.saturating_add(IN_ADVANCE);
        let next = self.log.next_events(self.last, limit).await?;
        self.next_in_log = next.fingerprints.into();
        self.collected.retain(|event| event.position <= next.head);
        let beyond = collected - self.collected.len();
        if let Source::Following { session, .. } = &mut self.source {
            session.follow_timeline(next.timeline, &mut self.counts);
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
