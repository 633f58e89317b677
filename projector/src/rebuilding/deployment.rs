//! A deployment that carries a changed fold: the new build begins a generation of its own, and builds it while the
//! old one serves.

use tidemark_event_store::TimedPool;
use tidemark_read_models::building::{self, Build};
use tidemark_read_models::folds;

use crate::projecting::shards::ShardCounts;

/// Begins a generation of each read model whose fold is newer in this build than any that has made a generation.
/// One that was dropped counts, so that what was cancelled or rolled back does not begin again by itself.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn begin_generations(
    pool: &TimedPool,
    configured: &ShardCounts,
) -> sqlx::Result<()> {
    let newest = sqlx::query!(
        r#"
        select read_model,
               max(fold_version) as "fold_version!",
               max(shards) filter (where state = 'serving') as shards
          from generations
         group by read_model
        "#
    )
    .fetch_all(&**pool);
    let newest = pool.with_timeout(newest).await?;
    for (read_model, fold_version) in folds() {
        let mut found = newest.iter();
        let found = found.find(|it| it.read_model == read_model && it.fold_version < fold_version);
        let Some(found) = found else { continue };
        let build = Build {
            fold_version,
            shards: configured
                .get(read_model)
                .copied()
                .or(found.shards)
                .unwrap_or(1),
            expects_changes: false,
            is_dry_run: false,
        };
        let begun = building::begin(pool, read_model, build);
        if let Some(generation) = pool.with_timeout(begun).await? {
            tracing::info!(
                read_model,
                generation,
                fold_version,
                "the fold has changed; a generation is built"
            );
        }
    }
    Ok(())
}
