//! What ends a recovery although no broker answers.

use std::net::TcpListener;
use std::time::Duration;

use super::*;
use crate::TimedPool;
use crate::testing::{create_database, database_name};

/// A broker that says nothing, and how to reach it.
fn silent() -> (TcpListener, Settings) {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        brokers: broker.local_addr().unwrap().to_string(),
        topic_prefix: "test".to_owned(),
        partitions: 1,
        replication_factor: 1,
        message_timeout: Duration::from_secs(1),
        linger: Duration::ZERO,
        compression: "none",
        fetch_wait_max: Duration::from_millis(10),
        queue_max_kbytes: 64,
        request_timeout: Duration::from_millis(100),
        stall: Duration::from_secs(1),
    };
    (broker, settings)
}

#[test]
fn a_broker_that_says_nothing_is_given_up() {
    let (_broker, settings) = silent();
    let partition = Partition {
        topic: "test".into(),
        number: 0,
    };
    let mut unread = [PartitionScan::from_beginning(0, 1)];
    let client = Arc::new(consumer(&settings).unwrap());
    let read = read_to_the_ends(&client, &settings, &[partition], &mut unread);
    assert!(matches!(read, Err(Error::RecoveryStalled)), "{read:?}");
}

#[tokio::test]
async fn only_what_is_ahead_of_the_log_was_published_from_another() {
    let (_broker, settings) = silent();
    let pool = create_database(&database_name("recovery_ahead")).await;
    let log = Log::new(TimedPool::new(pool.clone(), Duration::from_secs(10)));
    let (progress, _) = Progress::begin_term(pool, 1).await.unwrap();
    let partitions = Partitions::new(&settings);
    let ahead = recover(&log, &progress, &settings, &partitions, 1).await;
    assert!(matches!(
        ahead,
        Err(Error::AheadOfLog {
            position: 1,
            head: 0
        })
    ));
    let at_its_end = recover(&log, &progress, &settings, &partitions, 0).await;
    assert!(matches!(at_its_end, Err(Error::Kafka(_))), "{at_its_end:?}");
}
