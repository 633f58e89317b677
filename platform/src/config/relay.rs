//! Section `[relay]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::{at_most, positive};

/// The relay, which publishes the log to Kafka.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    #[garde(custom(positive))]
    pub lease_ms: u64,
    #[garde(custom(positive))]
    pub takeover_wait_ms: u64,
    #[garde(custom(positive))]
    pub page_size: i64,
    #[garde(custom(positive))]
    pub page_bytes_max: i64,
    pub page_interval_ms: u64,
    #[garde(custom(positive), custom(at_most("relay.idle_poll_max_ms", self.idle_poll_max_ms)))]
    pub idle_poll_ms: u64,
    pub idle_poll_max_ms: u64,
    #[garde(custom(positive))]
    pub in_flight_max_kbytes: u64,
    #[garde(custom(positive))]
    pub save_interval_ms: u64,
    #[garde(custom(positive))]
    pub topics_check_ms: u64,
    #[garde(custom(positive))]
    pub retry_ms: u64,
    #[garde(custom(positive))]
    pub alarm_retry_ms: u64,
}
