//! The name of a read model or a reactor that an operator states.

use tidemark_events::operations::rebuild::ReadModelName;
use tidemark_events::{Line, Stored};

use crate::decision::refusals;
use crate::{Code, Refusal, RefusalKind, Stop};

/// Why a stated name is refused. Each reason lists the names that there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no read model of this name.
    #[error("there is no such read model; there are {}", .0.join(", "))]
    UnknownReadModel(Vec<String>),
    /// There is no reactor of this name.
    #[error("there is no such reactor; there are {}", .0.join(", "))]
    UnknownReactor(Vec<String>),
}

impl crate::Reason for Error {
    fn kind(&self) -> RefusalKind {
        match self {
            Self::UnknownReadModel(_) | Self::UnknownReactor(_) => RefusalKind::Invalid,
        }
    }

    fn code(&self) -> Code {
        match self {
            Self::UnknownReadModel(_) => Code {
                name: "unknown_read_model",
                meaning: "The command states a read model that the database does not have.",
                what_to_do: "State one that `detail` lists.",
            },
            Self::UnknownReactor(_) => Code {
                name: "unknown_reactor",
                meaning: "The command states a reactor that no projector has run yet.",
                what_to_do: "State one that `detail` lists.",
            },
        }
    }

    fn field(&self) -> Option<&'static str> {
        match self {
            Self::UnknownReadModel(_) => Some("read_model"),
            Self::UnknownReactor(_) => Some("reactor"),
        }
    }
}

/// A name that a command states, which must be one of those that the database has. What this build has does not matter: the
/// projectors may be of a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisteredName {
    /// The name that is stated.
    pub stated: Line<100>,
    /// The names that there are.
    pub registered: Vec<String>,
}

impl RegisteredName {
    /// The name, if there is such a read model.
    ///
    /// # Errors
    /// [`Error::UnknownReadModel`].
    pub(crate) fn require_read_model(&self) -> Result<Stored<ReadModelName>, Stop> {
        self.require(Error::UnknownReadModel)
    }

    /// The name, if there is such a reactor.
    ///
    /// # Errors
    /// [`Error::UnknownReactor`].
    pub(crate) fn require_reactor(&self) -> Result<Stored<Line<100>>, Stop> {
        self.require(Error::UnknownReactor)
    }

    fn require(&self, unknown: fn(Vec<String>) -> Error) -> Result<Stored<Line<100>>, Stop> {
        let Self { stated, registered } = self;
        if registered.iter().any(|name| name == stated.as_str()) {
            return Ok(stated.clone().into());
        }
        Err(unknown(registered.clone()).into())
    }

    /// Why a command that states a read model may be refused.
    pub(crate) fn refusals_of_read_models() -> Vec<Refusal> {
        refusals([Error::UnknownReadModel(names(["auction", "bid"]))])
    }

    /// Why a command that states a reactor may be refused.
    pub(crate) fn refusals_of_reactors() -> Vec<Refusal> {
        refusals([Error::UnknownReactor(names(["auction-timer", "mailer"]))])
    }
}

fn names(names: [&str; 2]) -> Vec<String> {
    names.map(str::to_owned).into()
}

#[cfg(test)]
pub(crate) mod tests {
    use tidemark_events::samples::stated;

    use super::*;

    /// A name beside those that there are.
    pub(crate) fn name(name: &str) -> RegisteredName {
        RegisteredName {
            stated: stated(name),
            registered: names(["auction", "auction-timer"]),
        }
    }

    #[test]
    fn a_name_is_refused_that_the_database_does_not_have() {
        assert!(name("auction").require_read_model().is_ok());
        assert!(name("auction-timer").require_reactor().is_ok());
        let unknown = name("auctions").require_read_model();
        let Err(Stop::Refused(refusal)) = unknown else {
            panic!("not refused: {unknown:?}")
        };
        assert_eq!(refusal.code.name, "unknown_read_model");
        assert_eq!(refusal.field, Some("read_model"));
        assert!(refusal.detail.contains("there are auction, auction-timer"));
    }
}
