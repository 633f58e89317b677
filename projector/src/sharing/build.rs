//! What this build of the program can run.

use std::collections::{BTreeMap, BTreeSet};

use tidemark_domain::{PROCESS_MANAGERS, ProcessManager};
use tidemark_read_models::{Generation, ReadModel, Shard, for_each_read_model};

use super::assignment::{self, Assignment};
use crate::following::subscriber::Subscriber;
use crate::projecting::worker_factory::WorkerFactory;
use crate::reacting::reactor::Reactor;
use crate::roles::Role;

/// Makes the worker of a shard.
pub(super) type MakeWorker = Box<dyn Fn(Generation, Shard) -> Box<dyn Subscriber> + Send + Sync>;
/// Makes a reactor.
pub(super) type MakeReactor = Box<dyn Fn() -> Box<dyn Subscriber> + Send + Sync>;

/// What this build can run, by the names of the abilities.
pub(crate) struct Build {
    pub(super) folds: BTreeMap<String, MakeWorker>,
    pub(super) reactors: BTreeMap<String, MakeReactor>,
}

impl Build {
    /// Everything that this build can run in these roles.
    pub(crate) fn new(workers: &WorkerFactory, roles: &[Role]) -> Self {
        let folds = for_each_read_model!(fold(workers)).into_iter();
        let reactors = PROCESS_MANAGERS.iter().map(|it| reactor(workers, it));
        Self {
            folds: folds
                .filter(|_| roles.contains(&Role::Projections))
                .collect(),
            reactors: reactors
                .filter(|_| roles.contains(&Role::Reactors))
                .collect(),
        }
    }

    /// The names of all abilities.
    pub(super) fn abilities(&self) -> BTreeSet<String> {
        let (folds, reactors) = (self.folds.keys(), self.reactors.keys());
        folds.chain(reactors).cloned().collect()
    }

    /// What runs an assignment; none if this build cannot.
    pub(super) fn subscriber(&self, assignment: &Assignment) -> Option<Box<dyn Subscriber>> {
        let ability = assignment.ability();
        match assignment {
            Assignment::Shard {
                generation, shard, ..
            } => {
                let make = self.folds.get(&ability)?;
                Some(make(*generation, *shard))
            }
            Assignment::Reactor(_) => self.reactors.get(&ability).map(|make| make()),
        }
    }
}

fn fold<M: ReadModel>(workers: &WorkerFactory) -> (String, MakeWorker) {
    let workers = workers.clone();
    let make = move |generation, shard| -> Box<dyn Subscriber> {
        Box::new(workers.worker::<M>(generation, shard))
    };
    (assignment::fold(M::NAME, M::FOLD_VERSION), Box::new(make))
}

fn reactor(
    workers: &WorkerFactory,
    process_manager: &'static ProcessManager,
) -> (String, MakeReactor) {
    let (pool, stored) = (workers.reactor_pool.clone(), workers.actions_stored.clone());
    let make = move || -> Box<dyn Subscriber> {
        let (pool, stored) = (pool.clone(), stored.clone());
        Box::new(Reactor::new(pool, process_manager, stored))
    };
    (assignment::reactor(process_manager.name), Box::new(make))
}
