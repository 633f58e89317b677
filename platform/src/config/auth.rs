//! Section `[auth]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::bounds::{at_most, base_url, positive};

/// Tokens, sessions and passwords.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    #[garde(custom(base_url))]
    pub issuer: String,
    pub audience: String,
    #[garde(custom(positive))]
    pub access_token_ttl_s: i64,
    #[garde(range(min = 0))]
    pub refresh_token_idle_s: i64,
    #[garde(custom(positive))]
    pub refresh_token_absolute_s: i64,
    #[garde(range(min = 0, max = 60))]
    pub refresh_token_grace_s: i64,
    pub leeway_s: i64,
    pub signing_key: SecretString,
    pub verifying_key: SecretString,
    pub other_verifying_key: SecretString,
    pub keys_max_age_s: u64,
    #[garde(range(min = 15), custom(at_most("auth.password_max", self.password_max)))]
    pub password_min: usize,
    #[garde(range(max = 128))]
    pub password_max: usize,
    #[garde(custom(positive))]
    pub hash_concurrency: usize,
    pub hash_queue_max: usize,
    #[garde(custom(positive))]
    pub hash_per_address_max: usize,
    #[garde(custom(positive))]
    pub hash_wait_ms: u64,
    #[garde(custom(positive))]
    pub argon2_memory_kib: u32,
    #[garde(custom(positive))]
    pub argon2_iterations: u32,
    #[garde(custom(positive))]
    pub argon2_parallelism: u32,
}
