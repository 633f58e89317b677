//! Settings of the engines that hold the data.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;

/// Postgres. Each process is given the URLs of the roles that it needs and no other.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// URL of the role that owns the schema; only migrations use it.
    pub owner_url: SecretString,
    /// URL of the role that appends.
    pub append_url: SecretString,
    /// URL of the role that relays to Kafka.
    pub relay_url: SecretString,
    /// URL of the role that writes read models.
    pub project_url: SecretString,
    /// URL of the role that only reads.
    pub read_url: SecretString,
    /// Connections a process opens at most, per role.
    pub max_connections: u32,
    /// How long a caller waits for a free connection.
    pub acquire_timeout_ms: u64,
    /// How long Postgres lets one statement run.
    pub statement_timeout_ms: u64,
    /// How long a client waits for Postgres to answer.
    pub response_timeout_ms: u64,
    /// How long Postgres lets a statement wait for a lock.
    pub lock_timeout_ms: u64,
    /// How long Postgres lets a transaction sit idle.
    pub idle_in_transaction_timeout_ms: u64,
    /// Age at which a connection is replaced.
    pub max_lifetime_s: u64,
}

impl Database {
    /// How long a client waits for Postgres to answer.
    #[must_use]
    pub const fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }
}

/// The broker and how it is spoken to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// Comma-separated bootstrap brokers; empty means that there is no broker.
    pub brokers: String,
    /// First part of every topic's name.
    pub topic_prefix: String,
    /// Partitions of a topic that is created.
    pub partitions: i32,
    /// Replicas of a topic that is created.
    pub replication_factor: i32,
    /// How long the producer tries to deliver a record.
    pub message_timeout_ms: u64,
    /// How long the producer gathers records into a batch.
    pub linger_ms: u64,
    /// How long a broker holds a fetch that finds nothing.
    pub fetch_wait_max_ms: u64,
    /// Records prefetched per partition.
    pub queue_max_kbytes: u64,
    /// How long a request for metadata, offsets or topic creation may take.
    pub request_timeout_ms: u64,
    /// How long the feed stands still behind the log's head before it reads on from the log.
    pub stall_ms: u64,
}

/// The way from the log to Kafka.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// How long a relay leads without renewing its lease.
    pub lease_ms: u64,
    /// How long a new producer waits out what its predecessor may still have in flight.
    pub takeover_wait_ms: u64,
    /// Events read from the log at once.
    pub page_size: i64,
    /// How often the log is looked at when nothing new was found.
    pub idle_poll_ms: u64,
    /// Records given to the producer and not yet acknowledged.
    pub in_flight_max_kbytes: u64,
    /// How often progress is saved while there is always something in flight.
    pub save_interval_ms: u64,
    /// How often the relay looks whether the topics are still there.
    pub topics_check_ms: u64,
    /// Pause before a new term after a failure.
    pub retry_ms: u64,
    /// Pause before the relay looks again whether log and topics still contradict each other.
    pub alarm_retry_ms: u64,
}

/// The hot documents.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    /// Connection URL; empty means that queries use Postgres alone.
    pub url: SecretString,
    /// First part of every key.
    pub key_prefix: String,
    /// How long a command may take.
    pub response_timeout_ms: u64,
    /// Documents written by one script at most.
    pub script_documents_max: usize,
    /// Documents of a shard that wait to be written at most.
    pub queue_max: usize,
    /// How often a quiet read model is compared with its documents, and a failure is tried again.
    pub check_ms: u64,
}
