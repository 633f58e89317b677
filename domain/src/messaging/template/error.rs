//! The reasons for which commands on templates are refused.

use crate::messaging::rendering::Faulty;
use crate::{Code, Reason, RefusalKind};

/// Why a command on a template is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The words cannot be used.
    #[error("the {} {}", .0.part.name(), .0.fault)]
    Faulty(Faulty),
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
            Self::Faulty(_) => RefusalKind::Invalid,
            Self::NotFound => RefusalKind::NotFound,
            Self::Retired => RefusalKind::Conflict,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::Faulty(_) => Code {
                name: "template_faulty",
                meaning: "The words of the template cannot be used: they name what messages of the category do not have, or cannot be rendered.",
                what_to_do: "Change the words as `errors` says, and publish them again.",
            },
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

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Faulty(Faulty { part, .. }) => Some(part.name()),
            Self::NotFound | Self::Retired => None,
        }
    }
}
