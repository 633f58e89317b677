//! Section `[rebuild]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::positive;

/// Generations that are built beside those that serve.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    #[garde(custom(positive))]
    pub tick_ms: u64,
    #[garde(custom(positive))]
    pub lease_ms: u64,
    pub level_events: u32,
    #[garde(range(min = 1, max = 1024))]
    pub at_once: u32,
    pub gives_way_ms: u64,
    #[garde(range(min = 1, max = 100))]
    pub share_percent: u32,
    #[garde(custom(positive))]
    pub batch_max: usize,
    #[garde(custom(positive))]
    pub compare_rows_max: u32,
    #[garde(custom(positive))]
    pub compare_looks_max: u32,
    pub compare_pause_ms: u64,
    #[garde(custom(positive))]
    pub compare_attempts_max: u32,
    pub differences_max: u32,
    pub kept_s: u32,
    #[garde(custom(positive))]
    pub delete_rows_max: u32,
    #[garde(custom(positive))]
    pub drop_retry_ms: u64,
}
