//! The errors of writing rows.

use tokio::task::JoinError;

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The checkpoint is not where this worker left it, or the log does not hold what was to be written. Another
    /// worker has this shard, the last write of this one had another outcome than it believes, or the log was
    /// restored from a backup.
    #[error(
        "shard {shard} of `{read_model}` cannot go on from position {position}: the checkpoint or the log has changed"
    )]
    Fenced {
        /// The name of the read model.
        read_model: &'static str,
        /// The number of the shard.
        shard: i32,
        /// The checkpoint as this worker left it.
        position: i64,
    },
    /// Postgres failed, or could not be reached.
    #[error("the rows cannot be read or written: {0}")]
    Database(#[from] sqlx::Error),
    /// The task of the write was aborted, because the process ends, or panicked.
    #[error("interrupted: {0}")]
    Interrupted(#[from] JoinError),
}
