//! The list of what projectors run: every shard of every read model, and every reactor.

use std::sync::Arc;

use tidemark_domain::ProcessManager;
use tidemark_read_models::{FollowedGeneration, Generation, ReadModel, Shard, for_each_read_model};

use super::assignment::Assignment;
use crate::projecting::shards;
use crate::projecting::worker_factory::WorkerFactory;
use crate::reacting::reactor::Reactor;
use crate::reacting::registration;

/// Everything that projectors run. Read models that have no shards yet are divided, and reactors that
/// are new are registered.
///
/// # Errors
/// If Postgres fails.
pub(crate) async fn assignments(
    workers: &WorkerFactory,
    process_managers: &'static [ProcessManager],
) -> sqlx::Result<Vec<Assignment>> {
    let followed = shards::actual(&workers.pool, &workers.shards).await?;
    registration::register(&workers.pool, process_managers).await?;
    let shards = for_each_read_model!(shard_assignments(workers, &followed));
    let mut shards: Vec<_> = shards.into_iter().flatten().collect();
    // The first shards of all read models come before the second ones, so that the shards of one read
    // model are not taken, or given away, together.
    shards.sort_by_key(|(shard, _)| shard.number);
    let shards = shards.into_iter().map(|(_, assignment)| assignment);
    let reactors = process_managers
        .iter()
        .map(|process_manager| reactor_assignment(workers, process_manager));
    Ok(shards.chain(reactors).collect())
}

fn shard_assignments<M: ReadModel>(
    workers: &WorkerFactory,
    followed: &[FollowedGeneration],
) -> Vec<(Shard, Assignment)> {
    let assignment = |generation, shard| {
        let workers = workers.clone();
        let assignment = Assignment {
            lease: shard_lease(M::NAME, generation, shard),
            subscriber: Box::new(move || Box::new(workers.worker::<M>(generation, shard))),
        };
        (shard, assignment)
    };
    shards::of::<M>(followed)
        .flat_map(|it| Shard::all(it.shards).map(|shard| (it.generation, shard)))
        .map(|(generation, shard)| assignment(generation, shard))
        .collect()
}

fn reactor_assignment(
    workers: &WorkerFactory,
    process_manager: &'static ProcessManager,
) -> Assignment {
    let (pool, stored) = (workers.pool.clone(), Arc::clone(&workers.actions_stored));
    Assignment {
        lease: format!("reactor:{}", process_manager.name),
        subscriber: Box::new(move || {
            let (pool, stored) = (pool.clone(), Arc::clone(&stored));
            Box::new(Reactor::new(pool, process_manager, stored))
        }),
    }
}

/// The name of the lease under which a shard is kept.
fn shard_lease(read_model: &str, generation: Generation, shard: Shard) -> String {
    format!(
        "projection:{read_model}:{}:{}",
        generation.number, shard.number
    )
}

#[cfg(test)]
mod tests;
