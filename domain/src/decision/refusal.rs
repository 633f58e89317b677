//! Why a rule forbids a command. No HTTP terms are used here: each API maps the kinds to its own answers.

use tidemark_events::{Money, Timestamp};

/// What sort of refusal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The command makes no sense, whatever the state is.
    Invalid,
    /// The caller is not known.
    Unauthenticated,
    /// The caller was known until the session ended.
    LoggedOut,
    /// The caller is known and is not allowed to do this.
    Forbidden,
    /// The thing that the command is about does not exist.
    NotFound,
    /// The thing that the command is about was there, and never will be again.
    Gone,
    /// The current state does not allow the command.
    Conflict,
}

/// The stable name of a kind of refusal, and what a client that meets it wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The name that clients act on, such as `bid_too_low`.
    pub name: &'static str,
    /// What it means, in whole sentences that hold of every refusal with this code.
    pub meaning: &'static str,
    /// What the client can do, in whole sentences.
    pub what_to_do: &'static str,
}

/// The reason for a refusal. Each noun lists its own reasons in an enum named `Error`.
pub trait Reason: std::error::Error {
    /// What sort of refusal it is.
    fn kind(&self) -> RefusalKind;

    /// The stable name that clients act on, and what it means.
    fn code(&self) -> Code;

    /// The field of the command that is to blame, by the name that clients know, if it is one.
    fn field(&self) -> Option<&'static str> {
        None
    }

    /// When the same command may succeed, if that is known.
    fn retry_at(&self) -> Option<Timestamp> {
        None
    }

    /// The lowest amount that would be accepted, if the amount was too low.
    fn minimum(&self) -> Option<Money> {
        None
    }
}

/// A [`Reason`] of any noun, as the executor and the APIs handle it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Refusal {
    /// What sort of refusal it is.
    pub kind: RefusalKind,
    /// The stable name that clients act on, and what it means.
    pub code: Code,
    /// The reason as people read it.
    pub detail: String,
    /// The field of the command that is to blame, by the name that clients know, if it is one.
    pub field: Option<&'static str>,
    /// When the same command may succeed, if that is known.
    pub retry_at: Option<Timestamp>,
    /// The lowest amount that would be accepted, if the amount was too low.
    pub minimum: Option<Money>,
}

impl Refusal {
    /// Whether the caller may not learn the version of what the command is about.
    #[must_use]
    pub const fn hides_its_object(&self) -> bool {
        use RefusalKind::{Forbidden, LoggedOut, NotFound, Unauthenticated};
        matches!(
            self.kind,
            Unauthenticated | LoggedOut | Forbidden | NotFound
        )
    }

    /// The same, blamed on this field of the command.
    pub(crate) fn about(self, field: &'static str) -> Self {
        let field = Some(field);
        Self { field, ..self }
    }
}

/// These reasons as refusals.
pub(crate) fn refusals<R: Reason>(reasons: impl IntoIterator<Item = R>) -> Vec<Refusal> {
    reasons.into_iter().map(Refusal::from).collect()
}

impl<R: Reason> From<R> for Refusal {
    fn from(reason: R) -> Self {
        Self {
            kind: reason.kind(),
            code: reason.code(),
            detail: reason.to_string(),
            field: reason.field(),
            retry_at: reason.retry_at(),
            minimum: reason.minimum(),
        }
    }
}
