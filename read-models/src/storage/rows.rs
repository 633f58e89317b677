//! What is read from the storage and written to it: rows, batches of rows, and the checkpoint.

use tidemark_events::LogPoint;
use uuid::Uuid;

/// A row as it is stored after some events.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredRow {
    /// The id of the row.
    pub id: Uuid,
    /// The document as JSON text; none if the row was removed.
    #[sqlx(rename = "doc")]
    pub document: Option<String>,
    /// The position of the last event that changed the row.
    pub position: i64,
}

/// The rows that the events after `from` up to `to` changed. They are written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowBatch {
    /// The checkpoint before the write.
    pub from: LogPoint,
    /// The checkpoint after the write.
    pub to: LogPoint,
    /// The rows that changed, each once.
    pub rows: Vec<StoredRow>,
}

/// How far a shard has applied the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The point up to which all events are in the rows of the shard.
    pub point: LogPoint,
    /// Whether the log holds that point. If not, the rows are of another history.
    pub is_in_log: bool,
    /// The checkpoint of the last write that removed a row. A copy of the rows as of this checkpoint or a later
    /// one is brought up to date by the rows that changed since. An older copy must be read anew, because a
    /// removed row leaves no trace.
    pub last_removal: i64,
}
