//! Why a command was not accepted, and the problem that the client is answered.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tidemark_domain::{Code, Refusal, RefusalKind};
use tidemark_event_store::SealError;
use tidemark_events::DecodeError;
use tidemark_platform::http::{Faults, FieldError, Problem};

/// What `Retry-After` says, in seconds, wherever a client may try again. It is no setting: one second is the
/// shortest time that the header can express, and a full queue, a conflict or the stop of one of several
/// processes has usually passed by then.
const RETRY_AFTER_S: u64 = 1;

/// Why a command was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A rule of the domain refused the command.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The stream is not at the version that the client expected.
    #[error("this is at version {current}")]
    VersionMismatch {
        /// The version of the stream.
        current: i64,
    },
    /// The `Idempotency-Key` was sent with another request before.
    #[error("this Idempotency-Key belongs to another request")]
    IdempotencyKeyReused,
    /// The service may not send this command.
    #[error("this service may not send `{0}`")]
    CommandNotAllowed(&'static str),
    /// The key under which the command's personal data is sealed was destroyed, since its subject was erased.
    #[error("the person that this concerns was erased")]
    SubjectErased,
    /// The command writes more events than `executor.events_per_command_max`.
    #[error("the command writes too many events")]
    TooManyEvents,
    /// The data of an event is larger than `executor.event_bytes_max`.
    #[error("the command writes an event that is too large")]
    EventTooLarge,
    /// Too many commands, or passwords, of this principal or address wait already.
    #[error("at most {max} such requests of one {share} may wait at a time")]
    TooManyRequests {
        /// Whose share it is: that of a user, a service or an address.
        share: &'static str,
        /// How many may wait at a time.
        max: usize,
    },
    /// Too many commands, or too many passwords, wait already, or the log takes them so slowly that this one
    /// waited until its deadline.
    #[error("too many requests are waiting")]
    Overloaded,
    /// The command met conflicts until its deadline.
    #[error("the command could not be completed in time")]
    Contended,
    /// Postgres does not answer, or answers with an error.
    #[error("the log cannot be reached")]
    StorageUnavailable,
    /// The log has lost events, and an operator has not declared a fork yet.
    #[error("the log was set back, and waits for an operator")]
    LogSetBack,
    /// A stream holds an event that this build does not know.
    #[error("this was last changed by a newer build")]
    NewerBuild,
    /// The process is stopping.
    #[error("this process is stopping")]
    ShuttingDown,
    /// A defect. The text is for the process's log only.
    #[error("{0}")]
    Internal(Arc<str>),
}

