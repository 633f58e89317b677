//! The reasons for which commands on sessions are refused.

use crate::{Code, Reason, RefusalKind};

/// Why a command on a session is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no such session, or it is another user's.
    #[error("there is no such session")]
    NotFound,
    /// The session has ended.
    #[error("the session has ended")]
    Ended,
    /// No user has this e-mail address and this password.
    #[error("the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// The refresh token is unknown, has expired, or belongs to a session that has ended.
    #[error("the refresh token is not valid; log in again")]
    InvalidGrant,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Ended => RefusalKind::Conflict,
            Self::InvalidCredentials | Self::InvalidGrant => RefusalKind::Unauthenticated,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "session_not_found",
                meaning: "No session has this id, or it is another user's.",
                what_to_do: "Send the `session_id` that the log-in answered.",
            },
            Self::Ended => Code {
                name: "session_ended",
                meaning: "The session is over already.",
                what_to_do: "Nothing, if the session was to end. Else log in again.",
            },
            Self::InvalidCredentials => Code {
                name: "invalid_credentials",
                meaning: "No user has this e-mail address and this password.",
                what_to_do: "Check both, and log in again.",
            },
            Self::InvalidGrant => Code {
                name: "invalid_grant",
                meaning: "The refresh token is unknown, was used before, or belongs to a session that is over.",
                what_to_do: "Log in again.",
            },
        }
    }
}
