//! Section `[kafka]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::positive;

/// How records are compressed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    Gzip,
    Lz4,
    None,
}

impl Compression {
    /// The name of the compression, as Kafka's clients know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
            Self::None => "none",
        }
    }
}

/// The broker, the topics and the clients of both.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    pub brokers: String,
    pub topic_prefix: String,
    #[garde(custom(positive))]
    pub partitions: i32,
    #[garde(custom(positive))]
    pub replication_factor: i32,
    #[garde(custom(positive))]
    pub message_timeout_ms: u64,
    pub linger_ms: u64,
    pub compression: Compression,
    #[garde(custom(positive))]
    pub fetch_wait_max_ms: u64,
    #[garde(custom(positive))]
    pub queue_max_kbytes: u64,
    #[garde(custom(positive))]
    pub request_timeout_ms: u64,
    #[garde(custom(positive))]
    pub stall_ms: u64,
}
