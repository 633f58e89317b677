//! The reasons for which commands on messages are refused.

use crate::{Code, Reason, RefusalKind};

/// Why a command on a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No message has that id.
    #[error("there is no such message")]
    NotFound,
    /// The sending of the message has ended already.
    #[error("the sending of the message has ended")]
    Over,
    /// No server has the message, it is known that one refused it or that the recipient complained of it, or it was sent long ago.
    #[error("no server has the message any more")]
    NotOut,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Over | Self::NotOut => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "message_not_found",
                meaning: "No message has this id.",
                what_to_do: "Check the id.",
            },
            Self::Over => Code {
                name: "message_over",
                meaning: "How the sending of the message ended is on record already.",
                what_to_do: "Nothing: the first record counts.",
            },
            Self::NotOut => Code {
                name: "message_not_out",
                meaning: "No server has taken the message, it is on record that one refused it afterwards or that the recipient complained of it, or it was sent too long ago to come back.",
                what_to_do: "Nothing: the first record counts.",
            },
        }
    }
}
