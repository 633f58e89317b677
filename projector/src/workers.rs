//! All that projectors run: every shard of every read model, and every reactor.

use std::collections::BTreeMap;

use sqlx::PgPool;
use tidemark_event_store::TimedPool;
use tidemark_platform::Config;
use tidemark_platform::config::Projection;
use tidemark_read_models::redis::Documents;
use tidemark_read_models::storage::{GENERATION, Storage};
use tidemark_read_models::{ReadModel, Shard, divide, for_each_read_model};

use crate::assignment::Duty;
use crate::error::Error;
use crate::follower::Copies;
use crate::reactor::{PROCESSES, Process, Reactor};
use crate::worker::Worker;

/// What subscribers keep their rows in.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) pool: TimedPool,
    /// None where Redis is not used.
    pub(crate) documents: Option<Documents>,
    /// Into how many shards read models shall be divided, by [`configured_shards`].
    pub(crate) shards: BTreeMap<String, i32>,
    pub(crate) config: Config,
}

/// Into how many shards the configuration wants read models to be divided; one where it says nothing.
pub(crate) fn configured_shards(settings: &Projection) -> Result<BTreeMap<String, i32>, Error> {
    let known = for_each_read_model!(name());
    let configured = settings.shards.iter().map(|(read_model, shards)| {
        if known.contains(&read_model.as_str()) {
            Ok((read_model.clone(), i32::from(shards.get())))
        } else {
            Err(Error::UnknownReadModel(read_model.clone()))
        }
    });
    configured.collect()
}

const fn name<M: ReadModel>() -> &'static str {
    M::NAME
}

/// Everything that follows the log.
pub(crate) async fn all(stores: &Stores) -> sqlx::Result<Vec<Duty>> {
    let divided = divided(stores).await?;
    let workers = for_each_read_model!(workers(stores, &divided));
    let mut workers: Vec<_> = workers.into_iter().flatten().collect();
    // One shard of each read model before the next of any, so that the shards of one are not taken and
    // given away together.
    workers.sort_by_key(|(shard, _)| shard.number);
    let workers = workers.into_iter().map(|(_, worker)| worker);
    let reactors = PROCESSES.iter().map(|process| reactor(stores, *process));
    Ok(workers.chain(reactors).collect())
}

/// Into how many shards each read model is divided.
pub(crate) async fn divided(stores: &Stores) -> sqlx::Result<BTreeMap<String, i32>> {
    let divided = divide(&stores.pool, GENERATION, &stores.shards).await?;
    for (read_model, shards) in &divided {
        let configured = stores.shards.get(read_model).copied().unwrap_or(1);
        if configured != *shards {
            tracing::warn!(
                read_model,
                shards,
                configured,
                "divided otherwise than configured: it stays so until it is rebuilt"
            );
        }
    }
    Ok(divided)
}

/// One worker a shard of a read model.
pub(crate) fn workers<M: ReadModel>(
    stores: &Stores,
    divided: &BTreeMap<String, i32>,
) -> Vec<(Shard, Duty)> {
    let shards = divided.get(M::NAME).copied().unwrap_or(1);
    Shard::all(shards)
        .map(|shard| (shard, worker::<M>(stores, shard)))
        .collect()
}

/// Keeps one shard of a read model.
fn worker<M: ReadModel>(stores: &Stores, shard: Shard) -> Duty {
    let stores = stores.clone();
    Duty {
        lease: lease(M::NAME, shard),
        subscriber: Box::new(move || {
            let storage = Storage::new(PgPool::clone(&stores.pool), M::NAME, GENERATION, shard);
            let documents = stores.documents.as_ref().filter(|_| M::IN_REDIS);
            let copies = documents.map(|documents| {
                let bucket = documents.bucket(M::NAME, GENERATION, shard);
                Copies::start(M::NAME, storage.clone(), bucket, &stores.config.redis)
            });
            Box::new(Worker::<M>::new(storage, &stores.config.projection, copies))
        }),
    }
}

fn reactor(stores: &Stores, process: Process) -> Duty {
    let pool = stores.pool.clone();
    Duty {
        lease: format!("reactor:{}", process.name),
        subscriber: Box::new(move || Box::new(Reactor::new(pool.clone(), process))),
    }
}

/// The lease of a shard's worker.
fn lease(read_model: &str, shard: Shard) -> String {
    format!("projection:{read_model}:{GENERATION}:{}", shard.number)
}

#[cfg(test)]
mod tests;
