//! Why there is no answer, and the problem that the client is told.

use axum::response::{IntoResponse, Response};
use tidemark_event_store::SealError;
use tidemark_platform::http::Problem;

/// What `Retry-After` says where trying again soon is right.
const RETRY_AFTER_S: u64 = 1;
/// What Postgres says of a statement that took longer than `database.statement_timeout_ms`.
const STATEMENT_TIMEOUT: &str = "57014";
/// What Postgres says of itself and not of a statement: connections, conflicts with others, resources,
/// an operator or a crash, the system below.
const OF_THE_SERVER: [&str; 5] = ["08", "40", "53", "57", "58"];

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The token is of another log than this one.
    #[error("the Tidemark is of another timeline")]
    OtherTimeline,
    /// The log has no such position.
    #[error("the Tidemark is beyond the end of the log")]
    FuturePosition,
    /// A read model cannot go on before the position asked for.
    #[error("the read model stands still before that position")]
    Blocked,
    /// A read model did not reach the position in time.
    #[error("the read model has not reached that position yet")]
    Behind,
    /// There is no such thing, or not for this principal.
    #[error("there is no such thing")]
    NotFound,
    /// All places for live updates are taken.
    #[error("too many live updates are open")]
    TooManyClients,
    /// History is for auditors.
    #[error("this takes the role Auditor")]
    NotAuditor,
    /// The reading of history could not be put on record, so nothing is shown.
    #[error("the reading could not be recorded: {0}")]
    NotRecorded(String),
    /// Postgres cannot be asked.
    #[error(transparent)]
    Storage(#[from] sqlx::Error),
    /// Personal data cannot be opened.
    #[error(transparent)]
    Sealing(#[from] SealError),
    /// A stored document is not what a fold wrote.
    #[error("a document cannot be read: {0}")]
    Document(#[from] serde_json::Error),
    /// An event cannot be read by this build.
    #[error(transparent)]
    Event(#[from] tidemark_events::DecodeError),
    /// The request itself is refused.
    #[error("{}", .0.detail())]
    Refused(Problem),
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let text = format!("{error}.");
        let unavailable = |code| Self::unavailable(code, sentence(&text), RETRY_AFTER_S);
        match error {
            Error::OtherTimeline => Self::conflict("other_timeline", sentence(&text)),
            Error::FuturePosition => Self::bad_request("future_position", sentence(&text)),
            Error::Blocked => unavailable("blocked"),
            Error::Behind => unavailable("behind"),
            Error::NotFound => Self::not_found("There is no such thing, or not for you."),
            Error::TooManyClients => unavailable("too_many_clients"),
            Error::NotAuditor => Self::forbidden("role_required", sentence(&text)),
            Error::NotRecorded(cause) => {
                let detail =
                    "Reading history is put on record first, and that is not possible now.";
                Self::unavailable("not_recorded", detail, RETRY_AFTER_S).caused_by(cause)
            }
            Error::Storage(error) => storage(&error),
            Error::Sealing(SealError::Storage(error)) => storage(&error),
            Error::Event(error) if error.is_newer_build() => {
                let detail = "The history holds an event that this build does not know.";
                Self::unavailable("newer_build", detail, RETRY_AFTER_S).caused_by(error)
            }
            Error::Sealing(error @ (SealError::Broken | SealError::KeyLength)) => {
                Self::internal(error)
            }
            Error::Document(error) => Self::internal(error),
            Error::Event(error) => Self::internal(error),
            Error::Refused(problem) => problem,
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}

fn storage(error: &sqlx::Error) -> Problem {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    let is_of_the_server = |code: &str| OF_THE_SERVER.iter().any(|class| code.starts_with(class));
    let is_passing = code.as_deref().is_some_and(is_of_the_server)
        || matches!(
            error,
            sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::Io(_)
                // What is left of a greeting that was cut off.
                | sqlx::Error::Protocol(_)
                | sqlx::Error::Tls(_)
        );
    if code.as_deref() == Some(STATEMENT_TIMEOUT) {
        let detail = "The query took too long: ask for less.";
        Problem::unavailable("too_slow", detail, RETRY_AFTER_S).caused_by(error)
    } else if is_passing {
        let detail = "The data cannot be reached right now.";
        Problem::unavailable("storage_unavailable", detail, RETRY_AFTER_S).caused_by(error)
    } else {
        Problem::internal(error)
    }
}

/// The first letter in upper case.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests;
