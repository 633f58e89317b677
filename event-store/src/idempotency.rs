//! The records of commands that came with an `Idempotency-Key`: what was answered to them, and for how
//! long that is kept. They are looked up and written by the SQL function `append`; requests that meet in one
//! process share an answer in `command-api/src/executor/idempotency.rs`.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use tidemark_events::Timestamp;
use uuid::Uuid;

use crate::interval::interval;

/// The id of an idempotency record: a hash of the principal who sent the command and the `Idempotency-Key`. The
/// SQL function `record_id` makes the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct RecordId(pub Uuid);

impl RecordId {
    /// The id of the record of this principal and this key.
    #[must_use]
    pub fn of(principal: &str, key: &str) -> Self {
        let hash = Sha256::new()
            .chain_update(principal)
            .chain_update([0])
            .chain_update(key)
            .finalize();
        let mut id = [0; 16];
        id.copy_from_slice(&hash[..16]);
        Self(Uuid::from_bytes(id))
    }
}

/// What the log remembers of a command, so that the same request gets the same answer again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IdempotencyRecord {
    /// Which command it is of.
    pub id: RecordId,
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
    /// were recorded at `after`. Those that a reactor may still need stay. No append waits for this
    /// but one whose command has the key of a record that is just being removed.
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
