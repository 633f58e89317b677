//! Why a decision did not come to writes.

use uuid::Uuid;

use crate::decision::claim::Claim;
use crate::decision::refusal::{Reason, Refusal};

/// Why a decision did not come to writes.
#[derive(Debug)]
pub enum Stop {
    /// Something must be loaded first; then decide again.
    Load(Load),
    /// A rule says no.
    Refused(Refusal),
}

/// Something that a decision rests on and the view does not have yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Load {
    /// A stream.
    Stream(Uuid),
    /// The owner of a claim.
    Claim(Claim),
}

impl<R: Reason> From<R> for Stop {
    fn from(reason: R) -> Self {
        Self::Refused(reason.into())
    }
}
