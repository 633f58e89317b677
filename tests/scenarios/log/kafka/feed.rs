//! The Kafka feed gives every position once and in order, whatever the topics hold.

use std::time::Duration;

use rdkafka::message::OwnedMessage;
use rdkafka::mocking::MockCluster;
use tidemark_event_store::feed::{Feed, FeedCounts, KafkaFeed};
use tidemark_event_store::{Log, PageLimits, kafka};
use tidemark_events::{Aggregate, LogPoint, Recorded};
use tokio::time::timeout;

use super::relayed_log::{RelayedLog, settings, within};
use super::topics::{Records, Topics, header};

/// A feed, with the events that it has given.
pub(super) struct Reader {
    pub(super) feed: KafkaFeed,
    given: Vec<Recorded>,
}

impl Reader {
    pub(super) fn new(log: &Log, settings: &kafka::Settings) -> Self {
        let page = PageLimits {
            events: 100,
            bytes: 1 << 20,
        };
        let feed = KafkaFeed::new(log.clone(), settings.clone(), LogPoint::START, page);
        Self {
            feed,
            given: Vec::new(),
        }
    }

    /// Reads until the feed has given `position`.
    pub(super) async fn reads(&mut self, position: i64) {
        while self
            .given
            .last()
            .is_none_or(|event| event.position < position)
        {
            self.given.extend(within(self.feed.next()).await.unwrap());
        }
    }

    /// Fails unless the feed has given exactly the log.
    pub(super) async fn assert_is(&self, log: &Log) -> FeedCounts {
        let events = log.page(0, i64::MAX).await.unwrap();
        assert_eq!(self.given.len(), events.len());
        assert!(
            self.given == events,
            "the feed gave other events than the log holds"
        );
        self.feed.counts()
    }
}

/// How many events a replay publishes.
pub(super) const REPLAYED: u64 = 399;

/// A feed that follows topics on which nothing was published yet, and a log of [`REPLAYED`] more events, which a
/// relay has published elsewhere: what it published is returned, to be changed and published there, and the last position.
pub(super) async fn replay() -> (RelayedLog, Topics, Reader, Records, i64) {
    let mut relayed = RelayedLog::new().await;
    let published = Topics::of(&relayed.settings.kafka);
    let republished = settings(format!("{}-again", relayed.settings.kafka.topic_prefix)).kafka;
    let topics = Topics::of(&republished);
    topics.create(republished.partitions).await;
    let mut attempts = 0;
    let (reader, first) = loop {
        attempts += 1;
        assert!(attempts <= 5, "the feed does not follow the topics");
        let mut reader = Reader::new(&relayed.log, &republished);
        let first = relayed.append(1).await;
        reader.reads(first).await;
        // On a slow machine the broker may answer too late, and then the feed reads the log for a while.
        if reader.feed.counts().fallen_back == 0 {
            break (reader, first);
        }
    };
    let last = relayed.append(usize::try_from(REPLAYED).unwrap()).await;
    relayed.relay().confirms(last).await;
    let mut records = published.records().await;
    for messages in records.values_mut() {
        messages.retain(|it| header(it, "ce_position").parse::<i64>().unwrap() > first);
    }
    (relayed, topics, reader, records, last)
}

