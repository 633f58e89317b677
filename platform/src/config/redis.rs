//! Section `[redis]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::bounds::positive;

/// Redis, which holds the documents of read models.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Redis {
    pub url: SecretString,
    pub key_prefix: String,
    #[garde(custom(positive))]
    pub response_timeout_ms: u64,
    #[garde(custom(positive))]
    pub script_documents_max: usize,
    #[garde(custom(positive))]
    pub script_bytes_max: usize,
    #[garde(custom(positive))]
    pub queue_bytes_max: usize,
    #[garde(custom(positive))]
    pub check_ms: u64,
    #[garde(custom(positive))]
    pub breaker_failures: u32,
    #[garde(custom(positive))]
    pub breaker_open_ms: u64,
    #[garde(custom(positive))]
    pub breaker_silence_ms: u64,
}
