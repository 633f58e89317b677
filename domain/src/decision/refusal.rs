//! Why a rule says no. It holds no HTTP words: each API turns kinds into answers.

use tidemark_events::Timestamp;

/// What sort of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The intent makes no sense, whatever the state.
    Invalid,
    /// Nobody is known to ask, or not any more.
    Unauthenticated,
    /// Who asks may not.
    Forbidden,
    /// What it is about does not exist.
    NotFound,
    /// The state does not allow it.
    Conflict,
}

/// A rule's answer, as each aggregate lists its own in an enum named `Error`.
pub trait Reason: std::error::Error {
    /// What sort of refusal it is.
    fn kind(&self) -> Kind;

    /// The stable name that clients act on, such as `bid_too_low`.
    fn code(&self) -> &'static str;

    /// When the same intent may succeed, if that is known.
    fn retry_at(&self) -> Option<Timestamp> {
        None
    }
}

/// A [`Reason`] of any aggregate, as the executor and the APIs handle it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What sort of refusal it is.
    pub kind: Kind,
    /// The stable name that clients act on, such as `bid_too_low`.
    pub code: &'static str,
    /// The reason in a sentence, for people.
    pub detail: String,
    /// When the same intent may succeed, if that is known.
    pub retry_at: Option<Timestamp>,
}

impl<R: Reason> From<R> for Refusal {
    fn from(reason: R) -> Self {
        Self {
            kind: reason.kind(),
            code: reason.code(),
            detail: reason.to_string(),
            retry_at: reason.retry_at(),
        }
    }
}
