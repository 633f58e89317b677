//! The reasons for which commands on telephones are refused.

use crate::messaging::message::Exhausted;
use crate::{Code, Reason, RefusalKind};

/// Why a command on a telephone is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No texts are sent to the country of the number.
    #[error("no texts are sent to this country")]
    NotServed,
    /// The number is the user's already.
    #[error("the number is verified already")]
    Verified,
    /// The user was sent as many texts as may be.
    #[error("as many texts as may be were sent to you for now")]
    TooMany,
    /// All users together were sent as many texts as may be.
    #[error("no more texts are sent today")]
    BudgetSpent,
    /// The user awaits no code, it is too late, or too many were tried.
    #[error("no code is awaited any more")]
    NoCode,
    /// The user has stated no number.
    #[error("you have no telephone number")]
    None,
}

impl From<Exhausted> for Error {
    fn from(exhausted: Exhausted) -> Self {
        match exhausted {
            Exhausted::User => Self::TooMany,
            Exhausted::Budget => Self::BudgetSpent,
        }
    }
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotServed | Self::Verified | Self::TooMany | Self::BudgetSpent | Self::NoCode => {
                RefusalKind::Conflict
            }
            Self::None => RefusalKind::NotFound,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotServed => Code {
                name: "phone_not_served",
                meaning: "This deployment sends no texts to the country of the number.",
                what_to_do: "State a number of another country, or be notified by mail.",
            },
            Self::Verified => Code {
                name: "phone_verified",
                meaning: "The number is verified already, so that no code is sent.",
                what_to_do: "Nothing: it is as wanted.",
            },
            Self::TooMany => Code {
                name: "too_many_texts",
                meaning: "As many texts as may be in ten minutes, or in a day, were asked for by the user, or sent to the user; or as many codes for this number as one user may ask for.",
                what_to_do: "Wait ten minutes, or a day, and state the number again.",
            },
            Self::BudgetSpent => Code {
                name: "texts_spent",
                meaning: "As many codes as may be were sent to all users together on this day.",
                what_to_do: "State the number again tomorrow (UTC).",
            },
            Self::NoCode => Code {
                name: "phone_code_over",
                meaning: "No code is awaited: no number was stated, the code has expired, or too many others were tried.",
                what_to_do: "State the number again, which sends another code.",
            },
            Self::None => Code {
                name: "phone_not_found",
                meaning: "The user has no telephone number, and awaits no code.",
                what_to_do: "Nothing: it is as wanted.",
            },
        }
    }
}
