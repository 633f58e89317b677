//! Why a decision ended without writes.

use uuid::Uuid;

use crate::decision::claim::Claim;
use crate::decision::refusal::{Reason, Refusal};

/// Why a decision ended without writes.
#[derive(Debug)]
pub enum Stop {
    /// The decision needs something that is not loaded yet. Load it and decide again.
    Load(Load),
    /// A rule forbids the command.
    Refused(Refusal),
}

/// Something that a decision needs and the view does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    /// The state of a stream.
    Stream(Uuid),
    /// The owner of a claim.
    Claim(Claim),
}

impl Stop {
    /// The same, but a refusal is blamed on this field of the command.
    pub(crate) fn about(self, field: &'static str) -> Self {
        match self {
            Self::Refused(refusal) => Self::Refused(refusal.about(field)),
            load @ Self::Load(_) => load,
        }
    }

    /// Both results. If both are refused, one refusal tells what is wrong with the fields of both.
    pub(crate) fn both<A, B>(
        first: Result<A, Self>,
        second: Result<B, Self>,
    ) -> Result<(A, B), Self> {
        match (first, second) {
            (Err(Self::Refused(first)), Err(Self::Refused(second))) => {
                Err(Self::Refused(first.and(second)))
            }
            (first, second) => Ok((first?, second?)),
        }
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<R: Reason> From<R> for Stop {
    fn from(reason: R) -> Self {
        Self::Refused(reason.into())
    }
}
