//! The errors of writing rows.

use std::borrow::Cow;
use std::io::ErrorKind;

use sqlx::error::DatabaseError;
use tokio::task::JoinError;

/// The classes of SQLSTATE by which Postgres says that a value is at fault, so that it would refuse it again: what cannot be
/// converted, what violates a constraint, and what exceeds a limit, such as the size of an entry of an index.
const ROW_FAULT_CLASSES: [&str; 3] = ["22", "23", "54"];

/// The SQLSTATE of a statement that took longer than it may.
const CANCELED: &str = "57014";

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

impl StorageError {
    /// Whether what was written is to be written in parts: a row is at fault, or there were too many for the time that
    /// Postgres has.
    #[must_use]
    pub fn is_to_be_divided(&self) -> bool {
        let Self::Database(error) = self else {
            return false;
        };
        let took_too_long = if let sqlx::Error::Io(error) = error {
            error.kind() == ErrorKind::TimedOut
        } else {
            code(error).is_some_and(|code| code == CANCELED)
        };
        took_too_long || self.is_of_a_row()
    }

    /// Whether a row is at fault, so that writing it again would fail again.
    #[must_use]
    pub fn is_of_a_row(&self) -> bool {
        matches!(self, Self::Database(error) if refuses_a_row(error))
    }
}

/// Whether Postgres refused a value, so that it would refuse it again.
#[must_use]
pub fn refuses_a_row(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| {
        ROW_FAULT_CLASSES
            .iter()
            .any(|class| code.starts_with(class))
    })
}

fn code(error: &sqlx::Error) -> Option<Cow<'_, str>> {
    error.as_database_error().and_then(DatabaseError::code)
}
