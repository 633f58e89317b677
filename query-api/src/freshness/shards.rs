//! The shards that a query reads, and what is known of a shard.

use tidemark_platform::tidemark::Token;
use tidemark_read_models::{ReadModel, Shard};
use uuid::Uuid;

/// The shards of a read model that a query reads. Its items are as fresh as the one that is furthest
/// behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueriedShards {
    read_model: &'static str,
    /// The row whose shard is read; none if all shards are.
    row: Option<Uuid>,
}

impl QueriedShards {
    /// All shards, for a query whose rows may be in any of them.
    pub(crate) const fn all<M: ReadModel>() -> Self {
        Self {
            read_model: M::NAME,
            row: None,
        }
    }

    /// The shard of one row.
    pub(crate) const fn of_row<M: ReadModel>(id: Uuid) -> Self {
        Self {
            read_model: M::NAME,
            row: Some(id),
        }
    }

    /// Whether the query reads this shard.
    pub(super) fn includes(&self, status: &ShardStatus) -> bool {
        let is_in_shard = |id| Shard::of(id, status.shards).number == status.shard;
        self.read_model == status.read_model && self.row.is_none_or(is_in_shard)
    }
}

/// What was last seen of a shard of a serving generation.
#[derive(Clone, Debug)]
pub(crate) struct ShardStatus {
    /// The name of the read model.
    pub(crate) read_model: String,
    /// The generation that serves queries.
    pub(crate) generation: i32,
    /// The number of the shard.
    pub(crate) shard: i32,
    /// How many shards the generation has.
    pub(crate) shards: i32,
    /// The checkpoint of the shard.
    pub(crate) position: i64,
    /// The position at which the shard is blocked, if it is.
    pub(crate) blocked_at: Option<i64>,
    /// The first event that a row of the shard lacks because it is parked, or because its stream waits, if there is one.
    pub(crate) parked_at: Option<i64>,
    /// The last position of the log; the highest number if it is not known.
    pub(crate) head: i64,
    /// The timeline of the log.
    pub(crate) timeline: i32,
}

impl ShardStatus {
    /// Whether a query with this token need not wait for the shard any longer: the shard has applied
    /// the token's position, or cannot be expected to.
    pub(super) fn ends_wait_for(&self, token: Token) -> bool {
        self.position >= token.position
            || self.head < token.position
            || self.timeline != token.timeline
            || self.blocked_at.is_some()
    }
}
