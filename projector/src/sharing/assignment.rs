//! One thing that a projector runs under a lease.

use tidemark_read_models::{Generation, Shard};

/// A shard of a generation of a read model, or a reactor, which one process at a time runs under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Assignment {
    /// A shard of a generation of the read model of this name.
    Shard {
        read_model: String,
        generation: Generation,
        shard: Shard,
    },
    /// The reactor of this name.
    Reactor(String),
}

impl Assignment {
    /// The name of the lease.
    pub(crate) fn lease(&self) -> String {
        match self {
            Self::Shard {
                read_model,
                generation,
                shard,
            } => format!(
                "projection:{read_model}:{}:{}",
                generation.number, shard.number
            ),
            Self::Reactor(name) => format!("reactor:{name}"),
        }
    }

    /// What a build must be able to do to run it: to fold the read model by the version of the fold that made
    /// the generation, or to run the reactor. This is what `leases.runs` lists.
    pub(crate) fn ability(&self) -> String {
        match self {
            Self::Shard {
                read_model,
                generation,
                ..
            } => fold(read_model, generation.fold_version),
            Self::Reactor(name) => reactor(name),
        }
    }
}

/// The ability to fold a read model by a version of its fold.
pub(crate) fn fold(read_model: &str, fold_version: i32) -> String {
    format!("fold:{read_model}:{fold_version}")
}

/// The ability to run a reactor.
pub(crate) fn reactor(name: &str) -> String {
    format!("reactor:{name}")
}
