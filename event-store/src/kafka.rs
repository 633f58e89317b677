//! What the relay and the feed share about Kafka: the settings, the clients, the topics, and the form
//! of a record. What is published and what is read is decided elsewhere.

mod blocking_drop;
mod client;
mod murmur2;
mod record;
mod topics;

use std::time::Duration;

pub(crate) use blocking_drop::BlockingDrop;
pub(crate) use client::{Consumer, QuietContext, admin, consumer, producer_config};
pub(crate) use record::{Publication, Record, Timeline};
pub(crate) use topics::{End, Partition, create_topics, offsets, partition_counts, partition_of};

/// How to reach Kafka, and the limits of every request to it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The bootstrap brokers, separated by commas.
    pub brokers: String,
    /// The first part of every topic's name: `<topic_prefix>.<aggregate>`.
    pub topic_prefix: String,
    /// The number of partitions of each topic, which never changes once a topic exists.
    pub partitions: i32,
    /// The number of replicas that a new topic gets.
    pub replication_factor: i32,
    /// How long the producer tries to deliver a record.
    pub message_timeout: Duration,
    /// How long the producer gathers records into a batch.
    pub linger: Duration,
    /// How the producer compresses records, by the name that librdkafka has for it.
    pub compression: &'static str,
    /// How long a broker holds a fetch that finds nothing.
    pub fetch_wait_max: Duration,
    /// How many kilobytes of records are fetched ahead for each partition at most.
    pub queue_max_kbytes: u64,
    /// How long a request for metadata, offsets or new topics may take.
    pub request_timeout: Duration,
    /// How long the feed may make no progress behind the head of the log before it reads from the log.
    pub stall: Duration,
}

/// Makes [`kafka::Settings`](crate::kafka::Settings) out of a section of the configuration whose fields have the same
/// names, those of times with their unit: `linger_ms`.
///
/// This is a macro because it cannot be a `From`: the crate that reads the configuration and this one
/// do not depend on each other. The compiler still checks each field.
#[macro_export]
macro_rules! kafka_settings {
    ($section:expr) => {{
        let section = &$section;
        let millis = ::std::time::Duration::from_millis;
        $crate::kafka::Settings {
            brokers: section.brokers.clone(),
            topic_prefix: section.topic_prefix.clone(),
            partitions: section.partitions,
            replication_factor: section.replication_factor,
            message_timeout: millis(section.message_timeout_ms),
            linger: millis(section.linger_ms),
            compression: section.compression.name(),
            fetch_wait_max: millis(section.fetch_wait_max_ms),
            queue_max_kbytes: section.queue_max_kbytes,
            request_timeout: millis(section.request_timeout_ms),
            stall: millis(section.stall_ms),
        }
    }};
}
