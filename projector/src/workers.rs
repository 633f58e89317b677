//! All that projectors run: every read model, and every reactor.

use sqlx::PgPool;
use tidemark_platform::Config;
use tidemark_read_models::redis::Documents;
use tidemark_read_models::storage::{GENERATION, SHARD, Storage};
use tidemark_read_models::{ReadModel, for_each_read_model};

use crate::assignment::Duty;
use crate::follower::Copies;
use crate::reactor::{PROCESSES, Process, Reactor};
use crate::worker::Worker;

/// What subscribers keep their rows in.
#[derive(Clone)]
pub(crate) struct Stores {
    pub(crate) pool: PgPool,
    /// None where Redis is not used.
    pub(crate) documents: Option<Documents>,
    pub(crate) config: Config,
}

/// Everything that follows the log.
pub(crate) fn all(stores: &Stores) -> Vec<Duty> {
    let read_models = for_each_read_model!(worker(stores));
    let reactors = PROCESSES.iter().map(|process| reactor(stores, *process));
    read_models.into_iter().chain(reactors).collect()
}

/// Keeps one read model.
pub(crate) fn worker<M: ReadModel>(stores: &Stores) -> Duty {
    let stores = stores.clone();
    Duty {
        lease: lease(M::NAME),
        subscriber: Box::new(move || {
            let storage = Storage::new(stores.pool.clone(), M::NAME, GENERATION);
            let documents = stores.documents.as_ref().filter(|_| M::HOT);
            let copies = documents.map(|documents| {
                let bucket = documents.bucket(M::NAME, GENERATION);
                Copies::start(M::NAME, storage.clone(), bucket, &stores.config.redis)
            });
            let cache_rows_max = stores.config.projection.cache_rows_max;
            Box::new(Worker::<M>::new(storage, cache_rows_max, copies))
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

/// The lease of a read model's worker.
fn lease(read_model: &str) -> String {
    format!("projection:{read_model}:{GENERATION}:{SHARD}")
}
