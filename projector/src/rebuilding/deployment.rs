//! Generations that are begun without an order: where a deployment carries a changed fold, and where a log that was forked
//! has lost what the rows are made of.

use tidemark_event_store::TimedPool;
use tidemark_read_models::building::{self, Build};
use tidemark_read_models::folds;

use crate::projecting::shards::ShardCounts;

/// Begins builds anew that have applied events of an earlier timeline which the log does not hold: they would never reach
/// its end. One that is paused is left alone until it is resumed, and one of a newer fold to a build that has that.
///
/// # Errors
/// If Postgres fails.
pub(super) async fn begin_lost_builds_anew(pool: &TimedPool) -> sqlx::Result<()> {
    let lost = sqlx::query!(
        r#"
        with lost as (
            select *
              from generations
             where holds_lost_events(read_model, generation)
        )
        select b.read_model as "read_model!",
               b.generation as "generation!",
               b.fold_version as "fold_version!",
               coalesce(b.shards, 1) as "shards!",
               b.expects_changes or exists (
                   select
                     from lost s
                    where s.read_model = b.read_model
                      and s.state = 'serving'
               ) as "expects_changes!",
               b.dry_run as "dry_run!",
               b.throttle
          from lost b
         where b.state in ('building', 'ready')
           and not b.paused
        "#
    )
    .fetch_all(&**pool);
    for lost in pool.with_timeout(lost).await? {
        let (read_model, generation) = (lost.read_model.as_str(), lost.generation);
        let fold = folds()
            .into_iter()
            .find(|(name, version)| *name == read_model && *version >= lost.fold_version);
        let Some((_, fold_version)) = fold else {
            continue;
        };
        let build = Build {
            fold_version,
            shards: lost.shards,
            expects_changes: lost.expects_changes,
            is_dry_run: lost.dry_run,
            throttle: lost.throttle,
        };
        let begun = building::begin_anew(pool, (read_model, generation), build);
        if let Some(begun) = pool.with_timeout(begun).await? {
            tracing::warn!(
                read_model,
                generation,
                begun,
                "the log has lost events that a generation was built of; it is built anew"
            );
        }
    }
    Ok(())
}

/// Begins a generation of each read model whose fold is newer in this build than any that has made a generation.
/// One that was dropped counts, so that what was cancelled or rolled back does not begin again by itself. Begins one also
/// where the generation that serves is of this build's fold and has applied events of an earlier timeline which the log does not
/// hold. Returns whether
/// there are generations besides those that serve, of which something is left.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn begin_generations(
    pool: &TimedPool,
    configured: &ShardCounts,
) -> sqlx::Result<bool> {
    let newest = sqlx::query!(
        r#"
        select g.read_model,
               max(g.fold_version) as "fold_version!",
               max(g.fold_version) filter (where g.state = 'serving') as serving_fold,
               max(g.shards) filter (where g.state = 'serving') as shards,
               coalesce(
                   bool_or(
                       g.state = 'serving'
                       and c.timeline < h.timeline
                       and not log_holds(c.position, c.event_id)
                   ),
                   false
               ) as "is_lost!",
               bool_or(g.state <> 'serving' and c.shard is not null) as "has_others!"
          from generations g
         cross join log_head h
          left join checkpoints c
         using (read_model, generation)
         group by g.read_model
        "#
    )
    .fetch_all(&**pool);
    let newest = pool.with_timeout(newest).await?;
    for (read_model, fold_version) in folds() {
        let mut found = newest.iter();
        let found = found.find(|it| it.read_model == read_model);
        let found = found.filter(|it| {
            it.fold_version < fold_version || (it.is_lost && it.serving_fold == Some(fold_version))
        });
        let Some(found) = found else { continue };
        let build = Build {
            fold_version,
            shards: configured
                .get(read_model)
                .copied()
                .or(found.shards)
                .unwrap_or(1),
            expects_changes: found.is_lost,
            is_dry_run: false,
            throttle: None,
        };
        let begun = building::begin(pool, read_model, build);
        if let Some(generation) = pool.with_timeout(begun).await? {
            tracing::info!(
                read_model,
                generation,
                fold_version,
                is_lost = found.is_lost,
                "the fold has changed, or the log has lost events that are in the rows; a generation is built"
            );
        }
    }
    Ok(newest.iter().any(|it| it.has_others))
}
