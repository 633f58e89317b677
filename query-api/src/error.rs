//! Why a query is not answered, and the problem that its client receives.

use std::fmt;

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

/// By what a client named a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    /// The `Tidemark` of the request, or its cursor, which holds one.
    Token,
    /// The id of the last event of a live stream.
    LastEventId,
    /// The parameter of the log's events.
    AfterPosition,
}

impl fmt::Display for NamedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "the Tidemark, or the cursor,",
            Self::LastEventId => "Last-Event-ID",
            Self::AfterPosition => "`after_position`",
        })
    }
}

/// Why a query is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The position that the client named is of another timeline than the log.
    #[error("{0} belongs to another timeline; send the request without it")]
    OtherTimeline(NamedBy),
    /// The log has not reached the position that the client named.
    #[error("{0} names a position beyond the end of the log; send the request without it")]
    FuturePosition(NamedBy),
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
    #[error("at most {0} live updates of one address may be open at a time")]
    TooManyOfAddress(usize),
    /// A user has as many live updates of what is the user's own open as may be.
    #[error("at most {0} live updates of one user may be open at a time")]
    TooManyOfUser(usize),
    /// As many pictures are being sent to an address as may be.
    #[error("at most {0} pictures may be sent to one address at a time")]
    TooManyDownloadsOfAddress(usize),
    /// As many pictures are being sent as may be.
    #[error("too many pictures are being sent")]
    TooManyDownloads,
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
    #[error(
        "this requires the role auditor; if you were granted it since you logged in, refresh the session"
    )]
    NotAuditor,
    /// The user is not an operator, and only operators may see how the system is.
    #[error(
        "this requires the role operator; if you were granted it since you logged in, refresh the session"
    )]
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
        let text = error.to_string();
        let unavailable = |code| Self::unavailable(code, &*text, RETRY_AFTER_S);
        match error {
            Error::OtherTimeline(_) => Self::conflict("other_timeline", text).explained(
                "A Tidemark, a cursor or a Last-Event-ID is of a future that the log has lost, or of another log.",
                "Send the request without it. What it stood for may not have happened: look it up.",
            ),
            Error::FuturePosition(_) => Self::bad_request("future_position", text).explained(
                "A Tidemark, a cursor, a Last-Event-ID or a position is beyond the end of the log.",
                "Send the request without it, and take positions only from answers.",
            ),
            Error::FutureVersion => Self::bad_request("future_version", text).explained(
                "The stream has not reached the version.",
                "State a version that an answer gave.",
            ),
            Error::FutureMoment => Self::bad_request("future_moment", text).explained(
                "The moment has not come, so what happened until then is not known.",
                "State an earlier moment, or none for the present.",
            ),
            Error::Blocked => unavailable("blocked").explained(
                "The read model has stopped before the position that the answer must reflect, and waits for an operator.",
                "Send the query again later, or without a Tidemark for an answer from before that position.",
            ),
            Error::Parked => unavailable("parked").explained(
                "What is asked for lacks an event that could not be applied, and waits for repair.",
                "Send the query again later, or without a Tidemark for an answer that lacks the event.",
            ),
            Error::Behind => unavailable("behind").explained(
                "The read model did not reach the position that the answer must reflect in time.",
                "Send the query again after `Retry-After`.",
            ),
            Error::NotFound => Self::not_found("This does not exist, or you may not see it."),
            Error::TooManyOfAddress(_)
            | Error::TooManyOfUser(_)
            | Error::TooManyDownloadsOfAddress(_) => Self::too_many_requests(text),
            Error::TooManyDownloads => unavailable("too_many_downloads").explained(
                "As many pictures are being sent as this process can send.",
                "Send the query again after `Retry-After`.",
            ),
            Error::TooManyClients | Error::TooManyBegin => unavailable("too_many_clients").explained(
                "As many live updates are open, or begin, as this process can serve.",
                "Connect again after `Retry-After`.",
            ),
            Error::ShuttingDown => unavailable("shutting_down").explained(
                "This process is about to end.",
                "Send the query again after `Retry-After`: another process answers it.",
            ),
            Error::NotAuditor | Error::NotOperator => Self::forbidden("role_required", text).explained(
                "The user does not hold the role that this requires, or the access token does not say so yet.",
                "If you were granted the role since you logged in, refresh the session. Else ask an administrator for it.",
            ),
            Error::LoggedOut => Self::invalid_token("logged_out", text).explained(
                "The session of the access token is over: the user logged out, or it has expired.",
                "Log in again.",
            ),
            Error::NotRecorded(cause) => not_recorded().caused_by(cause),
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

/// `Last-Event-ID` is the id of no event.
pub(crate) fn malformed_last_event_id() -> Problem {
    let detail =
        "Last-Event-ID must be the id of an event of this stream. Send the request without it.";
    Problem::bad_request("invalid_last_event_id", detail).explained(
        "Last-Event-ID is not the id of an event of such a stream.",
        "Send the id of the last event as it was sent, or none.",
    )
}

/// `Email-Address` is none.
pub(crate) fn malformed_address() -> Problem {
    let detail = "Email-Address must be one e-mail address, such as ada@example.com.";
    Problem::bad_request("invalid_email_address", detail).explained(
        "The header `Email-Address` is not one e-mail address.",
        "Send one address, or leave the header out.",
    )
}

/// `Phone-Number` is none, or there is an address beside it.
pub(crate) fn malformed_number() -> Problem {
    let detail =
        "Phone-Number must be one telephone number, such as +4915123456789, without Email-Address.";
    Problem::bad_request("invalid_phone_number", detail).explained(
        "The header `Phone-Number` is not one telephone number (E.164), or is sent with `Email-Address`.",
        "Send one number or one address, or leave both headers out.",
    )
}

/// A reading of history cannot be put on record.
fn not_recorded() -> Problem {
    let detail = "Every reading of history is recorded first, and this is not possible right now.";
    Problem::unavailable("not_recorded", detail, RETRY_AFTER_S).explained(
        "Every reading of history is recorded first, and the command API does not take the record.",
        "Send the query again after `Retry-After`.",
    )
}

/// An event was written by a newer build.
pub(crate) fn newer_build() -> Problem {
    let detail = "The history contains an event that this build does not know.";
    Problem::unavailable("newer_build", detail, RETRY_AFTER_S).explained(
        "An event of a newer build is in the way, which this process does not know.",
        "Send the query again after `Retry-After`: another process may know the event.",
    )
}

/// A statement took longer than the configuration allows.
pub(crate) fn too_slow() -> Problem {
    let detail = "The query took too long. Ask for less.";
    Problem::unavailable("too_slow", detail, RETRY_AFTER_S).explained(
        "The query took longer than it may.",
        "Ask for less: a smaller page, or a narrower filter.",
    )
}

/// Postgres does not answer.
pub(crate) fn storage_unavailable() -> Problem {
    let detail = "The database cannot be reached right now.";
    Problem::unavailable("storage_unavailable", detail, RETRY_AFTER_S).explained(
        "The database cannot be reached.",
        "Send the query again after `Retry-After`.",
    )
}

/// The store of media does not answer, or this deployment keeps none.
pub(crate) fn media_unavailable() -> Problem {
    let detail = "The bytes of media cannot be read right now.";
    Problem::unavailable("media_store_unavailable", detail, RETRY_AFTER_S).explained(
        "The store of media does not answer, or not as it should.",
        "Send the query again after `Retry-After`.",
    )
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

#[cfg(test)]
mod tests;
