//! The topics as any other consumer sees them.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use tidemark_event_store::Log;
use tidemark_event_store::kafka::Settings;
use tidemark_events::{Aggregate, Recorded};
use tidemark_tests::records;
use tidemark_tests::records::Defects;

pub(crate) use tidemark_tests::records::{Records, header};

/// The topics of one prefix. They are deleted when this is dropped.
pub(crate) struct Topics(Settings);

impl Topics {
    pub(crate) fn of(settings: &Settings) -> Self {
        Self(settings.clone())
    }

    fn name(&self, aggregate: &str) -> String {
        format!("{}.{aggregate}", self.0.topic_prefix)
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.0.brokers)
            .set("group.id", "test")
            .set("fetch.wait.max.ms", "20");
        config
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    fn options(&self) -> AdminOptions {
        AdminOptions::new().operation_timeout(Some(self.0.request_timeout))
    }

    pub(crate) async fn create(&self, partitions: i32) {
        let names: Vec<_> = Aggregate::ALL.iter().map(|a| self.name(a.name())).collect();
        let fixed = |name| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topics: Vec<_> = names.iter().map(|name| fixed(name)).collect();
        let made = self.admin().create_topics(&topics, &self.options()).await;
        assert!(made.unwrap().iter().all(Result::is_ok));
    }

    pub(crate) async fn delete(&self, aggregate: &str) {
        let name = self.name(aggregate);
        let gone = self.admin().delete_topics(&[&name], &self.options()).await;
        assert!(gone.unwrap().iter().all(Result::is_ok));
    }

    /// Reads all records of the topics.
    pub(crate) async fn records(&self) -> Records {
        let (config, settings) = (self.config(), self.0.clone());
        let read = move || records::read(&config, &settings.topic_prefix, settings.partitions);
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// Publishes a record that is no event to each partition.
    pub(crate) async fn publish_junk(&self) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.config().create().unwrap();
        for aggregate in Aggregate::ALL {
            let topic = self.name(aggregate.name());
            for number in 0..self.0.partitions {
                let junk = BaseRecord::<str, str>::to(&topic)
                    .partition(number)
                    .payload("junk");
                producer.send(junk).map_err(|(error, _)| error).unwrap();
            }
        }
        flush(producer).await;
    }

    /// Publishes records unchanged to the partitions that they are listed under.
    pub(crate) async fn publish(&self, records: Records) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.config().create().unwrap();
        for ((aggregate, number), messages) in records {
            for message in messages {
                let topic = self.name(aggregate);
                let record = BaseRecord::to(&topic)
                    .partition(number)
                    .key(message.key().unwrap())
                    .payload(message.payload().unwrap())
                    .headers(message.headers().unwrap().clone());
                producer.send(record).map_err(|(error, _)| error).unwrap();
            }
        }
        flush(producer).await;
    }
}

async fn flush(producer: ThreadedProducer<DefaultProducerContext>) {
    let flush = move || producer.flush(Timeout::Never).unwrap();
    tokio::task::spawn_blocking(flush).await.unwrap();
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names: Vec<_> = Aggregate::ALL.iter().map(|a| self.name(a.name())).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        // The broker deletes the topics even if nobody reads its answer, so a failure here is ignored.
        let _ = futures::executor::block_on(self.admin().delete_topics(&names, &self.options()));
    }
}

/// What is wrong with the topics of a log: nothing if every event is there once, in the order of the
/// log, linked to the one before it, with the bytes that were stored.
pub(crate) async fn defects(log: &Log, records: &Records) -> Vec<String> {
    let head = log.head().await.unwrap().position;
    let mut events = Vec::new();
    while let last = events.last().map_or(0, |event: &Recorded| event.position)
        && last < head
    {
        events.extend(log.page(last, 1000).await.unwrap());
    }
    Defects::of(&events, records).all()
}
