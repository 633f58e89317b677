//! A deployment that carries a changed fold: the new build begins a generation of its own, and builds it while the
//! old one serves.

use sqlx::PgPool;
use tidemark_read_models::building::{self, Build};
use tidemark_read_models::{ReadModel, for_each_read_model};

use crate::projecting::shards::{self, ShardCounts};

/// Begins a generation of each read model of which no generation is made by this build's fold, and none by a newer
/// one.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn begin_generations(pool: &PgPool, configured: &ShardCounts) -> sqlx::Result<()> {
    for (read_model, fold_version) in for_each_read_model!(fold()) {
        let newest = sqlx::query_scalar!(
            "select max(fold_version) from generations where read_model = $1 and state <> 'dropped'",
            read_model,
        );
        if newest
            .fetch_one(pool)
            .await?
            .is_none_or(|newest| newest >= fold_version)
        {
            continue;
        }
        let build = Build {
            fold_version,
            shards: shards::count(configured, read_model),
            expects_changes: true,
            is_dry_run: false,
        };
        if let Some(generation) = building::begin(pool, read_model, build).await? {
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

const fn fold<M: ReadModel>() -> (&'static str, i32) {
    (M::NAME, M::FOLD_VERSION)
}
