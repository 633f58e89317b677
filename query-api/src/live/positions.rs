//! How far the changes of a read model were sent to those who follow its documents.

use crate::freshness::ShardStatus;

/// The positions up to which changes have been published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublishedPositions {
    /// The timeline of the log.
    pub(super) timeline: i32,
    /// The generation of the read model that was read.
    pub(super) generation: i32,
    /// The position of each of its shards, in order.
    pub(super) positions: Vec<i64>,
}

impl PublishedPositions {
    /// The positions up to which these shards of one read model, in order, have applied the log.
    pub(crate) fn of<'a>(shards: impl Iterator<Item = &'a ShardStatus>) -> Self {
        let mut published = Self::default();
        for shard in shards {
            published.timeline = shard.timeline;
            published.generation = shard.generation;
            published.positions.push(shard.position);
        }
        published
    }
}
