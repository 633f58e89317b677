//! Section `[http]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::positive;

/// Limits of every HTTP server.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Http {
    #[garde(custom(positive))]
    pub body_bytes_max: usize,
    #[garde(custom(positive))]
    pub auth_body_bytes_max: usize,
    #[garde(custom(positive))]
    pub header_read_timeout_ms: u64,
    #[garde(custom(positive))]
    pub body_timeout_ms: u64,
    #[garde(custom(positive))]
    pub write_timeout_ms: u64,
    #[garde(custom(positive))]
    pub handler_timeout_ms: u64,
    #[garde(custom(positive))]
    pub keep_alive_ms: u64,
    pub drain_ms: u64,
    pub threads_ms: u64,
    #[garde(custom(positive))]
    pub url_bytes_max: usize,
    #[garde(custom(positive))]
    pub header_bytes_max: usize,
    #[garde(custom(positive))]
    pub headers_max: usize,
    #[garde(custom(positive))]
    pub json_depth_max: usize,
    #[garde(custom(positive))]
    pub connections_max: usize,
    #[garde(custom(positive))]
    pub connections_per_address_max: usize,
    #[garde(custom(positive))]
    pub http2_streams_max: u32,
    #[garde(custom(positive))]
    pub in_flight_max: usize,
    #[garde(custom(positive))]
    pub in_flight_per_address_max: usize,
    pub proxies: usize,
    pub retry_after_s: u64,
    #[garde(custom(positive))]
    pub event_retry_ms: u64,
    #[garde(custom(positive))]
    pub readiness_timeout_ms: u64,
    pub metrics_age_max_ms: u64,
    #[serde(deserialize_with = "super::list::deserialize")]
    pub cors_origins: Vec<String>,
    pub cors_max_age_s: u64,
    #[garde(custom(positive))]
    pub read_logged_one_in: u64,
}
