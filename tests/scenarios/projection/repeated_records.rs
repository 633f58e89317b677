//! Read models are what a replay of the log from zero makes, although all Kafka records come again, in
//! any order, and projectors are killed meanwhile.

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
use reqwest::Method;
use tidemark_events::Aggregate;
use tidemark_tests::eventually;
use tidemark_tests::{Answer, App, Client, Process};
use tokio_util::sync::CancellationToken;

use super::failover::kill_again_and_again;
use super::replay::{assert_documents, assert_rows};
use super::shards::with_shards;
use super::trade::trade;

const TIMEOUT: Duration = Duration::from_secs(5);
const SEED: u64 = 30_31;

/// Publishes once more the records that the topics of a test hold.
struct Republisher {
    /// Topics with the numbers of their partitions.
    partitions: Vec<(String, i32)>,
    consumer: ClientConfig,
    producer: FutureProducer,
}

impl Republisher {
    fn of(app: &App) -> Self {
        let brokers = app.settings.get("TIDEMARK_KAFKA__BROKERS");
        assert_ne!(brokers, "", "this test needs a broker");
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
            consumer: config.set("group.id", "republisher").clone(),
        }
    }

    /// Publishes every event that the topics hold once more, shuffled, each to its partition.
    async fn publish(&self) {
        let (consumer, partitions) = (self.consumer.create().unwrap(), self.partitions.clone());
        let reading = tokio::task::spawn_blocking(move || read(&consumer, &partitions));
        let mut records: Vec<_> = reading.await.unwrap().into_values().collect();
        records.shuffle(&mut StdRng::seed_from_u64(SEED));
        let published = records.iter().map(|record| {
            let repeated = FutureRecord::to(record.topic())
                .partition(record.partition())
                .key(record.key().unwrap())
                .payload(record.payload().unwrap())
                .headers(record.headers().unwrap().clone());
            self.producer.send(repeated, TIMEOUT)
        });
        let published = join_all(published).await;
        assert!(published.iter().all(Result::is_ok));
    }
}

/// Reads the records of these partitions, and keeps one of each position.
fn read(consumer: &BaseConsumer, partitions: &[(String, i32)]) -> BTreeMap<i64, OwnedMessage> {
    let mut assignment = TopicPartitionList::new();
    let mut unread = 0;
    for (topic, number) in partitions {
        // A topic that does not exist yet holds nothing.
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

/// How many records a projector has dropped, because it had applied their events already.
async fn dropped(projector: &Process) -> u64 {
    let client = Client::anonymous(&projector.url, "");
    let metrics = Answer::to(client.command(Method::GET, "/metrics")).await;
    let mut lines = metrics.text.lines();
    let count = lines.find_map(|line| line.strip_prefix("tidemark_feed_dropped_total "));
    count.map_or(0, |count| count.parse().unwrap())
}

async fn killed_while_records_are_repeated(app: &App) {
    let republisher = Republisher::of(app);
    let stop = CancellationToken::new();
    let killing = async {
        let projector = kill_again_and_again(app, || republisher.publish()).await;
        eventually("the projector to drop a repeated record", || async {
            republisher.publish().await;
            (dropped(&projector).await > 0).then_some(())
        })
        .await;
        stop.cancel();
        projector
    };
    let (_projector, ()) = tokio::join!(killing, trade(app, &stop));
    app.settle().await;
    assert_rows(app).await;
    assert_documents(app).await;
}

#[tokio::test]
async fn killed_while_records_are_repeated_in_any_order_it_ends_as_a_replay_from_zero() {
    let app = App::builder().relay().start().await;
    killed_while_records_are_repeated(&app).await;
}

#[tokio::test]
async fn killed_while_records_are_repeated_in_any_order_shards_end_as_a_replay_from_zero() {
    let app = with_shards(App::builder().relay()).start().await;
    killed_while_records_are_repeated(&app).await;
}
