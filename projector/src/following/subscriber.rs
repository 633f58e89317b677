//! What follows the log: the trait that a worker of a read model and a reactor implement, and the ways
//! in which they can fail.

use async_trait::async_trait;
use tidemark_event_store::FollowError;
use tidemark_events::{DecodeError, LogPoint};
use tidemark_read_models::EventFilter;
use tidemark_read_models::storage::StorageError;
use uuid::Uuid;

use super::page::Page;

/// Applies the log in order, and keeps a checkpoint: the position up to which it has applied it.
#[async_trait]
pub(crate) trait Subscriber: Send {
    /// The id in measurements and logs.
    fn id(&self) -> SubscriberId;

    /// Discards what is in memory, and returns the stored checkpoint, which the log holds.
    async fn start(&mut self) -> Result<LogPoint, SubscriberError>;

    /// The events that it applies. It may be given others too.
    fn event_filter(&self) -> EventFilter;

    /// Applies a page, which starts right after the point `from`, as far as it can, and stores the
    /// checkpoint. If the log has more, storing may be left to the next page.
    async fn apply(&mut self, from: LogPoint, page: &Page) -> Result<Applied, SubscriberError>;

    /// Stores why nothing after the checkpoint `at` can be applied, for operators.
    async fn block(&mut self, at: LogPoint, reason: &str) -> Result<(), SubscriberError>;
}

/// The id of a subscriber in measurements and logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SubscriberId {
    /// `read_model` or `reactor`.
    pub(crate) kind: &'static str,
    /// The name of the read model or reactor.
    pub(crate) name: &'static str,
    /// The number of the shard; `None` for a reactor.
    pub(crate) shard: Option<i32>,
}

/// How far a page was applied.
#[derive(Debug)]
pub(crate) struct Applied {
    /// The last event that was applied.
    pub(crate) point: LogPoint,
    /// The position of the stored checkpoint. It may be behind `point` unless an event is blocked.
    pub(crate) checkpoint: i64,
    /// Why the event after `point` cannot be applied; `None` if the whole page was applied.
    pub(crate) blocked_by: Option<EventError>,
}

/// Why an event cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventError {
    /// The event cannot be decoded.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// A row that the event touches is not what this build would have written.
    #[error("row {0} was written by a newer build")]
    NewerRow(Uuid),
    /// The event, the row or the code is wrong.
    #[error("{0}")]
    Failed(String),
}

/// Why a subscriber must start again from its checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubscriberError {
    /// The checkpoint is not where this process left it, or the log does not hold what was to be stored: another
    /// process runs the same subscriber, or the log was restored from a backup.
    #[error("it cannot go on from position {0}: the checkpoint or the log has changed")]
    Fenced(i64),
    /// The log does not hold the event of the checkpoint, so what was stored is of another history.
    #[error(
        "the log has another event, or none, at the checkpoint {0}: what is stored is of another history"
    )]
    NotInLog(i64),
    /// The log was not read.
    #[error(transparent)]
    Log(#[from] FollowError),
    /// Rows could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Postgres failed.
    #[error("Postgres failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row has a shape that JSON cannot express.
    #[error("a row cannot be written as JSON: {0}")]
    Row(#[from] serde_json::Error),
    /// The process is ending.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl EventError {
    /// Whether a newer build would be able to apply the event.
    pub(super) const fn needs_newer_build(&self) -> bool {
        match self {
            Self::Decode(error) => error.is_newer_build(),
            Self::NewerRow(_) => true,
            Self::Failed(_) => false,
        }
    }
}
