//! The index of the log that auditors search: one row an event, of its headers alone. It holds no
//! payload and knows no type, so that every event is in it, those of newer builds too.

use serde::{Deserialize, Serialize};
use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::{EventFilter, FoldInput, ReadModel};

/// An event's place and origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Where it stands in the log.
    pub position: i64,
    /// Its stream.
    pub stream_id: Uuid,
    /// Where it stands in the stream.
    pub version: i64,
    /// The name of the aggregate.
    pub aggregate: String,
    /// The stored type.
    pub event_type: String,
    /// Who caused it.
    pub actor: Option<String>,
    /// The request, or the chain of them, that it belongs to.
    pub correlation_id: Option<Uuid>,
    /// When the log took it.
    pub recorded_at: Timestamp,
}

/// The log's events, each by its own id.
#[derive(Clone, Copy, Debug)]
pub struct History;

impl ReadModel for History {
    const NAME: &'static str = "history";
    const EVENTS: EventFilter = EventFilter::AllHeaders;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        vec![input.recorded.event_id]
    }

    fn fold(_: Uuid, _: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let recorded = input.recorded;
        // A newer build may know actors that this one does not: such an event is listed without.
        let metadata = recorded.metadata().ok();
        Some(Row {
            position: recorded.position,
            stream_id: recorded.stream_id,
            version: recorded.version,
            aggregate: recorded.aggregate.clone(),
            event_type: recorded.event_type.clone(),
            actor: metadata.as_ref().map(|metadata| metadata.actor.to_string()),
            correlation_id: metadata.map(|metadata| metadata.correlation_id),
            recorded_at: recorded.recorded_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use tidemark_events::samples;
    use tidemark_events::samples::SELLER;

    use super::*;
    use crate::testing::given;

    #[test]
    fn every_event_is_listed_with_who_and_when() {
        let events = samples::all();
        let rows = given::<History>(events.clone());
        assert_eq!(rows.len(), events.len());
        let first = rows.values().min_by_key(|row| row.position).unwrap();
        assert_eq!(
            (first.position, first.event_type.as_str()),
            (1, "user.registered")
        );
        assert_eq!(first.actor, Some(format!("user:{SELLER}")));
        assert_eq!(first.recorded_at, samples::at(1));
    }
}
