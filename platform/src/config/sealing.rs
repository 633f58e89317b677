//! Section `[sealing]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use secrecy::SecretString;
use serde::Deserialize;

/// The keys of personal data.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealing {
    pub master_key: SecretString,
    pub lookup_key: SecretString,
    pub key_cache_s: u64,
}
