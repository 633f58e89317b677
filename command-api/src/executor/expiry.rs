//! Removes the idempotency records and the executors' rows that nobody needs any more: a few at a time, with
//! pauses, so that commands do not notice.

use std::time::Duration;

use metrics::counter;
use tidemark_event_store::{Appender, IdempotencyRecord, TimedPool};
use tidemark_platform::config::Executor as Settings;

/// How long the row of an executor is kept after its last append. An executor whose row is gone while it
/// runs registers anew.
const EXECUTORS_KEPT: Duration = Duration::from_hours(30 * 24);

/// Removes expired rows now and at each `expiry_interval_ms`, for ever.
pub async fn remove_expired(pool: TimedPool, settings: Settings) {
    let mut ticks = tokio::time::interval(Duration::from_millis(settings.expiry_interval_ms));
    loop {
        ticks.tick().await;
        if let Err(error) = remove_records(&pool, &settings).await {
            tracing::warn!(%error, "expired idempotency records cannot be removed");
        }
        let removal = Appender::remove_old(&pool, EXECUTORS_KEPT);
        if let Err(error) = pool.with_timeout(removal).await {
            tracing::warn!(%error, "the rows of executors that are gone cannot be removed");
        }
    }
}

/// Removes what has expired by now, step by step.
async fn remove_records(pool: &TimedPool, settings: &Settings) -> sqlx::Result<()> {
    let kept = Duration::from_hours(settings.idempotency_ttl_h);
    let pause = Duration::from_millis(settings.expiry_pause_ms);
    let mut after = None;
    loop {
        let step = IdempotencyRecord::remove_expired(pool, kept, after, settings.expiry_step);
        let step = pool.with_timeout(step).await?;
        let removed = u64::try_from(step.removed).unwrap_or(0);
        counter!("tidemark_idempotency_records_removed_total").increment(removed);
        // What a reactor still needs is found again and again.
        if step.reached.is_none() || (removed == 0 && step.reached == after) {
            return Ok(());
        }
        after = step.reached;
        tokio::time::sleep(pause).await;
    }
}
