//! Deleting a generation: its rows, and its documents in Redis.

use tidemark_event_store::TimedPool;
use tidemark_read_models::redis::Documents;
use tidemark_read_models::{Shard, building};

/// Deletes a generation that does not serve. Returns whether there was one.
///
/// # Errors
/// If Postgres fails, or queries hold the deletion up for long: then it may be repeated. Documents that Redis
/// keeps because it does not answer are never read.
pub(crate) async fn drop_generation(
    pool: &TimedPool,
    documents: Option<&Documents>,
    (read_model, generation): (&str, i32),
) -> sqlx::Result<bool> {
    let shards = sqlx::query_scalar!(
        r#"select coalesce(shards, 1) as "shards!" from generations where read_model = $1 and generation = $2"#,
        read_model,
        generation,
    )
    .fetch_optional(&**pool);
    let shards = pool.with_timeout(shards).await?.unwrap_or(0);
    if !pool
        .with_timeout(building::drop(pool, read_model, generation))
        .await?
    {
        return Ok(false);
    }
    tracing::info!(read_model, generation, "the generation is dropped");
    if let Some(documents) = documents {
        for shard in Shard::all(shards) {
            let bucket = documents.bucket(read_model, generation, shard);
            if let Err(error) = bucket.remove().await {
                tracing::warn!(read_model, generation, %error, "its documents stay in Redis");
            }
        }
    }
    Ok(true)
}
