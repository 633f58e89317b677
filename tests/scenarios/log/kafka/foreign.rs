//! Records in the topics that the relay of this log did not write do no harm.

use std::time::Duration;

use rdkafka::message::{Header, Headers, Message, OwnedHeaders, OwnedMessage};
use tidemark_event_store::feed::{Feed, FeedCounts};
use tidemark_platform::ids::new_id;
use tokio::time::timeout;

use super::feed::{Reader, replay};
use super::relayed_log::{RelayedLog, within};
use super::topics::{Topics, defects};

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
