//! What the publisher makes of reports, and when it saves, on a real Postgres. The reports are made up: nothing is
//! sent to a broker.

use std::time::Duration;

use futures::FutureExt as _;
use sqlx::PgPool;

use super::*;
use crate::testing::{create_database, database_name};
use crate::{TimedPool, kafka};

/// Longer than any of these tests takes.
const NEVER: Duration = Duration::from_hours(1);

/// How long the producer tries to deliver a record. The publisher waits for 30 s of it.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(40);

/// What a publisher of an empty log needs.
struct Relayed {
    pool: PgPool,
    log: Log,
    settings: Settings,
    partitions: Partitions,
    confirmed: watch::Sender<i64>,
    appended: Notify,
}

impl Relayed {
    async fn new(test: &str) -> Self {
        let pool = create_database(&database_name(&format!("publisher_{test}"))).await;
        let settings = settings();
        Self {
            log: Log::new(TimedPool::new(pool.clone(), Duration::from_secs(10))),
            partitions: Partitions::new(&settings.kafka),
            confirmed: watch::Sender::new(0),
            appended: Notify::new(),
            pool,
            settings,
        }
    }

    /// A publisher that has given so many events to the producer.
    async fn publisher(&self, events: usize) -> Publisher<'_> {
        let term = Progress::begin_term(self.pool.clone(), 1).await;
        let (progress, _) = term.unwrap();
        let topics = Partitions::topic_names(&self.settings.kafka);
        let partitions = self.settings.kafka.partitions;
        progress.add_topics(&topics, partitions).await.unwrap();
        let recovered = Recovered {
            confirmed: 0,
            progress: vec![PartitionProgress::default(); self.partitions.all.len()],
            ends: Vec::new(),
            requests_up_to: 0,
        };
        let wiring = (&self.partitions, &self.confirmed, &self.appended);
        let started = Publisher::start(&self.log, &self.settings, wiring, progress, recovered);
        let mut publisher = started.await.unwrap();
        (0..events).for_each(|_| publisher.in_flight.send(Instant::now()));
        publisher
    }

    /// The position up to which the progress is saved.
    async fn saved(&self) -> i64 {
        let saved = sqlx::query_scalar("select position from relay_progress");
        saved.fetch_one(&self.pool).await.unwrap()
    }
}

fn settings() -> Settings {
    Settings {
        kafka: kafka::Settings {
            brokers: "127.0.0.1:1".to_owned(),
            topic_prefix: "test".to_owned(),
            partitions: 2,
            replication_factor: 1,
            message_timeout: MESSAGE_TIMEOUT,
            linger: Duration::ZERO,
            compression: "none",
            fetch_wait_max: NEVER,
            queue_max_kbytes: 64,
            request_timeout: NEVER,
            stall: NEVER,
        },
        lease: NEVER,
        takeover_wait: NEVER,
        page_size: 200,
        page_bytes: 1 << 20,
        page_interval: NEVER,
        idle_poll: NEVER,
        idle_poll_max: NEVER,
        in_flight_max_kbytes: 256,
        save_interval: NEVER,
        topics_check: NEVER,
        retry: NEVER,
        alarm_retry: NEVER,
    }
}

fn seconds_ago(seconds: u64) -> Instant {
    let now = Instant::now();
    now.checked_sub(Duration::from_secs(seconds)).unwrap()
}

/// The report that the first partition has the event at this offset.
fn delivered(position: i64, offset: i64) -> DeliveryReport {
    DeliveryReport {
        record: RecordId {
            partition: 0,
            position,
            traced: None,
        },
        offset: Ok(offset),
    }
}

#[tokio::test]
async fn an_offset_that_was_given_already_is_one_of_another_topic() {
    let relayed = Relayed::new("offsets").await;
    let mut publisher = relayed.publisher(3).await;
    publisher.acknowledge(delivered(1, 7)).unwrap();
    // Offsets may be left out.
    publisher.acknowledge(delivered(2, 9)).unwrap();
    let acknowledged = PartitionProgress {
        position: 2,
        next_offset: 10,
        adopted_until: 0,
    };
    assert_eq!(publisher.acknowledged[0], acknowledged);
    let replaced = publisher.acknowledge(delivered(3, 9));
    assert!(matches!(
        replaced,
        Err(Error::TopicReplaced {
            position: 3,
            offset: 9,
            expected: 10
        })
    ));
}

#[tokio::test]
async fn the_term_ends_well_before_a_record_expires() {
    let relayed = Relayed::new("expiry").await;
    let mut publisher = relayed.publisher(0).await;
    publisher.in_flight.send(seconds_ago(29));
    let early = publisher.next_report().now_or_never();
    assert!(early.is_none(), "{early:?}");

    publisher.in_flight = InFlight::new(0);
    publisher.in_flight.send(seconds_ago(31));
    let late = publisher.take_next_report().now_or_never();
    assert!(matches!(
        late,
        Some(Err(Error::Unacknowledged { position: 1 }))
    ));
}

#[tokio::test]
async fn progress_is_saved_once_nothing_is_in_flight() {
    let relayed = Relayed::new("drained").await;
    let mut publisher = relayed.publisher(2).await;
    publisher.acknowledge(delivered(1, 0)).unwrap();
    publisher.save_if_due().await.unwrap();
    assert_eq!((relayed.saved().await, *relayed.confirmed.borrow()), (0, 0));
    publisher.acknowledge(delivered(2, 1)).unwrap();
    publisher.save_if_due().await.unwrap();
    assert_eq!((relayed.saved().await, *relayed.confirmed.borrow()), (2, 2));
}

#[tokio::test]
async fn progress_is_saved_once_an_interval_while_something_is_in_flight() {
    let mut relayed = Relayed::new("interval").await;
    relayed.settings.save_interval = Duration::ZERO;
    let mut publisher = relayed.publisher(2).await;
    publisher.acknowledge(delivered(1, 0)).unwrap();
    publisher.save_if_due().await.unwrap();
    assert_eq!(relayed.saved().await, 1);
}

#[tokio::test]
async fn progress_that_is_saved_is_not_saved_again() {
    let mut relayed = Relayed::new("unchanged").await;
    relayed.settings.save_interval = Duration::ZERO;
    let mut publisher = relayed.publisher(1).await;
    publisher.acknowledge(delivered(1, 0)).unwrap();
    publisher.save_if_due().await.unwrap();
    let saved_at = publisher.saved_at;
    publisher.save_if_due().await.unwrap();
    assert_eq!(publisher.saved_at, saved_at);
}
