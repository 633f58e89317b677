//! Section `[executor]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::{at_most_a_quarter, positive};

/// The executor, which decides commands and appends their events.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Executor {
    #[garde(custom(positive))]
    pub queue_max: usize,
    #[garde(custom(positive), custom(at_most_a_quarter("executor.queue_max", self.queue_max)))]
    pub queue_per_principal_max: usize,
    #[garde(custom(positive))]
    pub queue_services_max: usize,
    #[garde(custom(positive))]
    pub batch_max: usize,
    #[garde(custom(positive))]
    pub batch_bytes_max: usize,
    #[garde(custom(positive))]
    pub event_bytes_max: usize,
    #[garde(custom(positive))]
    pub events_per_command_max: usize,
    #[garde(custom(positive))]
    pub command_deadline_ms: u64,
    #[garde(custom(positive))]
    pub decision_age_max_ms: u64,
    #[garde(custom(positive))]
    pub decision_ahead_max_ms: u64,
    #[garde(custom(positive))]
    pub append_timeout_ms: u64,
    #[garde(custom(positive))]
    pub loads_max: usize,
    #[garde(custom(positive))]
    pub snapshot_every: i64,
    pub state_cache_bytes: u64,
    #[garde(custom(positive))]
    pub records_cached_max: usize,
    pub records_trusted_ms: u64,
    #[garde(custom(positive))]
    pub idempotency_ttl_h: u64,
    #[garde(custom(positive))]
    pub expiry_interval_ms: u64,
    #[garde(custom(positive))]
    pub expiry_step: i32,
    pub expiry_pause_ms: u64,
}