/// The records of the longest partition.
fn longest(records: &mut Records) -> &mut Vec<OwnedMessage> {
    records
        .values_mut()
        .max_by_key(|messages| messages.len())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn gives_what_the_relay_publishes() {
    let mut relayed = RelayedLog::new().await.streams(50);
    let _topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let first = relayed.append(1).await;
    relay.confirms(first).await;
    let mut reader = Reader::new(&relayed.log, &relayed.settings.kafka);
    for _ in 0..10 {
        let head = relayed.append(300).await;
        reader.reads(head).await;
    }
    let counts = reader.assert_is(&relayed.log).await;
    // How many events it reads before it follows Kafka depends on timing, so only the sum is fixed.
    let FeedCounts {
        merged, caught_up, ..
    } = counts;
    assert!(merged > 2000, "{counts:?}");
    assert_eq!(merged + caught_up, 3001, "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_intact_replay_needs_the_log_for_nothing() {
    let (relayed, topics, mut reader, records, last) = replay().await;
    let before = reader.feed.counts();
    topics.publish(records).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    let expected = FeedCounts {
        merged: REPLAYED,
        ..before
    };
    assert_eq!(counts, expected);
}

/// The broker is a mock, because no real one can be made to leave the requests of one reader
/// unanswered.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_broker_is_not_waited_for() {
    let mut relayed = RelayedLog::new().await;
    let _topics = Topics::of(&relayed.settings.kafka);
    let broker = MockCluster::new(1).unwrap();
    let settings = kafka::Settings {
        brokers: broker.bootstrap_servers(),
        request_timeout: Duration::from_secs(12),
        stall: Duration::from_secs(3),
        ..settings("silent".to_owned()).kafka
    };
    for aggregate in Aggregate::ALL {
        let topic = aggregate.topic(&settings.topic_prefix);
        broker.create_topic(&topic, 1, 1).unwrap();
    }
    let mut reader = Reader::new(&relayed.log, &settings);
    let first = relayed.append(1).await;
    reader.reads(first).await;
    assert_eq!(
        reader.feed.counts().caught_up,
        1,
        "the feed does not follow the broker yet"
    );

    let never = 2 * settings.request_timeout;
    broker.broker_round_trip_time(1, never).unwrap();
    let last = relayed.append(10).await;
    relayed.relay().confirms(last).await;
    timeout(settings.request_timeout, reader.reads(last))
        .await
        .expect("the feed waits for the broker");
    reader.assert_is(&relayed.log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skewed_partitions_are_merged() {
    let (relayed, topics, mut reader, mut records, last) = replay().await;
    // The longest partition arrives after all others.
    let key = *records
        .iter()
        .max_by_key(|(_, messages)| messages.len())
        .unwrap()
        .0;
    let late = records.remove(&key).unwrap();
    topics.publish(records).await;
    topics.publish(Records::from([(key, late)])).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert_eq!(
        (counts.merged, counts.backfilled),
        (REPLAYED, 0),
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_record_is_read_from_the_log() {
    let (relayed, topics, mut reader, mut records, last) = replay().await;
    let middle = longest(&mut records).len() / 2;
    longest(&mut records).remove(middle);
    // The last record of a partition is dropped too, and nothing follows it there to show that.
    let dropped = records
        .values_mut()
        .find(|messages| messages.len() > 3)
        .unwrap()
        .pop();
    assert!(dropped.is_some());
    topics.publish(records).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert_eq!(
        (counts.merged, counts.backfilled),
        (REPLAYED - 2, 2),
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_published_twice_is_given_once() {
    let (relayed, topics, mut reader, mut records, last) = replay().await;
    for messages in records.values_mut() {
        messages.extend(messages.clone());
    }
    topics.publish(records).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert_eq!(
        (counts.merged, counts.backfilled),
        (REPLAYED, 0),
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reordered_and_altered_records_do_no_harm() {
    let (relayed, topics, mut reader, mut records, last) = replay().await;
    for messages in records.values_mut().filter(|messages| messages.len() > 12) {
        messages.swap(2, 3);
        messages[5..10].reverse();
        let altered = messages[11].clone();
        messages[11] = altered.set_payload(Some(b"{}".to_vec()));
    }
    topics.publish(records).await;
    reader.reads(last).await;
    let counts = reader.assert_is(&relayed.log).await;
    assert!(
        counts.broken > 0 && counts.backfilled > counts.broken && counts.dropped > 0,
        "{counts:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_relay_it_reads_on_from_the_log_until_kafka_catches_up() {
    let mut relayed = RelayedLog::new().await;
    relayed.settings.kafka.stall = Duration::from_secs(2);
    let _topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let head = relayed.append(100).await;
    relay.confirms(head).await;
    let mut reader = Reader::new(&relayed.log, &relayed.settings.kafka);
    reader.reads(head).await;
    // On a slow machine the feed may need some time until it follows Kafka, and reads from the log until then.
    while reader.feed.counts().merged == 0 {
        let head = relayed.append(100).await;
        reader.reads(head).await;
    }
    relay.confirms(relayed.database.head().await).await;
    relay.stop().await;

    let before = reader.feed.counts();
    let head = relayed.append(500).await;
    reader.reads(head).await;
    assert_eq!(reader.feed.counts().fallen_back - before.fallen_back, 500);

    let mut relay = relayed.relay();
    relay.confirms(head).await;
    while reader.feed.counts().merged == before.merged {
        let head = relayed.append(100).await;
        reader.reads(head).await;
    }
    reader.assert_is(&relayed.log).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_topic_costs_time_only() {
    let mut relayed = RelayedLog::new().await;
    relayed.settings.kafka.stall = Duration::from_millis(500);
    let topics = Topics::of(&relayed.settings.kafka);
    let mut relay = relayed.relay();
    let head = relayed.append(100).await;
    relay.confirms(head).await;
    let mut reader = Reader::new(&relayed.log, &relayed.settings.kafka);
    reader.reads(head).await;

    topics.delete("auction").await;
    let head = relayed.append(500).await;
    reader.reads(head).await;
    // Reads until the feed follows Kafka again.
    let merged = reader.feed.counts().merged;
    while reader.feed.counts().merged == merged {
        let head = relayed.append(100).await;
        reader.reads(head).await;
    }
    reader.assert_is(&relayed.log).await;
}
