//! The index of the log that auditors search: a row for each event. The rows hold no data of events and the
//! fold does not decode them, so events of newer builds are in the index too.

use serde::{Deserialize, Serialize};
use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::{Column, EventFilter, FoldInput, ReadModel, RowOf};

/// The place and origin of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The position of the event in the log.
    pub position: i64,
    /// The stream of the event.
    pub stream_id: Uuid,
    /// The version of the event in its stream.
    pub version: i64,
    /// The name of the aggregate, such as `auction`.
    pub aggregate: String,
    /// The stored type, such as `auction.opened`.
    pub event_type: String,
    /// The actor who caused the event, as the metadata names it. None if it names none.
    pub actor: Option<String>,
    /// The id of the request that caused the event, directly or through reactors. None if the metadata has none.
    pub correlation_id: Option<Uuid>,
    /// When the event was recorded.
    pub recorded_at: Timestamp,
}

/// What the index tells of an event's metadata. It is read without the rules of this build, so that every build makes
/// the same row of it: a newer one may write actors that this one does not know.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Origin {
    actor: Option<String>,
    correlation_id: Option<Uuid>,
}

/// The read model whose rows are the events of the log, each under the event's id.
#[derive(Clone, Copy, Debug)]
pub struct History;

impl ReadModel for History {
    const NAME: &'static str = "history";
    const FOLD_VERSION: i32 = 1;
    const EVENTS: EventFilter = EventFilter::AllHeaders;
    const ROW_OF: RowOf = RowOf::Event;
    const IN_REDIS: bool = false;

    type Row = Row;

    fn columns(row: &Row) -> Vec<Column> {
        vec![
            Column::text("aggregate", &*row.aggregate),
            Column::text("event_type", &*row.event_type),
            Column::text("actor", row.actor.as_deref()),
            Column::time("recorded_at", row.recorded_at),
        ]
    }

    fn keys(input: &FoldInput<'_>) -> Vec<Uuid> {
        vec![input.recorded.event_id]
    }

    fn fold(_: Uuid, _: Option<Row>, input: &FoldInput<'_>) -> Option<Row> {
        let recorded = input.recorded;
        let origin: Origin = serde_json::from_str(&recorded.metadata).unwrap_or_default();
        Some(Row {
            position: recorded.position,
            stream_id: recorded.stream_id,
            version: recorded.version,
            aggregate: recorded.aggregate.clone(),
            event_type: recorded.event_type.clone(),
            actor: origin.actor,
            correlation_id: origin.correlation_id,
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
    fn every_event_is_listed_with_its_actor_and_time() {
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

    #[test]
    fn an_actor_that_only_a_newer_build_knows_is_listed_too() {
        let mut recorded = samples::recorded(1, &samples::all()[0]);
        recorded.metadata = recorded.metadata.replace("user:", "machine:");
        let input = History::EVENTS.fold_input(&recorded).unwrap().unwrap();
        let row = History::fold(recorded.event_id, None, &input).unwrap();
        assert_eq!(row.actor, Some(format!("machine:{SELLER}")));
        assert_eq!(row.correlation_id, Some(Uuid::from_u128(77)));
    }
}
