//! Section `[query]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::{at_most, longer_than, positive};

/// What the query API serves.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Query {
    #[garde(custom(positive))]
    pub prompt_connections: u32,
    #[garde(custom(positive))]
    pub live_connections: u32,
    #[garde(custom(positive))]
    pub document_connections: u32,
    #[garde(custom(positive))]
    pub list_connections: u32,
    #[garde(custom(positive))]
    pub audit_connections: u32,
    #[garde(custom(positive))]
    pub operations_connections: u32,
    pub wait_ms: u64,
    #[garde(custom(positive))]
    pub watch_ms: u64,
    #[garde(custom(positive))]
    pub notification_silence_ms: u64,
    pub live_ms: u64,
    #[garde(custom(positive))]
    pub watch_idle_ms: u64,
    #[garde(custom(positive))]
    pub record_timeout_ms: u64,
    #[garde(custom(longer_than("query.watch_idle_ms", self.watch_idle_ms)))]
    pub hot_lag_max_ms: u64,
    #[garde(custom(at_most("query.hot_lag_max_ms", self.hot_lag_max_ms)))]
    pub hot_wait_ms: u64,
    #[garde(custom(positive))]
    pub hot_retry_ms: u64,
    pub hot_cache_ms: u64,
    pub hot_cache_documents_max: u64,
    pub page_max: i64,
    #[garde(custom(positive), custom(at_most("query.page_max", self.page_max)))]
    pub page_default: i64,
    #[garde(custom(positive))]
    pub examined_rows_max: i64,
    #[garde(custom(positive))]
    pub sse_clients_max: usize,
    #[garde(custom(positive))]
    pub sse_clients_per_address_max: usize,
    #[garde(custom(positive))]
    pub sse_clients_per_user_max: usize,
    #[garde(custom(positive))]
    pub sse_session_check_s: u64,
    #[garde(custom(positive))]
    pub sse_reads_max: usize,
    pub sse_wait_ms: u64,
    #[garde(custom(positive))]
    pub sse_keep_alive_s: u64,
    #[garde(custom(positive))]
    pub sse_refresh_s: u64,
    #[garde(custom(positive))]
    pub sse_retry_ms: u64,
}
