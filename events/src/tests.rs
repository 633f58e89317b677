//! The shape of every stored event is pinned: renaming Rust code must change none of them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

#[test]
fn every_event_has_a_sample() {
    let declared: BTreeSet<_> = Aggregate::ALL
        .iter()
        .flat_map(|aggregate| aggregate.event_types())
        .map(ToString::to_string)
        .collect();
    let sampled: BTreeSet<_> = samples::all()
        .iter()
        .map(|event| event.encode().unwrap().event_type)
        .collect();
    assert_eq!(sampled, declared);
}

#[test]
fn stored_shapes_are_pinned() {
    for aggregate in Aggregate::ALL {
        let shapes: Vec<Value> = samples::all()
            .iter()
            .filter(|event| event.aggregate() == *aggregate)
            .map(|event| {
                let encoded = event.encode().unwrap();
                let data: Value = serde_json::from_str(&encoded.data).unwrap();
                serde_json::json!({
                    "type": encoded.event_type,
                    "schema_version": encoded.schema_version,
                    "data": data,
                })
            })
            .collect();
        insta::assert_json_snapshot!(aggregate.name(), shapes);
    }
}

#[test]
fn every_event_is_decoded_as_it_was_encoded() {
    for event in samples::all() {
        let Encoded {
            event_type,
            schema_version,
            data,
        } = event.encode().unwrap();
        assert!(event_type.starts_with(&format!("{}.", event.aggregate().name())));
        assert!(
            data.starts_with('{'),
            "{event_type}: a variant without braces could never get a field"
        );
        assert_eq!(
            Event::decode(&event_type, schema_version, &data).unwrap(),
            event
        );
    }
}

#[test]
fn what_was_stored_stays_readable_whatever_the_rules_are_now() {
    let before: Vec<_> = samples::before_rules()
        .iter()
        .map(|event| event.encode().unwrap().data)
        .collect();
    let before = before.join("\n");
    for refused in [
        "\"title\":\"\u{202e}\"",
        r#""slug":"00000000-0000-0000-0000-000000000003""#,
        r#""starting_price":{"amount":-10000,"currency":"XXX"}"#,
        r#""minimum_increment":-500"#,
        r#""starts_at":"1969-12-31T23:59:60.500Z""#,
        r#""countries":["Germany"]"#,
        r#""reactor":"\t""#,
    ] {
        assert!(before.contains(refused), "{refused} in {before}");
    }
}

#[test]
fn events_of_a_newer_build_are_told_from_malformed_ones() {
    let decode = |event_type, version, data| Event::decode(event_type, version, data).unwrap_err();
    assert!(decode("invoice.sent", 1, "{}").is_newer_build());
    assert!(decode("auction.paused", 1, "{}").is_newer_build());
    assert!(decode("auction.opened", 9, "{}").is_newer_build());
    assert!(!decode("auction.opened", 1, r#"{"auction_id":7}"#).is_newer_build());
    assert!(!decode("auction.opened", 1, "{").is_newer_build());
}

#[test]
fn actors_are_written_as_text() {
    for text in [
        "user:00000000-0000-0000-0000-000000000001",
        "service:relay",
        "anonymous",
    ] {
        assert_eq!(text.parse::<Actor>().unwrap().to_string(), text);
    }
    for text in ["user:x", "service:", "root", ""] {
        assert!(text.parse::<Actor>().is_err(), "{text}");
    }
}

#[test]
fn the_hash_covers_data_and_metadata() {
    let event = Recorded {
        position: 1,
        event_id: uuid::Uuid::nil(),
        stream_id: uuid::Uuid::nil(),
        version: 1,
        aggregate: "auction".into(),
        event_type: "auction.opened".into(),
        schema_version: 1,
        data: "{}".into(),
        metadata: "[]".into(),
        recorded_at: samples::at(0),
    };
    // The SHA-256 of "{}\n[]", computed by `printf '{}\n[]' | sha256sum`.
    assert_eq!(
        event.hash().to_string(),
        "8720b056a2bdf508e6185b09fd39ac562a48504de456d0f57578b844e0cd5fd0"
    );
    assert_ne!(
        event.hash(),
        Recorded {
            metadata: "{}".into(),
            ..event.clone()
        }
        .hash()
    );
}

/// The samples without fields that builds before did not write.
#[test]
fn events_of_builds_before_are_read() {
    for (event_type, added) in [
        ("auction.scheduled", "latest_end_at"),
        ("auction.bid_placed", "outbid_id"),
        ("auction.closed", "runners_up"),
        ("message.requested", "to_hash"),
    ] {
        let encoded = samples::all().into_iter().map(|it| it.encode().unwrap());
        let encoded = { encoded }.find(|it| it.event_type == event_type).unwrap();
        let mut data: Value = serde_json::from_str(&encoded.data).unwrap();
        let removed = data.as_object_mut().unwrap().remove(added);
        assert!(removed.is_some(), "{event_type} has no {added}");
        Event::decode(event_type, 1, &data.to_string()).unwrap();
    }
}
