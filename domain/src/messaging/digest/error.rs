//! The reasons for which commands on digests are refused.

use tidemark_events::Timestamp;

use crate::{Code, Reason, RefusalKind};

/// Why a command on a digest is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No digest has that id.
    #[error("there is no such digest")]
    NotFound,
    /// The digest is closed already.
    #[error("the digest is closed")]
    Closed,
    /// The timer came before this moment.
    #[error("this is not due before {0}")]
    NotDue(Timestamp),
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Closed | Self::NotDue(_) => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "digest_not_found",
                meaning: "No digest has this id.",
                what_to_do: "Check the id.",
            },
            Self::Closed => Code {
                name: "digest_closed",
                meaning: "The digest was closed before, and what comes of it is on record.",
                what_to_do: "Nothing: it is done.",
            },
            Self::NotDue(_) => Code {
                name: "not_due",
                meaning: "A timer came before the moment at which this may be done.",
                what_to_do: "Send it again at `retry_at`.",
            },
        }
    }

    fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::NotDue(at) => Some(*at),
            Self::NotFound | Self::Closed => None,
        }
    }
}
