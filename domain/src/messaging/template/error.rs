//! The reasons for which commands on templates are refused.

use crate::{Code, Reason, RefusalKind};

/// Why a command on a template is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No template has that id.
    #[error("there is no such template")]
    NotFound,
    /// The template is not in use.
    #[error("the template is retired already")]
    Retired,
}

impl Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::NotFound => RefusalKind::NotFound,
            Self::Retired => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::NotFound => Code {
                name: "template_not_found",
                meaning: "No template has this id.",
                what_to_do: "Take the id from the list of templates.",
            },
            Self::Retired => Code {
                name: "template_retired",
                meaning: "The template is retired, and no new message uses it.",
                what_to_do: "Nothing: it is as wanted.",
            },
        }
    }
}
