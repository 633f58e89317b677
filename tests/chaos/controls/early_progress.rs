//! A relay notes what it has published before the broker has it, and dies in between.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use tidemark_events::{Aggregate, Recorded};
use tidemark_tests::records;

use super::support::log;
use super::{Caught, World};
use crate::check::topics;
use crate::faults::Topics;
use crate::servers::{Kafka, Options};
use crate::stack::until;
use crate::supervisor::Supervisor;

const LENGTH: i64 = 200;
const PAGE: usize = 50;
/// Of the second page, so much was delivered.
const DELIVERED: usize = 20;
const PREFIX: &str = "control";

/// What of it survives: its progress.
struct Relay {
    saved: usize,
    last: i64,
}

pub(super) async fn run(mut world: World) -> Caught {
    let supervisor = Supervisor::new();
    let (machine, directory) = (&world.machine, &world.directory);
    let kafka = Kafka::start(&supervisor, machine, directory, &Options::default());
    until("Kafka", || kafka.is_ready()).await;
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", kafka.brokers())
        .set("group.id", PREFIX);
    let admin: AdminClient<DefaultClientContext> = client.create().unwrap();
    let names: Vec<_> = Aggregate::ALL
        .iter()
        .map(|aggregate| aggregate.topic(PREFIX))
        .collect();
    let new = |name| NewTopic::new(name, 1, TopicReplication::Fixed(1));
    let new: Vec<_> = names.iter().map(|name| new(name)).collect();
    admin
        .create_topics(&new, &AdminOptions::new())
        .await
        .unwrap();

    let log = log(&mut world.rng, LENGTH);
    let producer: ThreadedProducer<DefaultProducerContext> = client.create().unwrap();
    let published = log.clone();
    let records = tokio::task::spawn_blocking(move || {
        let mut relay = Relay { saved: 0, last: 0 };
        relay.publish(&published, &producer, Some(PAGE + DELIVERED));
        relay.publish(&published, &producer, None);
        records::read(&client, PREFIX, 1)
    });
    let (lost, _) = topics::faults(&log, &records.await.unwrap(), Topics::Exact);
    Caught::new("I6", lost)
}

impl Relay {
    /// Goes on where it believes to have been, and dies after so many records.
    fn publish(
        &mut self,
        log: &[Recorded],
        producer: &ThreadedProducer<DefaultProducerContext>,
        dies_after: Option<usize>,
    ) {
        let mut sent = 0;
        while self.saved < log.len() {
            let page = &log[self.saved..(self.saved + PAGE).min(log.len())];
            // The mistake.
            self.saved += page.len();
            for event in page {
                if dies_after == Some(sent) {
                    break;
                }
                send(producer, event, self.last);
                self.last = event.position;
                sent += 1;
            }
            producer.flush(Timeout::Never).unwrap();
            if dies_after == Some(sent) {
                return;
            }
        }
    }
}

fn send(producer: &ThreadedProducer<DefaultProducerContext>, event: &Recorded, previous: i64) {
    let headers = [
        ("ce_position", event.position.to_string()),
        ("ce_previous", previous.to_string()),
        ("ce_metadata", event.metadata.clone()),
        ("ce_id", event.event_id.to_string()),
        ("ce_hash", event.hash().to_string()),
        ("ce_type", format!("tidemark.{}", event.event_type)),
    ];
    let headers = headers
        .iter()
        .fold(OwnedHeaders::new(), |headers, (key, value)| {
            headers.insert(Header {
                key,
                value: Some(value),
            })
        });
    let aggregate = Aggregate::from_name(&event.aggregate).unwrap();
    let (topic, key) = (aggregate.topic(PREFIX), event.stream_id.to_string());
    let record = BaseRecord::to(&topic)
        .key(&key)
        .payload(&event.data)
        .headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
}
