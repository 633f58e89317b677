//! The topics as any other consumer sees them.

use std::{collections::BTreeMap, time::Duration};

use rdkafka::{
    ClientConfig, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    message::{Headers, Message, OwnedMessage},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
    util::Timeout,
};
use tidemark_event_store::{Log, kafka::Settings};
use tidemark_events::{Aggregate, Recorded};

const TIMEOUT: Duration = Duration::from_secs(5);

/// The records of each partition, in order.
pub(super) type Records = BTreeMap<(&'static str, i32), Vec<OwnedMessage>>;

/// The topics of one prefix. Dropped, they are gone.
pub(super) struct Topics(Settings);

impl Topics {
    pub(super) fn of(settings: &Settings) -> Self {
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

    pub(super) async fn create(&self, partitions: i32) {
        let names: Vec<_> = Aggregate::ALL.iter().map(|a| self.name(a.name())).collect();
        let fixed = |name| NewTopic::new(name, partitions, TopicReplication::Fixed(1));
        let topics: Vec<_> = names.iter().map(|name| fixed(name)).collect();
        let made = self.admin().create_topics(&topics, &self.options()).await;
        assert!(made.unwrap().iter().all(Result::is_ok));
    }

    pub(super) async fn delete(&self, aggregate: &str) {
        let name = self.name(aggregate);
        let gone = self.admin().delete_topics(&[&name], &self.options()).await;
        assert!(gone.unwrap().iter().all(Result::is_ok));
    }

    /// Everything that is in them.
    pub(super) async fn records(&self) -> Records {
        let (config, partitions, prefix) = (self.config(), self.0.partitions, self.name(""));
        tokio::task::spawn_blocking(move || read(&config.create().unwrap(), &prefix, partitions))
            .await
            .unwrap()
    }

    /// Adds records to a partition as they are.
    pub(super) async fn publish(&self, records: Records) {
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
        let flush = move || producer.flush(Timeout::Never).unwrap();
        tokio::task::spawn_blocking(flush).await.unwrap();
    }
}

impl Drop for Topics {
    fn drop(&mut self) {
        let names: Vec<_> = Aggregate::ALL.iter().map(|a| self.name(a.name())).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        // Nothing can be awaited here; the broker deletes them whether or not anybody listens.
        let _ = futures::executor::block_on(self.admin().delete_topics(&names, &self.options()));
    }
}

fn read(consumer: &BaseConsumer, prefix: &str, partitions: i32) -> Records {
    let mut records = Records::new();
    let mut assignment = TopicPartitionList::new();
    let mut unread = 0;
    for aggregate in Aggregate::ALL {
        let topic = format!("{prefix}{}", aggregate.name());
        for number in 0..partitions {
            records.insert((aggregate.name(), number), Vec::new());
            // A topic that is being deleted has none.
            let (_, end) = consumer
                .fetch_watermarks(&topic, number, TIMEOUT)
                .unwrap_or_default();
            if end > 0 {
                unread += end;
                assignment
                    .add_partition_offset(&topic, number, Offset::Beginning)
                    .unwrap();
            }
        }
    }
    consumer.assign(&assignment).unwrap();
    while unread > 0 {
        let message = consumer.poll(TIMEOUT).expect("a record").unwrap().detach();
        let aggregate = Aggregate::from_name(&message.topic()[prefix.len()..]).unwrap();
        let partition = (aggregate.name(), message.partition());
        records.get_mut(&partition).unwrap().push(message);
        unread -= 1;
    }
    records
}

/// A header of a record.
pub(super) fn header<'a>(message: &'a OwnedMessage, name: &str) -> &'a str {
    let headers = message.headers().unwrap();
    let header = headers.iter().find(|header| header.key == name).unwrap();
    std::str::from_utf8(header.value.unwrap()).unwrap()
}

pub(super) fn position(message: &OwnedMessage) -> i64 {
    header(message, "ce_position").parse().unwrap()
}

/// What is wrong with the topics of a log: nothing if every event is there once, in the order of the
/// log, linked to the one before it, with the bytes that were stored.
pub(super) async fn faults(log: &Log, records: &Records) -> Vec<String> {
    let head = log.head().await.unwrap().position;
    let mut missing: BTreeMap<i64, Recorded> = BTreeMap::new();
    while let last = missing.len().try_into().unwrap()
        && last < head
    {
        let page = log.page(last, 1000).await.unwrap();
        missing.extend(page.into_iter().map(|event| (event.position, event)));
    }
    let mut faults = Vec::new();
    for ((aggregate, number), messages) in records {
        let mut last = 0;
        for message in messages {
            let at = position(message);
            let here = format!("position {at} in {aggregate}/{number}");
            let Some(event) = missing.remove(&at) else {
                faults.push(format!("{here} is there twice or unknown"));
                continue;
            };
            if at < last || header(message, "ce_previous") != last.to_string() {
                faults.push(format!("{here} does not continue {last}"));
            }
            last = at;
            let same = message.payload() == Some(event.data.as_bytes())
                && message.key() == Some(event.stream_id.to_string().as_bytes())
                && header(message, "ce_metadata") == event.metadata
                && header(message, "ce_id") == event.event_id.to_string()
                && header(message, "ce_hash") == event.hash().to_string()
                && header(message, "ce_type") == format!("tidemark.{}", event.event_type)
                && *aggregate == event.aggregate;
            if !same {
                faults.push(format!("{here} is not what was stored"));
            }
        }
    }
    faults.extend(
        missing
            .keys()
            .map(|position| format!("position {position} is lost")),
    );
    faults
}
