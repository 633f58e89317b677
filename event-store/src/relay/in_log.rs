//! Tells records whose events the log holds from others.

use std::collections::HashMap;

use tidemark_events::EventHash;
use uuid::Uuid;

use super::error::Error;
use super::partition_scan::FoundRecord;
use crate::Log;

/// What the log holds at some positions.
pub(super) struct InLog(HashMap<i64, (Uuid, EventHash)>);

impl InLog {
    /// Reads what the log holds at these positions.
    pub(super) async fn at(log: &Log, positions: &[i64]) -> Result<Self, Error> {
        let events = log.at(positions).await?;
        let events = events.iter();
        let events = events.map(|event| (event.position, (event.event_id, event.hash())));
        Ok(Self(events.collect()))
    }

    /// Whether the log holds the event of a record, at one of the positions.
    pub(super) fn holds(&self, record: &FoundRecord) -> bool {
        self.0.get(&record.position) == Some(&(record.event_id, record.hash))
    }
}
