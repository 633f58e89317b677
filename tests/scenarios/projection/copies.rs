//! Deliveries that no relay makes and every reader must bear: all records again, in any order.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tidemark_events::Aggregate;
use tidemark_tests::App;

const TIMEOUT: Duration = Duration::from_secs(5);
const SEED: u64 = 30_31;

/// The topics of a test, and who writes copies into them.
pub(super) struct Copies {
    partitions: Vec<(String, i32)>,
    consumer: ClientConfig,
    producer: FutureProducer,
}

impl Copies {
    pub(super) fn of(app: &App) -> Self {
        let brokers = app.settings.get("TIDEMARK_KAFKA__BROKERS");
        assert_ne!(brokers, "", "without a broker this test is not run");
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers);
        let prefix = app.settings.get("TIDEMARK_KAFKA__TOPIC_PREFIX");
        let numbers = 0..app.settings.config().kafka.partitions;
        let partitions = Aggregate::ALL.iter().flat_map(|aggregate| {
            let topic = aggregate.topic(prefix);
            numbers.clone().map(move |number| (topic.clone(), number))
        });
        Self {
            partitions: partitions.collect(),
            producer: config.create().unwrap(),
            consumer: config.set("group.id", "copies").clone(),
        }
    }

    /// Publishes every event that the topics hold once more, shuffled, each to its partition.
    pub(super) async fn publish(&self) {
        let (consumer, partitions) = (self.consumer.create().unwrap(), self.partitions.clone());
        let reading = tokio::task::spawn_blocking(move || read(&consumer, &partitions));
        let mut records: Vec<_> = reading.await.unwrap().into_values().collect();
        records.shuffle(&mut StdRng::seed_from_u64(SEED));
        let published = records.iter().map(|record| {
            let copy = FutureRecord::to(record.topic())
                .partition(record.partition())
                .key(record.key().unwrap())
                .payload(record.payload().unwrap())
                .headers(record.headers().unwrap().clone());
            self.producer.send(copy, TIMEOUT)
        });
        let published = join_all(published).await;
        assert!(published.iter().all(Result::is_ok));
    }
}

/// The records of these partitions, one a position.
fn read(consumer: &BaseConsumer, partitions: &[(String, i32)]) -> BTreeMap<i64, OwnedMessage> {
    let mut assignment = TopicPartitionList::new();
    let mut unread = 0;
    for (topic, number) in partitions {
        // A topic that is not made yet holds nothing.
        let ends = consumer.fetch_watermarks(topic, *number, TIMEOUT);
        let (_, end) = ends.unwrap_or_default();
        if end > 0 {
            unread += end;
            assignment
                .add_partition_offset(topic, *number, Offset::Beginning)
                .unwrap();
        }
    }
    consumer.assign(&assignment).unwrap();
    let mut records = BTreeMap::new();
    for _ in 0..unread {
        let record = consumer.poll(TIMEOUT).unwrap().unwrap().detach();
        records.insert(position(&record), record);
    }
    records
}

fn position(record: &OwnedMessage) -> i64 {
    let headers = record.headers().unwrap();
    let found = headers.iter().find(|header| header.key == "ce_position");
    let text = std::str::from_utf8(found.unwrap().value.unwrap()).unwrap();
    text.parse().unwrap()
}
