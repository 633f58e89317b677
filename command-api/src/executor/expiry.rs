//! Removes the idempotency records and the executors' rows that nobody needs any more.

use std::time::Duration;

use sqlx::PgPool;
use tidemark_event_store::IdempotencyRecord;

/// How often expired rows are removed.
const INTERVAL: Duration = Duration::from_hours(1);
/// How long the row of an executor is kept after its last append. An executor whose row is gone while it
/// runs registers anew.
const EXECUTORS_KEPT: Duration = Duration::from_hours(30 * 24);

/// Removes expired rows now and at each interval, for ever. Idempotency records are kept for
/// `records_kept_h` hours.
pub(crate) async fn remove_expired(pool: PgPool, records_kept_h: u64) {
    let records_kept = Duration::from_hours(records_kept_h);
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        match IdempotencyRecord::expire(&pool, records_kept, EXECUTORS_KEPT).await {
            Ok(removed) => tracing::info!(removed, "expired idempotency records are removed"),
            Err(error) => tracing::warn!(%error, "expired idempotency records cannot be removed"),
        }
    }
}
