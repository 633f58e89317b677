//! The reasons for which commands on contact points are refused.

use crate::{Code, Reason, RefusalKind};

/// Why a command on a contact point is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No contact point has that id.
    #[error("there is no such contact point")]
    NotFound,
    /// Messages are sent to the address.
    #[error("the address is not suppressed")]
    NotSuppressed,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::NotSuppressed => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "contact_point_not_found",
                meaning: "No contact point has this id.",
                what_to_do: "Take the id from the list of suppressions.",
            },
            Self::NotSuppressed => Code {
                name: "contact_point_not_suppressed",
                meaning: "Messages are sent to the address, because nothing suppresses them or that is over.",
                what_to_do: "Nothing: it is as wanted.",
            },
        }
    }
}
