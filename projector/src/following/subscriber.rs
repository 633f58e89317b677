//! What follows the log: the trait that a worker of a read model and a reactor implement, and the ways
//! in which they can fail.

use async_trait::async_trait;
use tidemark_events::DecodeError;
use tidemark_read_models::EventFilter;
use tidemark_read_models::storage::StorageError;

use super::page::Page;

/// Applies the log in order, and keeps a checkpoint: the position up to which it has applied it.
#[async_trait]
pub(crate) trait Subscriber: Send {
    /// The id in measurements and logs.
    fn id(&self) -> SubscriberId;

    /// Discards what is in memory, and returns the stored checkpoint.
    async fn start(&mut self) -> Result<i64, SubscriberError>;

    /// The events that it applies. It may be given others too.
    fn event_filter(&self) -> EventFilter;

    /// Applies a page, which starts right after the position `from`, as far as it can, and stores the
    /// checkpoint. If the log has more, storing may be left to the next page.
    async fn apply(&mut self, from: i64, page: &Page) -> Result<Applied, SubscriberError>;

    /// Stores why the event after `position` cannot be applied, for operators.
    async fn block(&mut self, position: i64, reason: &str) -> Result<(), SubscriberError>;
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
    /// The position of the last event that was applied.
    pub(crate) position: i64,
    /// The stored checkpoint. It may be behind `position` unless an event is blocked.
    pub(crate) checkpoint: i64,
    /// Why the event after `position` cannot be applied; `None` if the whole page was applied.
    pub(crate) blocked_by: Option<EventError>,
}

/// Why an event cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventError {
    /// The event cannot be decoded.
    #[error("{0}")]
    Decode(#[from] DecodeError),
    /// The event, the row or the code is wrong.
    #[error("{0}")]
    Failed(String),
}

/// Why a subscriber must start again from its checkpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SubscriberError {
    /// The checkpoint was moved by somebody else: another process runs the same subscriber.
    #[error("the checkpoint is no longer at {0}")]
    Fenced(i64),
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
            Self::Failed(_) => false,
        }
    }
}
