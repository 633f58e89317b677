//! The faults that can be injected into a running Tidemark. Each fault is one function: it injects
//! the fault, waits until the service is back, and panics if a condition of its own does not hold.
//! The invariants are checked elsewhere, after each round.

mod clock;
mod come_and_go;
mod connection;
mod crash_points;
mod disk;
mod failover;
mod kill;
mod mail;
mod object_store;
mod overload;
mod pause;
mod poison;
mod rebuild;
mod receiver;
mod recovery;
mod redis;
mod restart;
mod rolling_upgrade;
mod runs;
mod shards;
mod tasks;
mod topics;
mod useless_redis;

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use rand::RngExt;
use rand::rngs::StdRng;

use crate::invariants::topics::Repeats;
use crate::load::Load;
use crate::stack::{Layout, Stack};

/// A fault that can be injected.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    /// The name, as in `--faults kill-relay,pause-kafka`.
    pub(crate) name: &'static str,
    /// What is done, in a few words.
    pub(crate) description: &'static str,
    /// How often a full run injects it.
    pub(crate) times: u32,
    /// The stack that it needs: [`ordinary`] for most. Only faults with the same one share a round.
    pub(crate) layout: fn() -> Layout,
    /// Whether records may come again in the topics afterwards.
    pub(crate) repeats: Repeats,
    /// Injects it once.
    pub(crate) inject: fn(Injection) -> BoxFuture<'static, Outcome>,
}

impl Fault {
    /// A fault of an ordinary stack, after which no record may come again.
    const fn new(
        name: &'static str,
        description: &'static str,
        times: u32,
        inject: fn(Injection) -> BoxFuture<'static, Outcome>,
    ) -> Self {
        Self {
            name,
            description,
            times,
            layout: ordinary,
            repeats: Repeats::Forbidden,
            inject,
        }
    }

    /// The same fault on a stack of its own kind.
    const fn on(self, layout: fn() -> Layout) -> Self {
        Self { layout, ..self }
    }

    /// The same fault, after which records may come again.
    const fn with_repeats(self) -> Self {
        Self {
            repeats: Repeats::Allowed,
            ..self
        }
    }
}

/// One injection of a fault, under load.
pub(crate) struct Injection {
    pub(crate) stack: Arc<Stack>,
    pub(crate) load: Arc<Load>,
    /// The only randomness that a fault may use. It follows from the round's seed and the fault's
    /// place in the round.
    pub(crate) rng: StdRng,
}

impl Injection {
    /// Chooses one of several.
    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.rng.random_range(..all.len())]
    }

    /// Chooses a duration.
    fn between(&mut self, shortest: Duration, longest: Duration) -> Duration {
        self.rng.random_range(shortest..=longest)
    }
}

/// What became of an injection that did not fail.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// The service was back this long after the end of the fault.
    Recovered(Duration),
    /// This machine cannot inject the fault, for this reason.
    Skipped(String),
}

/// The ordinary layout of a stack.
fn ordinary() -> Layout {
    Layout::default()
}

/// All faults. A new kind of fault is one file and one line here.
pub(crate) fn all() -> Vec<Fault> {
    [
        kill::FAULTS,
        rebuild::FAULTS,
        restart::FAULTS,
        rolling_upgrade::FAULTS,
        come_and_go::FAULTS,
        pause::FAULTS,
        redis::FAULTS,
        useless_redis::FAULTS,
        mail::FAULTS,
        object_store::FAULTS,
        receiver::FAULTS,
        tasks::FAULTS,
        overload::FAULTS,
        connection::FAULTS,
        disk::FAULTS,
        clock::FAULTS,
        topics::FAULTS,
        poison::FAULTS,
        failover::FAULTS,
        crash_points::FAULTS,
    ]
    .concat()
}