impl Error {
    /// A defect: the client is told only that something went wrong.
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal(cause.to_string().into())
    }

    /// Both results, or why not. If both are refused, one refusal tells what is wrong with the fields of both.
    ///
    /// # Errors
    /// If one of them is an error.
    pub fn both<A, B>(first: Result<A, Self>, second: Result<B, Self>) -> Result<(A, B), Self> {
        match (first, second) {
            (Err(Self::Refused(first)), Err(Self::Refused(second))) => {
                Err(Self::Refused(first.and(second)))
            }
            (first, second) => Ok((first?, second?)),
        }
    }

    /// The problem of a request whose body has these faults besides.
    #[must_use]
    pub fn beside(self, faults: Faults) -> Problem {
        if faults.is_none() {
            return self.into();
        }
        if let Self::Refused(refusal) = self {
            return faults.and(field_errors(&refusal)).into();
        }
        faults.into()
    }

    /// The stable name of this error, in metrics and as the `code` of its problem, unless all our APIs share another one
    /// for its status; and what it means.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal.code,
            Self::VersionMismatch { .. } => Code {
                name: "stale",
                meaning: "What the request is about is at no version that If-Match names.",
                what_to_do: "Read it again, and decide anew whether to send the request. The `version` of a command's problem is the present one.",
            },
            Self::IdempotencyKeyReused => Code {
                name: "idempotency_key_reused",
                meaning: "Another request was sent under this Idempotency-Key before: another method, path, If-Match or body.",
                what_to_do: "Send each new command under a key of its own.",
            },
            Self::CommandNotAllowed(_) => Code {
                name: "command_not_allowed",
                meaning: "A service sent a command that its configuration does not let it send. No user is refused so.",
                what_to_do: "List the command under the service in `[services]`, if it is to send it.",
            },
            Self::SubjectErased => Code {
                name: "subject_erased",
                meaning: "The person whose data the command holds was erased, so that nothing can be stored of them.",
                what_to_do: "Nothing: an erasure cannot be undone.",
            },
            Self::TooManyEvents => Code {
                name: "too_many_events",
                meaning: "The command would write more events than a command may.",
                what_to_do: "Ask for less in one command.",
            },
            Self::EventTooLarge => Code {
                name: "event_too_large",
                meaning: "The command would write an event that is larger than an event may be.",
                what_to_do: "Send shorter texts and lists.",
            },
            Self::TooManyRequests { .. } => Code {
                name: "too_many_requests",
                meaning: "Too many requests of this client are being handled, or are waiting, at the moment.",
                what_to_do: "Wait for answers before you send more: `detail` says how many there may be at a time.",
            },
            Self::Overloaded => Code {
                name: "overloaded",
                meaning: "Too many requests are being handled, or are waiting, at the moment.",
                what_to_do: "Send the request again after `Retry-After`, with the same Idempotency-Key.",
            },
            Self::Contended => Code {
                name: "contended",
                meaning: "Other commands changed what this one decides on, again and again, until its time was over. It did not act.",
                what_to_do: "Send the request again after `Retry-After`, with the same Idempotency-Key.",
            },
            Self::StorageUnavailable => Code {
                name: "storage_unavailable",
                meaning: "The database cannot be reached. A command may have taken effect or not.",
                what_to_do: "Send the request again after `Retry-After`, a command with the same Idempotency-Key.",
            },
            Self::LogSetBack => Code {
                name: "log_set_back",
                meaning: "The log has lost events, and takes no commands before an operator has declared where it goes on.",
                what_to_do: "Send the request again later, with the same Idempotency-Key.",
            },
            Self::NewerBuild => Code {
                name: "newer_build",
                meaning: "An event of a newer build is in the way, which this process does not know.",
                what_to_do: "Send the request again after `Retry-After`: another process may know the event.",
            },
            Self::ShuttingDown => Code {
                name: "shutting_down",
                meaning: "This process is stopping.",
                what_to_do: "Send the request again after `Retry-After`, a command with the same Idempotency-Key: another process takes it.",
            },
            Self::Internal(_) => Code {
                name: "internal",
                meaning: "Something went wrong on our side.",
                what_to_do: "Send the request again later, a command with the same Idempotency-Key. If it stays so, report the `instance`.",
            },
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        tracing::warn!(%error, "Postgres cannot be asked");
        Self::StorageUnavailable
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        if error.is_newer_build() {
            tracing::warn!(%error, "a stream holds an event that this build does not know");
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
                tracing::warn!(%error, "the keys of a data subject cannot be read");
                Self::StorageUnavailable
            }
            SealError::Broken | SealError::KeyLength => Self::internal(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let Code {
            name: code,
            meaning,
            what_to_do,
        } = error.code();
        let detail = error.to_string();
        let problem = match error {
            Error::Refused(refusal) => refusal_problem(&refusal),
            Error::VersionMismatch { current } => {
                Self::precondition_failed(detail).with("version", current)
            }
            Error::IdempotencyKeyReused | Error::TooManyEvents => Self::unprocessable(code, detail),
            Error::EventTooLarge => Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail),
            Error::CommandNotAllowed(_) => Self::forbidden(code, detail),
            Error::SubjectErased => Self::new(StatusCode::GONE, code, detail),
            Error::TooManyRequests { .. } => Self::too_many_requests(detail),
            Error::Overloaded
            | Error::Contended
            | Error::StorageUnavailable
            | Error::LogSetBack
            | Error::NewerBuild
            | Error::ShuttingDown => Self::unavailable(code, detail, RETRY_AFTER_S),
            Error::Internal(cause) => Self::internal(cause),
        };
        problem.explained(meaning, what_to_do)
    }
}

fn refusal_problem(refusal: &Refusal) -> Problem {
    let (code, detail) = (refusal.code.name, refusal.to_string());
    let problem = match refusal.kind {
        RefusalKind::Invalid => Problem::unprocessable(code, detail),
        RefusalKind::Unauthenticated => Problem::unauthorized(code, detail),
        RefusalKind::LoggedOut => Problem::invalid_token(code, detail),
        RefusalKind::Forbidden => Problem::forbidden(code, detail),
        RefusalKind::NotFound => Problem::new(StatusCode::NOT_FOUND, code, detail),
        RefusalKind::Gone => Problem::new(StatusCode::GONE, code, detail),
        RefusalKind::Conflict => Problem::conflict(code, detail),
    };
    let problem = problem.errors(field_errors(refusal).collect());
    let problem = match refusal.retry_at {
        Some(at) => problem.with("retry_at", at),
        None => problem,
    };
    match refusal.minimum {
        Some(minimum) => problem.with("minimum", minimum),
        None => problem,
    }
}

/// What a refusal says of the fields of a body.
fn field_errors(refusal: &Refusal) -> impl Iterator<Item = FieldError> {
    let faults = refusal.faults();
    faults.map(|fault| FieldError::pointer(format!("/{}", fault.field), fault.detail))
}

/// What was checked of a body, unless the body has faults. Then all faults are told, those that the check has found included.
///
/// # Errors
/// The problem to answer.
pub(crate) fn without_faults<T>(faults: Faults, checked: Result<T, Error>) -> Result<T, Problem> {
    match checked {
        Ok(checked) if faults.is_none() => Ok(checked),
        Ok(_) => Err(faults.into()),
        Err(error) => Err(error.beside(faults)),
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        Problem::from(self).into_response()
    }
}
