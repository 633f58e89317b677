//! Why a command was not done, and the problem that a client is told.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidemark_domain::{Kind, Refusal};
use tidemark_event_store::SealError;
use tidemark_events::DecodeError;
use tidemark_platform::http::Problem;

/// What `Retry-After` says, in seconds, wherever the fault is ours. It is no setting: one second is the
/// shortest time that the header can say, and a full queue, a conflict or a stopping process is over by then.
const RETRY_AFTER_S: u64 = 1;

/// Why a command was not done.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A rule said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The client knows an older version.
    #[error("the stream is at version {current}")]
    Stale {
        /// The version now.
        current: i64,
    },
    /// Another request came with the same `Idempotency-Key`.
    #[error("this Idempotency-Key belongs to another request")]
    KeyReused,
    /// The e-mail address and the password do not belong together.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The service may not send this command.
    #[error("this service may not send `{0}`")]
    CommandNotAllowed(&'static str),
    /// The person that the command concerns was erased.
    #[error("the person that this concerns was erased")]
    Erased,
    /// The command writes more events than one may.
    #[error("the command writes too many events")]
    TooManyEvents,
    /// An event is larger than one may be.
    #[error("the command writes an event that is too large")]
    EventTooLarge,
    /// Too many commands wait already.
    #[error("too many commands wait")]
    Overloaded,
    /// What the command rests on kept moving until its time was up.
    #[error("what this rests on keeps changing")]
    Contended,
    /// Postgres does not answer.
    #[error("the log cannot be reached")]
    StorageUnavailable,
    /// A stream holds what this build does not know.
    #[error("this was last changed by a newer build")]
    NewerBuild,
    /// The process is stopping.
    #[error("this process is stopping")]
    ShuttingDown,
    /// Something that should not be.
    #[error("{0}")]
    Internal(Arc<str>),
}

impl Error {
    /// Something that should not be: the client learns nothing of it, the log does.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string().into())
    }

    /// The word for metrics.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::Stale { .. } => "stale",
            Self::KeyReused => "idempotency_key_reused",
            Self::InvalidCredentials => "invalid_credentials",
            Self::CommandNotAllowed(_) => "command_not_allowed",
            Self::Erased => "subject_erased",
            Self::TooManyEvents => "too_many_events",
            Self::EventTooLarge => "event_too_large",
            Self::Overloaded => "overloaded",
            Self::Contended => "contended",
            Self::StorageUnavailable => "storage_unavailable",
            Self::NewerBuild => "newer_build",
            Self::ShuttingDown => "shutting_down",
            Self::Internal(_) => "internal",
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(%error, "Postgres does not answer");
        Self::StorageUnavailable
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        if error.is_newer_build() {
            tracing::warn!(%error, "a stream holds what this build does not know");
            Self::NewerBuild
        } else {
            Self::internal(error)
        }
    }
}

impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Storage(error) => {
                tracing::warn!(%error, "keys cannot be fetched");
                Self::StorageUnavailable
            }
            SealError::Broken | SealError::KeyLength => Self::internal(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = error.outcome();
        let detail = error.to_string();
        match error {
            Error::Refused(refusal) => refused(&refusal),
            Error::Stale { current } => Self::precondition_failed(detail).with("version", current),
            Error::KeyReused | Error::TooManyEvents => Self::unprocessable(code, detail),
            Error::EventTooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail),
            Error::InvalidCredentials => Self::unauthorized(code, detail),
            Error::CommandNotAllowed(_) => Self::forbidden(code, detail),
            Error::Erased => Self::new(StatusCode::GONE, code, detail),
            Error::Overloaded
            | Error::Contended
            | Error::StorageUnavailable
            | Error::NewerBuild
            | Error::ShuttingDown => Self::unavailable(code, detail, RETRY_AFTER_S),
            Error::Internal(cause) => Self::internal(cause),
        }
    }
}

fn refused(refusal: &Refusal) -> Problem {
    let (code, detail) = (refusal.code, refusal.to_string());
    let problem = match refusal.kind {
        Kind::Invalid => Problem::unprocessable(code, detail),
        Kind::Unauthenticated => Problem::unauthorized(code, detail),
        Kind::Forbidden => Problem::forbidden(code, detail),
        Kind::NotFound => Problem::new(StatusCode::NOT_FOUND, code, detail),
        Kind::Conflict => Problem::conflict(code, detail),
    };
    match refusal.retry_at {
        Some(at) => problem.with("retry_at", at),
        None => problem,
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
