//! What the tests of this crate share.

use tidemark_events::{Actor, Event, Metadata, Recorded, samples};
use uuid::Uuid;

/// An event of the examples as the log would hold it at that position.
pub(crate) fn recorded(position: i64) -> Recorded {
    recorded_as(position, &samples::all()[0])
}

/// An event as the log would hold it at that position, which is its version too.
pub(crate) fn recorded_as(position: i64, event: &Event) -> Recorded {
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
