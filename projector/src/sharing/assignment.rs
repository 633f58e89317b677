//! One thing that a projector runs under a lease.

use crate::following::subscriber::Subscriber;

/// A shard of a read model, or a reactor, which one process at a time runs under a lease.
pub(crate) struct Assignment {
    /// The name of the lease.
    pub(crate) lease: String,
    /// Makes the subscriber. Called each time that this process takes the lease.
    pub(crate) subscriber: Box<dyn Fn() -> Box<dyn Subscriber> + Send + Sync>,
}
