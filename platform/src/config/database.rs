//! Section `[database]`.

#![expect(missing_docs, reason = "`default.toml` documents each setting")]

use std::time::Duration;

use garde::Validate;
use secrecy::SecretString;
use serde::Deserialize;

use super::bounds::{longer_than, positive};

/// Postgres: a URL for each role, and the limits of every connection pool. A process is given the URLs of the roles
/// that it needs and no other.
#[derive(Clone, Debug, Deserialize, Validate)]
#[garde(allow_unvalidated)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub owner_url: SecretString,
    pub append_url: SecretString,
    pub relay_url: SecretString,
    pub project_url: SecretString,
    pub read_url: SecretString,
    #[garde(custom(positive))]
    pub max_connections: u32,
    #[garde(custom(positive))]
    pub acquire_timeout_ms: u64,
    #[garde(custom(positive))]
    pub statement_timeout_ms: u64,
    #[garde(custom(positive), custom(longer_than("database.statement_timeout_ms", self.statement_timeout_ms)))]
    pub response_timeout_ms: u64,
    #[garde(custom(positive))]
    pub lock_timeout_ms: u64,
    #[garde(custom(positive))]
    pub idle_in_transaction_timeout_ms: u64,
    #[garde(custom(positive))]
    pub max_lifetime_s: u64,
}

impl Database {
    /// `response_timeout_ms` as a duration.
    #[must_use]
    pub const fn response_timeout(&self) -> Duration {
        Duration::from_millis(self.response_timeout_ms)
    }
}
