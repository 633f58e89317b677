//! The records of commands that came with an `Idempotency-Key`: what was answered to them, and for how
//! long that is kept. They are looked up and written by the SQL function `append`; requests that meet in one
//! process share an answer in `command-api/src/executor/idempotency.rs`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sqlx::PgPool;
use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::interval::interval;

/// What the log remembers of a command, so that the same request gets the same answer again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IdempotencyRecord {
    /// The principal who sent the command.
    pub principal: String,
    /// The `Idempotency-Key` of the request.
    pub key: String,
    /// The HMAC-SHA-256 of the request.
    #[serde(deserialize_with = "bytea")]
    pub request_hash: Vec<u8>,
    /// The HTTP status of the answer.
    pub status: i16,
    /// The stream that the answer names.
    pub stream_id: Uuid,
    /// The version of that stream after the command.
    pub version: i64,
    /// The position of the log after the command.
    pub position: i64,
    /// The time at which the record was written.
    pub recorded_at: Timestamp,
}

/// What one step of removing expired records came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovedRecords {
    /// How many records were removed.
    pub removed: i64,
    /// When the last record was recorded that the step looked at, to go on from; none if it found none.
    pub reached: Option<Timestamp>,
}

impl IdempotencyRecord {
    /// Removes at most `step` records that are older than `kept`, the oldest first, beginning with those that
    /// were recorded at `after`. Those that a reactor may still need stay. No append waits for this.
    ///
    /// # Errors
    /// If Postgres does not answer the query.
    pub async fn remove_expired(
        pool: &PgPool,
        kept: Duration,
        after: Option<Timestamp>,
        step: i32,
    ) -> sqlx::Result<RemovedRecords> {
        sqlx::query_as!(
            RemovedRecords,
            r#"select removed as "removed!", reached from remove_expired_records($1, $2, $3)"#,
            interval(kept),
            after,
            step,
        )
        .fetch_one(pool)
        .await
    }
}

/// Reads bytes as Postgres writes them into JSON: hexadecimal digits after `\x`.
fn bytea<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    hex::decode(text.trim_start_matches("\\x")).map_err(D::Error::custom)
}
