//! Why a query is not answered, and the problem that its client receives.

use axum::response::{IntoResponse, Response};
use tidemark_event_store::SealError;
use tidemark_platform::http::Problem;

/// `Retry-After` where the cause is expected to pass soon, in seconds.
const RETRY_AFTER_S: u64 = 1;
/// The SQLSTATE of a statement that took longer than `database.statement_timeout_ms`.
const STATEMENT_TIMEOUT: &str = "57014";
/// Classes of SQLSTATE in which the server, not the statement, is at fault: connections, conflicts with
/// other transactions, resources, locks that others hold, interventions by an operator or a crash, the operating
/// system.
const SERVER_FAULT_CLASSES: [&str; 6] = ["08", "40", "53", "55", "57", "58"];

/// Why a query is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The token names a position in another history of the log.
    #[error("the Tidemark belongs to another timeline")]
    OtherTimeline,
    /// The log has not reached the position that the client named.
    #[error("the position is beyond the end of the log")]
    FuturePosition,
    /// The stream has not reached the version that the client asked for.
    #[error("the version is beyond the end of the stream")]
    FutureVersion,
    /// The moment that the client asked for has not come.
    #[error("the moment is in the future")]
    FutureMoment,
    /// A shard is blocked before it has applied the token's position.
    #[error("the read model is blocked before that position")]
    Blocked,
    /// The row is parked, and lacks the event at the token's position or one before it.
    #[error("this lacks an event that could not be applied, and waits for repair")]
    Parked,
    /// A shard did not apply the token's position within the time to wait.
    #[error("the read model has not reached that position yet")]
    Behind,
    /// What the path names does not exist, or this principal may not see it.
    #[error("not found")]
    NotFound,
    /// The clients at an address have as many live updates open as they may.
    #[error("too many live updates of this address are open")]
    TooManyOfAddress,
    /// The limit of open live updates is reached.
    #[error("too many live updates are open")]
    TooManyClients,
    /// Too many live updates begin at the moment.
    #[error("too many live updates begin at the moment")]
    TooManyBegin,
    /// The process is about to end.
    #[error("this process is about to end")]
    ShuttingDown,
    /// The user is not an auditor, and only auditors may read history.
    #[error("this requires the role auditor")]
    NotAuditor,
    /// The user is not an operator, and only operators may see how the system is.
    #[error("this requires the role operator")]
    NotOperator,
    /// The session in which the user asks is over.
    #[error("you are logged out; log in again")]
    LoggedOut,
    /// The reading of history could not be put on record, so nothing is shown.
    #[error("the reading could not be recorded: {0}")]
    NotRecorded(String),
    /// A query failed, or Postgres cannot be reached.
    #[error(transparent)]
    Storage(#[from] sqlx::Error),
    /// Sealed personal data cannot be opened.
    #[error(transparent)]
    Sealing(#[from] SealError),
    /// A stored document does not have the form that its fold writes.
    #[error("a document cannot be read: {0}")]
    Document(#[from] serde_json::Error),
    /// This build cannot read a stored event.
    #[error(transparent)]
    Event(#[from] tidemark_events::DecodeError),
    /// A problem that is already described, such as an invalid parameter.
    #[error("{}", .0.detail())]
    Problem(Problem),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = format!("{error}.");
        let unavailable = |code| Self::unavailable(code, sentence(&text), RETRY_AFTER_S);
        match error {
            Error::OtherTimeline => Self::conflict("other_timeline", sentence(&text)),
            Error::FuturePosition => Self::bad_request("future_position", sentence(&text)),
            Error::FutureVersion => Self::bad_request("future_version", sentence(&text)),
            Error::FutureMoment => Self::bad_request("future_moment", sentence(&text)),
            Error::Blocked => unavailable("blocked"),
            Error::Parked => unavailable("parked"),
            Error::Behind => unavailable("behind"),
            Error::NotFound => Self::not_found("This does not exist, or you may not see it."),
            Error::TooManyOfAddress => Self::too_many_requests(sentence(&text)),
            Error::TooManyClients | Error::TooManyBegin => unavailable("too_many_clients"),
            Error::ShuttingDown => unavailable("shutting_down"),
            Error::NotAuditor | Error::NotOperator => {
                Self::forbidden("role_required", sentence(&text))
            }
            Error::LoggedOut => Self::invalid_token("logged_out", sentence(&text)),
            Error::NotRecorded(cause) => {
                let detail = "Every reading of history is recorded first, and this is not possible right now.";
                Self::unavailable("not_recorded", detail, RETRY_AFTER_S).caused_by(cause)
            }
            Error::Storage(error) => storage(&error),
            Error::Sealing(SealError::Storage(error)) => storage(&error),
            Error::Event(error) if error.is_newer_build() => newer_build().caused_by(error),
            Error::Sealing(error @ (SealError::Broken | SealError::KeyLength)) => {
                Self::internal(error)
            }
            Error::Document(error) => Self::internal(error),
            Error::Event(error) => Self::internal(error),
            Error::Problem(problem) => problem,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

/// An event was written by a newer build.
pub(crate) fn newer_build() -> Problem {
    let detail = "The history contains an event that this build does not know.";
    Problem::unavailable("newer_build", detail, RETRY_AFTER_S)
}

/// A statement took longer than the configuration allows.
pub(crate) fn too_slow() -> Problem {
    let detail = "The query took too long. Ask for less.";
    Problem::unavailable("too_slow", detail, RETRY_AFTER_S)
}

/// Postgres does not answer.
pub(crate) fn storage_unavailable() -> Problem {
    let detail = "The database cannot be reached right now.";
    Problem::unavailable("storage_unavailable", detail, RETRY_AFTER_S)
}

fn storage(error: &sqlx::Error) -> Problem {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let is_server_fault = |code: &str| {
        SERVER_FAULT_CLASSES
            .iter()
            .any(|class| code.starts_with(class))
    };
    let is_transient = code.as_deref().is_some_and(is_server_fault)
        || matches!(
            error,
            sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Io(_)
                // A connection that was cut while it was being made.
                | sqlx::Error::Protocol(_)
                | sqlx::Error::Tls(_)
        );
    if code.as_deref() == Some(STATEMENT_TIMEOUT) {
        too_slow().caused_by(error)
    } else if is_transient {
        storage_unavailable().caused_by(error)
    } else {
        Problem::internal(error)
    }
}

/// The text with its first letter in upper case.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests;
