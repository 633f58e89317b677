//! What the relay and the feed share about Kafka: its settings, its clients, the topics, and the
//! form of a record. It decides neither what is published nor what is read.

mod client;
mod murmur2;
mod offload;
mod record;
mod topics;

use std::time::Duration;

pub(crate) use client::{Consumer, Quiet, admin, consumer, producer_config};
pub(crate) use offload::Offload;
pub(crate) use record::{Envelope, Record, Timeline};
pub(crate) use topics::{End, Partition, create_topics, offsets, partition_counts, partition_of};

/// How Kafka is spoken to.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Comma-separated bootstrap brokers.
    pub brokers: String,
    /// First part of every topic's name.
    pub topic_prefix: String,
    /// Partitions of a topic: fixed when it is created.
    pub partitions: i32,
    /// Replicas of a topic that is created.
    pub replication_factor: i32,
    /// How long the producer tries to deliver a record.
    pub message_timeout: Duration,
    /// How long the producer gathers records into a batch.
    pub linger: Duration,
    /// How long a broker holds a fetch that finds nothing.
    pub fetch_wait_max: Duration,
    /// Records prefetched per partition.
    pub queue_max_kbytes: u64,
    /// How long a request for metadata, offsets or topic creation may take.
    pub request_timeout: Duration,
    /// How long the feed stands still behind the log's head before it reads on from the log.
    pub stall: Duration,
}
