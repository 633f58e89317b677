//! What was answered to commands that came with an `Idempotency-Key`, as the append finds it, and
//! forgetting it in time.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;
use uuid::Uuid;

/// A command that was done, and its answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct IdempotencyRecord {
    /// Who sent the command.
    pub principal: String,
    /// The key they sent with it.
    pub key: String,
    /// HMAC-SHA-256 of the request that was answered.
    #[serde(deserialize_with = "bytea")]
    pub request_hash: Vec<u8>,
    /// The HTTP status of the answer.
    pub status: i16,
    /// The stream of the answer.
    pub stream_id: Uuid,
    /// Its version after the command.
    pub version: i64,
    /// The position after the command.
    pub position: i64,
}

impl IdempotencyRecord {
    /// Forgets clients' records older than `records_kept`, and executors that have not appended for
    /// `executors_kept`. Says how many records that were.
    ///
    /// # Errors
    /// If Postgres cannot be asked.
    pub async fn expire(
        pool: &PgPool,
        records_kept: Duration,
        executors_kept: Duration,
    ) -> sqlx::Result<i64> {
        sqlx::query_scalar!(
            r#"select expire($1, $2) as "forgotten!""#,
            interval(records_kept),
            interval(executors_kept),
        )
        .fetch_one(pool)
        .await
    }
}

fn interval(duration: Duration) -> PgInterval {
    PgInterval {
        months: 0,
        days: 0,
        microseconds: i64::try_from(duration.as_micros()).unwrap_or(i64::MAX),
    }
}

/// Bytes as Postgres writes them into JSON.
fn bytea<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    hex::decode(text.trim_start_matches("\\x")).map_err(D::Error::custom)
}
