//! Section `[tasks]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use serde::Deserialize;

use super::bounds::positive;
use super::list;
use super::list::PAUSES_MAX;

/// What tasks may call, and how often.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Tasks {
    #[garde(range(min = 1, max = 10_000))]
    pub per_user_max: u32,
    #[garde(range(max = 10_000))]
    pub frequent_per_user_max: u32,
    #[serde(deserialize_with = "list::deserialize")]
    pub allowed_private_hosts: Vec<String>,
    #[serde(deserialize_with = "list::deserialize")]
    pub own_hosts: Vec<String>,
    #[serde(deserialize_with = "list::deserialize")]
    #[garde(length(max = PAUSES_MAX))]
    pub retry_pauses_ms: Vec<u32>,
    #[garde(custom(positive))]
    pub call_timeout_ms: u64,
    #[garde(custom(positive))]
    pub connect_timeout_ms: u64,
    #[garde(range(min = 16_384, max = 16_777_216))]
    pub answer_bytes_max: usize,
    #[garde(range(min = 1, max = 1_000))]
    pub lookups_max: usize,
    #[garde(range(min = 1, max = 1_000))]
    pub lookups_per_user_max: usize,
    #[garde(custom(positive))]
    pub schedules_per_user_max: usize,
    #[garde(range(min = 1, max = 2_592_000))]
    pub old_secret_s: u32,
    #[garde(range(min = 1, max = 10))]
    pub old_secrets_max: u32,
}
