//! Given events, then rows: a fold driven as a worker would, from the first version on.

use std::collections::BTreeMap;

use tidemark_events::{Actor, Event, Metadata, Recorded, samples};
use uuid::Uuid;

use crate::ReadModel;

/// The event as the log would hold it at that position, which serves as its version too.
pub(crate) fn recorded(position: i64, event: &Event) -> Recorded {
    let encoded = event.encode().unwrap();
    let metadata = Metadata {
        actor: Actor::User(samples::SELLER),
        correlation_id: Uuid::from_u128(77),
        causation_id: None,
        traceparent: None,
    };
    Recorded {
        position,
        event_id: Uuid::from_u64_pair(1, position.unsigned_abs()),
        stream_id: samples::AUCTION.0,
        version: position,
        aggregate: event.aggregate().name().to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        data: encoded.data,
        metadata: serde_json::to_string(&metadata).unwrap(),
        recorded_at: samples::at(position),
    }
}

/// The rows after these events.
pub(crate) fn given<M: ReadModel>(
    events: impl IntoIterator<Item = impl Into<Event>>,
) -> BTreeMap<Uuid, M::Row> {
    let mut rows = BTreeMap::new();
    for (position, event) in (1..).zip(events) {
        let recorded = recorded(position, &event.into());
        let Some(input) = M::EVENTS.fold_input(&recorded).unwrap() else {
            continue;
        };
        for key in M::keys(&input) {
            let row = rows.remove(&key);
            rows.extend(M::fold(key, row, &input).map(|row| (key, row)));
        }
    }
    rows
}
