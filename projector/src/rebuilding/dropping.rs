//! Deleting what is left of a dropped generation: its rows, and its documents in Redis.

use tidemark_event_store::TimedPool;
use tidemark_read_models::redis::Documents;
use tidemark_read_models::{Shard, building};

/// Deletes a dropped generation that nobody writes any more, of what is parked at most `rows_max` rows in one
/// statement.
///
/// # Errors
/// If Postgres fails, or queries hold the deletion up for long: then it may be repeated. Documents that Redis
/// keeps because it does not answer are never read.
pub(super) async fn delete_dropped(
    pool: &TimedPool,
    documents: Option<&Documents>,
    (read_model, generation): (&str, i32),
    (shards, rows_max): (i32, u32),
) -> sqlx::Result<()> {
    let step = || building::delete_dropped(pool, (read_model, generation), rows_max);
    while !pool.with_timeout(step()).await? {}
    tracing::info!(read_model, generation, "the generation is deleted");
    if let Some(documents) = documents {
        let timelines = sqlx::query_scalar!("select id from timelines").fetch_all(&**pool);
        let timelines = pool.with_timeout(timelines).await?;
        let all = timelines
            .iter()
            .flat_map(|timeline| Shard::all(shards).map(|shard| (*timeline, shard)));
        for (timeline, shard) in all {
            let bucket = documents.bucket(timeline, read_model, generation, shard);
            if let Err(error) = bucket.remove().await {
                tracing::warn!(read_model, generation, %error, "its documents stay in Redis");
            }
        }
    }
    Ok(())
}
