//! The reasons for which commands on notifications are refused.

use crate::{Code, Reason, RefusalKind};

/// Why a command on a notification is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No notification in the inbox of the user has that id.
    #[error("there is no such notification")]
    NotFound,
    /// The user has read it.
    #[error("the notification is read already")]
    Read,
    /// The user has put it away.
    #[error("the notification is archived already")]
    Archived,
    /// The user has been told of the same, and is not told again now.
    #[error("the user has been told of this")]
    Raised,
    /// The user wants not to be told.
    #[error("the user wants no such notifications")]
    Unwanted,
    /// It is not so any more, or it concerns nobody but the user who caused it.
    #[error("there is nothing to tell any more")]
    Moot,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Read | Self::Archived | Self::Raised | Self::Unwanted | Self::Moot => {
                RefusalKind::Conflict
            }
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "notification_not_found",
                meaning: "No notification in your inbox has this id.",
                what_to_do: "Check the id.",
            },
            Self::Read => Code {
                name: "notification_read",
                meaning: "The notification is read, or all of those that you named are.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::Archived => Code {
                name: "notification_archived",
                meaning: "The notification is archived.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::Raised => Code {
                name: "notification_raised",
                meaning: "The user has been told of the same, for ever or a short time ago.",
                what_to_do: "Nothing: the first notification counts.",
            },
            Self::Unwanted => Code {
                name: "notification_unwanted",
                meaning: "The user has switched off notifications of this category.",
                what_to_do: "Nothing: the user wants it so.",
            },
            Self::Moot => Code {
                name: "notification_moot",
                meaning: "What the user would be told is not so any more.",
                what_to_do: "Nothing.",
            },
        }
    }
}
