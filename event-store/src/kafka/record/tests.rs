use rdkafka::Timestamp as KafkaTimestamp;
use rdkafka::message::OwnedMessage;
use tidemark_events::{Actor, samples};
use uuid::Uuid;

use super::*;

const PUBLICATION: Publication = Publication {
    previous: 40,
    epoch: 3,
    timeline: 1,
};

fn event() -> Recorded {
    let encoded = samples::all()[0].encode().unwrap();
    let metadata = Metadata {
        actor: Actor::Anonymous,
        correlation_id: Uuid::from_u128(7),
        causation_id: Some(Uuid::from_u128(8)),
        traceparent: None,
    };
    Recorded {
        position: 42,
        event_id: Uuid::from_u128(1),
        stream_id: Uuid::from_u128(2),
        version: 3,
        aggregate: "user".to_owned(),
        event_type: encoded.event_type,
        schema_version: encoded.schema_version,
        // No serialiser writes these spaces, so this shows that the bytes are not parsed on the way.
        data: format!(" {} ", encoded.data),
        metadata: serde_json::to_string(&metadata).unwrap(),
        recorded_at: "2026-11-21T00:00:00.123456Z".parse().unwrap(),
    }
}

fn message(event: &Recorded, headers: OwnedHeaders) -> OwnedMessage {
    OwnedMessage::new(
        Some(event.data.clone().into_bytes()),
        Some(event.stream_id.to_string().into_bytes()),
        "tidemark.user".to_owned(),
        KafkaTimestamp::NotAvailable,
        0,
        0,
        Some(headers),
    )
}

#[test]
fn an_encoded_event_is_decoded_to_the_same_event() {
    let event = event();
    let message = message(&event, PUBLICATION.headers(&event));
    assert_eq!(
        Record::decode(&message),
        Ok(Record {
            event,
            previous: 40,
            timeline: PUBLICATION.timeline,
        })
    );
}

#[test]
fn headers_follow_the_cloudevents_specification() {
    let event = event();
    let headers = PUBLICATION.headers(&event);
    for (name, value) in [
        ("ce_specversion", "1.0"),
        ("ce_source", "/tidemark/1"),
        ("ce_type", "tidemark.user.registered"),
        ("ce_time", "2026-11-21T00:00:00.123456Z"),
        ("ce_previous", "40"),
        ("ce_epoch", "3"),
        ("ce_causationid", "00000000-0000-0000-0000-000000000008"),
    ] {
        assert_eq!(header(&headers, name), Ok(value));
    }
    assert_eq!(
        header(&headers, "ce_traceparent"),
        Err(DecodeError::Unreadable("ce_traceparent"))
    );
}

#[test]
fn altered_data_does_not_match_the_hash() {
    let event = event();
    let altered = Recorded {
        data: event.data.replace("user", "User"),
        ..event.clone()
    };
    let message = message(&altered, PUBLICATION.headers(&event));
    assert_eq!(Record::decode(&message), Err(DecodeError::HashMismatch));
}

#[test]
fn a_record_without_headers_cannot_be_decoded() {
    let message = message(&event(), OwnedHeaders::new());
    assert_eq!(
        Record::decode(&message),
        Err(DecodeError::Unreadable("ce_type"))
    );
}
