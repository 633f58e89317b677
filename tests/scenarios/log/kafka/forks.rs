//! The log goes on under a new timeline while a relay and a feed run.

use std::time::Duration;

use tidemark_event_store::kafka;
use tidemark_tests::records::position;

use super::feed::Reader;
use super::relayed_log::RelayedLog;
use super::topics::{Topics, defects, header};

/// How soon the feed looks for itself if nothing comes from Kafka.
const STALL: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn relay_and_feed_go_on_under_the_new_timeline() {
    let mut relayed = RelayedLog::new().await;
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let settings = kafka::Settings {
        stall: STALL,
        ..relayed.settings.kafka.clone()
    };
    let mut reader = Reader::new(&relayed.log, &settings);
    let forked_at = follow_kafka(&mut relayed, &mut reader).await;
    relayed.fork().await;
    let head = follow_kafka(&mut relayed, &mut reader).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert_eq!(
        counts.foreign, 0,
        "the first records of the new timeline are the log's"
    );

    relay.confirms(head).await;
    let timeline = relayed.log.head().await.unwrap().timeline.to_string();
    assert_ne!(timeline, "1");
    let records = topics.records().await;
    for message in records.values().flatten() {
        let is_before = position(message) <= forked_at;
        let expected = if is_before { "1" } else { &timeline };
        assert_eq!(header(message, "ce_timeline"), expected, "{message:?}");
    }
    assert_eq!(defects(&relayed.log, &records).await, Vec::<String>::new());
}

/// Appends until the reader has read something from Kafka, and returns the head.
async fn follow_kafka(relayed: &mut RelayedLog, reader: &mut Reader) -> i64 {
    let merged = reader.feed.counts().merged;
    loop {
        let head = relayed.append(10).await;
        reader.reads(head).await;
        if reader.feed.counts().merged > merged {
            return head;
        }
    }
}
