//! Section `[projection]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use std::collections::BTreeMap;
use std::num::NonZeroU8;

use garde::Validate;
use serde::Deserialize;

use super::bounds::{at_most, positive};

/// The workers that keep read models.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Projection {
    pub feed: FeedChoice,
    #[garde(custom(positive))]
    pub batch_max: usize,
    #[garde(custom(positive))]
    pub batch_bytes_max: i64,
    #[garde(custom(positive))]
    pub batch_rows_max: usize,
    #[garde(custom(positive))]
    pub batch_rows_bytes_max: usize,
    pub batch_ms: u64,
    #[garde(custom(positive))]
    pub part_max: usize,
    #[garde(custom(positive))]
    pub together_ms: u64,
    pub alone_ms: u64,
    #[garde(custom(at_most("projection.together_ms", self.together_ms)))]
    pub together_interval_ms: u64,
    #[garde(custom(at_most("projection.together_ms", self.together_ms)))]
    pub together_wait_ms: u64,
    #[garde(custom(positive))]
    pub ring_events_max: usize,
    #[garde(custom(positive))]
    pub ring_bytes_max: usize,
    pub pages_bytes_max: usize,
    pub cache_rows_max: usize,
    pub cache_bytes_max: usize,
    #[garde(custom(positive))]
    pub prompt_connections: u32,
    #[garde(custom(positive))]
    pub lease_ms: u64,
    #[garde(custom(positive), custom(at_most("projection.poll_max_ms", self.poll_max_ms)))]
    pub poll_ms: u64,
    pub poll_max_ms: u64,
    #[garde(custom(positive), custom(at_most("projection.retry_max_ms", self.retry_max_ms)))]
    pub retry_ms: u64,
    pub retry_max_ms: u64,
    pub retries_shown_ms: u64,
    #[garde(custom(positive))]
    pub blocked_retry_ms: u64,
    #[garde(custom(positive))]
    pub check_ms: u64,
    #[garde(custom(positive))]
    pub measure_ms: u64,
    pub lag_objective_ms: u64,
    pub lag_objectives_ms: BTreeMap<String, u64>,
    pub shards: BTreeMap<String, NonZeroU8>,
}

/// From where a projector takes new events.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum FeedChoice {
    Kafka,
    Log,
}
