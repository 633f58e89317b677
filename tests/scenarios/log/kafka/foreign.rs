//! Records in the topics that the relay of this log did not write do no harm.

use std::time::Duration;

use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use sha2::{Digest, Sha256};
use tidemark_event_store::feed::{Feed, FeedCounts};
use tidemark_events::EventHash;
use tidemark_platform::ids::new_id;
use tokio::time::timeout;

use super::feed::{Reader, replay};
use super::relayed_log::{RelayedLog, within};
use super::topics::{Topics, defects, header};

/// A record with other values of some headers.
fn forged(record: &OwnedMessage, values: &[(&str, String)]) -> OwnedMessage {
    let headers = record.headers().unwrap().iter();
    let headers = headers.fold(OwnedHeaders::new(), |all, header| {
        let forged = values.iter().find(|(key, _)| *key == header.key);
        all.insert(Header {
            key: header.key,
            value: forged.map(|(_, value)| value.as_bytes()).or(header.value),
        })
    });
    record.clone().replace_headers(Some(headers))
}

/// A record that claims the position of another one.
pub(crate) fn in_place_of(record: &OwnedMessage) -> OwnedMessage {
    forged(record, &[("ce_id", new_id().to_string())])
}

/// A record that says something else under the name of an event of the log, with a hash that is right.
fn altered(record: &OwnedMessage) -> OwnedMessage {
    let payload = "{}";
    let hashed = format!("{payload}\n{}", header(record, "ce_metadata"));
    let hash = EventHash(Sha256::digest(hashed).into());
    forged(record, &[("ce_hash", hash.to_string())]).set_payload(Some(payload.into()))
}

/// A record that is ahead of every log.
pub(crate) fn far_ahead(record: &OwnedMessage) -> OwnedMessage {
    forged(record, &[("ce_position", i64::MAX.to_string())])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_the_log_are_given_in_place_of_others() {
    let (relayed, topics, mut reader, mut records, last) = replay().await;
    for messages in records.values_mut().filter(|messages| messages.len() > 20) {
        let of_another_timeline = [("ce_timeline", "2".to_owned())];
        messages.insert(15, forged(&messages[15], &of_another_timeline));
        messages.insert(12, far_ahead(&messages[12]));
        messages.insert(9, in_place_of(&messages[9]));
        messages[6] = in_place_of(&messages[6]);
        let altered = messages[3].clone();
        messages[3] = altered.set_payload(Some(b"{}".to_vec()));
    }
    topics.publish(records).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert!(counts.foreign > 0 && counts.broken > 0, "{counts:?}");
}

/// Whoever may read and produce knows the ids of events, and can hash what he makes of them.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_given_as_the_log_holds_it_whatever_says_to_be_it() {
    let (relayed, topics, mut reader, mut records, last) = replay().await;
    let mut forgeries = Vec::new();
    for messages in records.values_mut().filter(|messages| messages.len() > 20) {
        let other = [
            ("ce_subject", new_id().to_string()),
            ("ce_type", "tidemark.category.deactivated".to_owned()),
            ("ce_streamversion", "4711".to_owned()),
            ("ce_time", "2026-01-01T00:00:00.000000Z".to_owned()),
        ];
        for (at, header) in (6..).zip(other) {
            messages[at] = forged(&messages[at], &[header]);
        }
        messages[3] = altered(&messages[3]);
        // Another partition gives it before the right one does.
        forgeries.push(altered(&messages[16]));
    }
    forgeries.rotate_left(1);
    for (messages, forgery) in records.values_mut().zip(forgeries) {
        messages.insert(0, forgery);
    }
    topics.publish(records).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert!(counts.foreign > 0, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_given_that_is_ahead_of_the_log() {
    let mut relayed = RelayedLog::new().await;
    relayed.settings.kafka.stall = Duration::from_secs(5);
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let mut head = relayed.append(100).await;
    relay.confirms(head).await;
    let mut reader = Reader::new(&relayed.log, &relayed.settings.kafka);
    reader.reads(head).await;
    while reader.feed.counts().merged == 0 {
        head = relayed.append(10).await;
        reader.reads(head).await;
    }

    let next = ("ce_position", (head + 1).to_string());
    let mut records = topics.records().await;
    for messages in records.values_mut() {
        let Some(last) = messages.pop() else { continue };
        *messages = vec![
            forged(&last, &[next.clone(), ("ce_timeline", "2".to_owned())]),
            forged(&last, std::slice::from_ref(&next)),
            far_ahead(&last),
        ];
    }
    let passed_over = |counts: FeedCounts| counts.foreign + counts.dropped;
    let forgeries: usize = records.values().map(Vec::len).sum();
    let all = passed_over(reader.feed.counts()) + u64::try_from(forgeries).unwrap();
    topics.publish(records).await;
    within(async {
        while passed_over(reader.feed.counts()) < all {
            let given = timeout(Duration::from_millis(10), reader.feed.next()).await;
            assert!(given.is_err(), "the feed gave {given:?}");
        }
    })
    .await;

    let head = relayed.append(100).await;
    reader.reads(head).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert_eq!(
        (counts.fallen_back, counts.backfilled),
        (0, 0),
        "the feed goes on from Kafka: {counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_publishes_behind_records_that_are_no_events() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let head = relayed.append(100).await;
    let mut relay = relayed.relay();
    relay.confirms(head).await;
    relay.stop().await;
    topics.publish_junk().await;
    for _ in 0..2 {
        let head = relayed.append(100).await;
        let mut relay = relayed.relay();
        relay.confirms(head).await;
        relay.stop().await;
    }
    let mut records = topics.records().await;
    for messages in records.values_mut() {
        let all = messages.len();
        messages.retain(|message| message.headers().is_some());
        assert_eq!(messages.len(), all - 1, "the junk is there");
    }
    assert_eq!(defects(&relayed.log, &records).await, Vec::<String>::new());
}
