//! Positive controls: the mistakes that the counters are there for, made on purpose by small
//! stand-ins. A counter that a mistake does not turn red counts nothing. No switch of the product is
//! involved: a stand-in has only the servers, and the counters, in common with it.

mod async_commit;
mod early_progress;
mod gaps;
mod increments;
mod loose_checkpoint;
mod support;

use std::path::PathBuf;

use futures::FutureExt;
use futures::future::BoxFuture;
use rand::rngs::StdRng;

use crate::servers::Machine;

/// A mistake.
#[derive(Clone, Copy)]
pub(crate) struct Control {
    /// As in `--controls c1,c2`.
    pub(crate) id: &'static str,
    /// What is done wrongly.
    pub(crate) title: &'static str,
    /// Makes it, and lets it be judged.
    pub(crate) run: fn(World) -> BoxFuture<'static, Caught>,
}

/// What a stand-in is made of.
pub(crate) struct World {
    pub(crate) machine: Machine,
    /// Empty, for data and logs.
    pub(crate) directory: PathBuf,
    pub(crate) rng: StdRng,
}

/// What the counter found.
#[derive(Clone, Debug)]
pub(crate) struct Caught {
    /// The counter that must not be zero.
    pub(crate) counter: &'static str,
    /// What it counted.
    pub(crate) found: Vec<String>,
    /// Why this machine cannot make the mistake.
    pub(crate) skipped: Option<String>,
}

/// All of them. Each takes seconds.
pub(crate) const CONTROLS: &[Control] = &[
    Control {
        id: "c1",
        title: "synchronous_commit=off, and a power cut",
        run: |world| async_commit::run(world).boxed(),
    },
    Control {
        id: "c2",
        title: "a relay that saves its progress before the delivery, killed",
        run: |world| early_progress::run(world).boxed(),
    },
    Control {
        id: "c3",
        title: "a checkpoint outside of the transaction of its rows, killed",
        run: |world| loose_checkpoint::run(world).boxed(),
    },
    Control {
        id: "c4",
        title: "documents that are incremented, delivered again",
        run: |world| increments::run(world).boxed(),
    },
    Control {
        id: "c5",
        title: "a poller that follows a sequence",
        run: |world| gaps::run(world).boxed(),
    },
];

impl Caught {
    fn new(counter: &'static str, found: Vec<String>) -> Self {
        Self {
            counter,
            found,
            skipped: None,
        }
    }
}
