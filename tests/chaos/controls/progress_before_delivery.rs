//! A relay saves what it has published before the broker has it, and dies in between.

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::util::Timeout;
use tidemark_events::{Aggregate, Recorded};
use tidemark_tests::records;

use super::support::log;
use super::{Outcome, Setup};
use crate::invariants::topics;
use crate::invariants::topics::Repeats;
use crate::servers::{Kafka, ServerOptions};
use crate::supervisor::Supervisor;
use crate::wait::wait_until;

const LENGTH: i64 = 200;
const PAGE: usize = 50;
/// How many records of the second page are delivered before the relay dies.
const DELIVERED: usize = 20;
const PREFIX: &str = "control";

/// What survives the relay's death.
struct Relay {
    /// How many events it believes to have published.
    saved: usize,
    /// The position of the last record in the partition.
    last_position: i64,
}

pub(super) async fn run(mut setup: Setup) -> Outcome {
    let supervisor = Supervisor::new();
    let (paths, directory) = (&setup.paths, &setup.directory);
    let kafka = Kafka::start(&supervisor, paths, directory, &ServerOptions::default());
    wait_until("Kafka is ready", || kafka.is_ready()).await;
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

    let log = log(&mut setup.rng, LENGTH);
    let producer: ThreadedProducer<DefaultProducerContext> = client.create().unwrap();
    let published = log.clone();
    let records = tokio::task::spawn_blocking(move || {
        let mut relay = Relay {
            saved: 0,
            last_position: 0,
        };
        relay.publish(&published, &producer, Some(PAGE + DELIVERED));
        relay.publish(&published, &producer, None);
        records::read(&client, PREFIX, 1)
    });
    let (lost, _) = topics::violations(&log, &records.await.unwrap(), Repeats::Forbidden);
    Outcome::Checked(lost)
}

impl Relay {
    /// Goes on after what it believes to have published, and dies after `dies_after` records.
    fn publish(
        &mut self,
        log: &[Recorded],
        producer: &ThreadedProducer<DefaultProducerContext>,
        dies_after: Option<usize>,
    ) {
        let mut sent = 0;
        while self.saved < log.len() {
            let page = &log[self.saved..(self.saved + PAGE).min(log.len())];
            // This is the mistake: the page is not delivered yet.
            self.saved += page.len();
            for event in page {
                if dies_after == Some(sent) {
                    break;
                }
                send(producer, event, self.last_position);
                self.last_position = event.position;
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
