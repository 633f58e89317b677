//! The reasons for which commands on sessions are refused.

use crate::{Reason, RefusalKind};

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

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "session_not_found",
            Self::Ended => "session_ended",
            Self::InvalidCredentials => "invalid_credentials",
            Self::InvalidGrant => "invalid_grant",
        }
    }
}
