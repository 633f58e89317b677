//! What can be done to a running Tidemark, by the numbers of the fault table. Each fault is one
//! function that does it, waits until the service is back, and fails by panicking where a condition
//! of its own does not hold. The counters are checked by others, after each round.

mod clock;
mod crash_points;
pub(crate) mod disk;
mod failover;
mod kafka_records;
mod network;
mod pauses;
mod pressure;
mod process;
mod redis;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::load::Load;
use crate::stack::{Layout, Stack};

/// A fault of the table.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// As in `--faults f1,f2`; several variants of one row have a suffix: `f10-api`.
    pub(crate) id: &'static str,
    /// What is done.
    pub(crate) title: &'static str,
    /// How often in a full run.
    pub(crate) full: u32,
    /// What its round must consist of; [`ordinary`] for most. Only faults with the same one share a
    /// round.
    pub(crate) layout: fn() -> Layout,
    /// What may be found in the topics afterwards.
    pub(crate) topics: Topics,
    /// Does it once.
    pub(crate) inject: fn(Episode) -> BoxFuture<'static, Outcome>,
}

impl Fault {
    /// One on an ordinary stack that leaves the topics exact.
    const fn new(
        id: &'static str,
        title: &'static str,
        full: u32,
        inject: fn(Episode) -> BoxFuture<'static, Outcome>,
    ) -> Self {
        Self {
            id,
            title,
            full,
            layout: ordinary,
            topics: Topics::Exact,
            inject,
        }
    }
}

/// What a fault may do to the topics, lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topics {
    /// Nothing: every event is there once.
    Exact,
    /// An old relay's records may come after a new one's.
    Repeated,
}

/// One injection of a fault, under load.
pub(crate) struct Episode {
    /// What is hit.
    pub(crate) stack: Arc<Stack>,
    /// Who notices.
    pub(crate) load: Arc<Load>,
    /// From the seed, the round and the place in it: the only randomness that a fault may use.
    pub(crate) rng: StdRng,
}

impl Episode {
    /// Any of several.
    pub(crate) fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.rng.random_range(..all.len())]
    }

    /// Any time in between.
    pub(crate) fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        self.rng.random_range(shortest..=longest)
    }
}

/// What became of an injection that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// From the end of the fault until the service was back.
    Recovered(Duration),
    /// This machine cannot do it, and why.
    Skipped(String),
}

/// A Tidemark as it is ordinarily.
pub(crate) fn ordinary() -> Layout {
    Layout::default()
}

/// All that there are. A new kind of fault is one file and one line here.
pub(crate) fn all() -> Vec<Fault> {
    [
        process::FAULTS,
        pauses::FAULTS,
        redis::FAULTS,
        pressure::FAULTS,
        network::FAULTS,
        disk::FAULTS,
        clock::FAULTS,
        kafka_records::FAULTS,
        failover::FAULTS,
        crash_points::FAULTS,
    ]
    .concat()
}
