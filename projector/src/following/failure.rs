//! The ways in which a subscriber can fail, and of which of three kinds a failure is.

use std::fmt::Display;

use sqlx::error::DatabaseError;
use tidemark_event_store::FollowError;
use tidemark_events::DecodeError;
use tidemark_read_models::storage::{StorageError, refuses_a_row};
use uuid::Uuid;

/// What helps against a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// To try again: a connection, a time limit, a deadlock, a disk.
    Transient,
    /// A newer build, to which this one leaves the rest.
    NewerBuild,
    /// Nothing that happens by itself: this event, this row or this code is wrong. Everything else can go on.
    ThisRow,
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
    /// The log does not hold the event of the checkpoint, so what was stored is of another timeline.
    #[error(
        "the log has another event, or none, at the checkpoint {0}: what is stored is of another timeline"
    )]
    NotInLog(i64),
    /// The log was not read.
    #[error(transparent)]
    Log(#[from] FollowError),
    /// Rows could not be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// So many rows could not be written at once. The worker writes them in parts when it has started again.
    #[error("{rows} rows cannot be written at once, and are written in parts: {error}")]
    ToBeDivided {
        /// The number of rows.
        rows: usize,
        /// Why they were not written.
        error: StorageError,
    },
    /// Postgres failed.
    #[error("Postgres failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The process is ending.
    #[error("interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

impl EventError {
    /// The error of an event from which something follows that Postgres does not store.
    pub(crate) fn not_stored(error: &impl Display) -> Self {
        Self::Failed(format!("what follows from it cannot be stored: {error}"))
    }

    /// Of which kind the failure is.
    pub(crate) const fn kind(&self) -> FailureKind {
        match self {
            Self::Decode(error) if error.is_newer_build() => FailureKind::NewerBuild,
            Self::NewerRow(_) => FailureKind::NewerBuild,
            Self::Decode(_) | Self::Failed(_) => FailureKind::ThisRow,
        }
    }
}

impl SubscriberError {
    /// What is wrong, with what Postgres calls it and what that means.
    pub(crate) fn explained(&self) -> String {
        let error = if let Self::Log(FollowError::Database(error))
        | Self::Storage(StorageError::Database(error))
        | Self::Database(error) = self
        {
            error.as_database_error()
        } else {
            None
        };
        match error.and_then(DatabaseError::code) {
            Some(code) => format!("{self} (SQLSTATE {code}{})", in_plain_words(&code)),
            None => self.to_string(),
        }
    }

    /// Of which kind the failure is.
    pub(crate) fn kind(&self) -> FailureKind {
        match self {
            Self::Storage(error) if error.is_of_a_row() => FailureKind::ThisRow,
            Self::Database(error) if refuses_a_row(error) => FailureKind::ThisRow,
            Self::Fenced(_)
            | Self::NotInLog(_)
            | Self::Log(_)
            | Self::Storage(_)
            | Self::ToBeDivided { .. }
            | Self::Database(_)
            | Self::Interrupted(_) => FailureKind::Transient,
        }
    }
}

/// What helps where an error does not pass by itself.
fn in_plain_words(code: &str) -> &'static str {
    match code {
        "42501" => ": the role of the projector lacks a right",
        "42P01" | "42703" | "42883" => {
            ": the database lacks what this build needs; was it migrated?"
        }
        "55P03" => ": somebody else holds a lock for long",
        "57014" => ": the statement took longer than it may",
        _ => match code.get(..2) {
            Some("53") => ": PostgreSQL has run out of disk, memory or connections",
            Some("58" | "XX") => ": PostgreSQL cannot read or write what it stores",
            _ => "",
        },
    }
}
