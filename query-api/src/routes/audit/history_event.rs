//! An event as auditors see it, and pages of such events.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::value::RawValue;
use tidemark_events::{Aggregate, Recorded, Visibility};
use tidemark_platform::page_schema;
use tidemark_platform::pagination::Page;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::error::Error;

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "position": 4_711,
    "event_id": "0199b3a4-7fa5-7b16-9d83-4c0e5a1f2b97",
    "stream_id": "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
    "version": 2,
    "aggregate": "auction",
    "type": "auction.opened",
    "schema_version": 1,
    "recorded_at": "2027-03-01T18:00:00.012345Z",
    "actor": "service:auction-timer",
    "correlation_id": "0199b3a4-5c01-7a8e-b2f6-8d9c0e3a7f14",
    "causation_id": "0199b3a4-5c7f-7e20-a4d1-6f3b8c2e9a05",
    "internal": false,
    "data": {
        "auction_id": "0199b3a4-5c7e-7d11-8f0e-2b6c9d1e4a77",
        "product_id": "0199b3a4-4b12-7c3f-9a60-51d2e8f7b309",
        "seller_id": "0199b3a4-3a01-7e52-b7d4-9c0f6a8e2d15",
    },
    "hash": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
}))]
pub(super) struct HistoryEvent {
    /// The position in the log.
    #[schema(minimum = 1, example = 4_711)]
    position: i64,
    /// The id of the event.
    event_id: Uuid,
    /// The id of the stream.
    stream_id: Uuid,
    /// The version within the stream.
    #[schema(minimum = 1, example = 7)]
    version: i64,
    /// The name of the aggregate. The log may hold events of a newer build, so it may be one that the parameter
    /// `aggregate` does not list.
    #[schema(example = "auction")]
    aggregate: String,
    /// The type, which says what happened. It may be one that the parameter `type` does not list, as the aggregate may.
    #[serde(rename = "type")]
    #[schema(example = "auction.opened")]
    event_type: String,
    /// The version of the type's schema that `data` follows.
    #[schema(minimum = 1, maximum = 32_767, example = 1)]
    schema_version: i16,
    /// When the event was appended to the log.
    recorded_at: DateTime<Utc>,
    /// Who caused the event: `user:<id>`, `service:<name>` or `anonymous`.
    actor: String,
    /// The request, or the chain of requests, that the event belongs to.
    correlation_id: Uuid,
    /// The event that this event answers, if it answers one.
    causation_id: Option<Uuid>,
    /// Whether the event is internal to Tidemark. Neither the payload of internal events nor anything that it could
    /// be computed from is ever shown.
    internal: bool,
    /// The payload as it is stored; null for internal events.
    #[schema(value_type = Option<Object>)]
    data: Option<Box<RawValue>>,
    /// SHA-256 of the stored bytes of payload and metadata, in hexadecimal digits; null for internal events, since
    /// whoever knows the rest of what is hashed would soon guess a small secret.
    hash: Option<String>,
}

page_schema!(EventPage of HistoryEvent);

impl HistoryEvent {
    fn new(recorded: Recorded) -> Result<Self, Error> {
        let metadata = recorded.metadata()?;
        // An aggregate that this build does not know may be internal.
        let is_public = Aggregate::from_name(&recorded.aggregate)
            .is_some_and(|aggregate| aggregate.visibility() == Visibility::Public);
        let hash = is_public.then(|| recorded.hash().to_string());
        let data = is_public.then(|| RawValue::from_string(recorded.data));
        Ok(Self {
            position: recorded.position,
            event_id: recorded.event_id,
            stream_id: recorded.stream_id,
            version: recorded.version,
            aggregate: recorded.aggregate,
            event_type: recorded.event_type,
            schema_version: recorded.schema_version,
            recorded_at: recorded.recorded_at,
            actor: metadata.actor.to_string(),
            correlation_id: metadata.correlation_id,
            causation_id: metadata.causation_id,
            internal: !is_public,
            data: data.transpose()?,
            hash,
        })
    }
}

/// A page of at most `limit` events. If it is full, there may be more, and `next` reads from the last
/// event where the next page starts.
///
/// # Errors
/// If the metadata or the payload of an event cannot be read.
pub(super) fn page(
    events: Vec<Recorded>,
    limit: i64,
    next: impl FnOnce(&Recorded) -> i64,
) -> Result<Page<HistoryEvent>, Error> {
    let is_full = i64::try_from(events.len()).is_ok_and(|found| found >= limit);
    let next = events
        .last()
        .filter(|_| is_full)
        .map(|last| next(last).to_string());
    let items = events
        .into_iter()
        .map(HistoryEvent::new)
        .collect::<Result<_, _>>()?;
    Ok(Page { items, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(aggregate: &str) -> Recorded {
        Recorded {
            position: 7,
            event_id: Uuid::from_u128(1),
            stream_id: Uuid::from_u128(2),
            version: 3,
            aggregate: aggregate.to_owned(),
            event_type: format!("{aggregate}.happened"),
            schema_version: 1,
            data: r#"{"secret": 1.0}"#.to_owned(),
            metadata: format!(
                r#"{{"actor":"service:mailer","correlation_id":"{}"}}"#,
                Uuid::from_u128(4)
            ),
            recorded_at: DateTime::from_timestamp(0, 0).unwrap(),
        }
    }

    fn shown(aggregate: &str) -> serde_json::Value {
        serde_json::to_value(HistoryEvent::new(recorded(aggregate)).unwrap()).unwrap()
    }

    #[test]
    fn the_payload_of_internal_events_is_never_shown() {
        for aggregate in ["credential", "session", "reserve", "of_a_newer_build"] {
            let event = shown(aggregate);
            assert_eq!(event["internal"], true);
            assert_eq!(event["data"], serde_json::Value::Null);
            assert_eq!(event["hash"], serde_json::Value::Null);
            assert_eq!(event["actor"], "service:mailer");
        }
    }

    #[test]
    fn public_payloads_keep_their_bytes() {
        let event = HistoryEvent::new(recorded("auction")).unwrap();
        assert_eq!(event.data.unwrap().get(), r#"{"secret": 1.0}"#);
    }

    #[test]
    fn only_a_full_page_has_a_next_one() {
        let pages = |limit| page(vec![recorded("auction")], limit, |last| last.position).unwrap();
        assert_eq!(pages(1).next.as_deref(), Some("7"));
        assert_eq!(pages(2).next, None);
    }
}
